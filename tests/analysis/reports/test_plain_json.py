"""Rows as JSON: keys, inlined rows, and numbers without noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Annotated

import pytest

from analysis.reports.plain_json import (
    INLINE,
    OPTIONAL,
    JsonField,
    interval_as,
    json_object,
    plain_json,
)
from analysis.statistics.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Inner:
    share: Interval
    n: int


NAMES = {"n": "count", "mean": "middle"}


@dataclass(frozen=True, slots=True)
class Row:
    start: Annotated[str, JsonField("from")]
    mean: Annotated[Interval | None, interval_as("mean")]
    inner: Annotated[Inner, JsonField(inline=True, parts={"share": INLINE}, names=NAMES)]
    note: Annotated[str | None, OPTIONAL] = None


def test_a_row_has_the_keys_of_its_annotations() -> None:
    row = Row("opening", Interval(0.1 + 0.2, nan, 1.0), Inner(Interval(0.5, 0.4, 0.6), 3))
    assert json_object(row) == {
        "from": "opening",
        "mean": 0.3,
        "mean_ci_low": None,
        "mean_ci_high": 1.0,
        "middle": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "count": 3,
    }


def test_a_row_that_is_not_there_keeps_its_keys_and_an_optional_one_does_not() -> None:
    entries = json_object(Row("a", None, Inner(Interval(0.5, 0.4, 0.6), 3)))
    assert entries["mean_ci_low"] is None
    assert "note" not in entries


def test_keys_that_collide_are_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Twice:
        n: int
        inner: Annotated[Inner, INLINE]

    with pytest.raises(TypeError, match=r"Twice\.inner repeats the keys n"):
        json_object(Twice(1, Inner(Interval(0.5, 0.4, 0.6), 3)))


def test_numbers_keep_twelve_digits_and_nan_is_none() -> None:
    assert plain_json({"a": [0.1 + 0.2, nan, 3], "b": ("x", None)}) == {
        "a": [0.3, None, 3],
        "b": ["x", None],
    }
