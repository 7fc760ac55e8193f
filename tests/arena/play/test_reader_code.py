"""Which code reads a reply: what changes its version, and what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from arena.play.reader_code import code_of, made_with, reader_name, reader_version
from arena.play.reading import text_only
from protocols.debate import debate
from protocols.parsing.answers import answer


def version_with(folder: Path, monkeypatch: pytest.MonkeyPatch, reader: str, helper: str) -> str:
    """The version of `read` in a file that imports a helper beside it."""
    monkeypatch.syspath_prepend(str(folder))
    for name, source in (("the_helper", helper), ("the_reader", reader)):
        (folder / f"{name}.py").write_text(source)
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    code_of.cache_clear()
    return reader_version(importlib.import_module("the_reader").read)


def test_code_near_by_counts_and_layout_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = "import json\nfrom the_helper import one\n\ndef read(reply):\n    return one\n"
    versions = [
        version_with(tmp_path, monkeypatch, text, helper)
        for text, helper in (
            (reader, "one = 1\n"),
            (reader.replace("read(reply):\n", 'read(reply):\n    "Read."\n'), "one = 1  # one\n"),
            (reader, "one = 20\n"),
            (reader.replace("return one", "return one + 1"), "one = 1\n"),
        )
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    for name in ("the_helper", "the_reader"):
        sys.modules.pop(name, None)


def test_readers_are_found_inside_of_what_wraps_them() -> None:
    wrapped = partial(text_only(answer), letters="AB")
    assert reader_name(wrapped) == "answer"
    assert reader_version(wrapped) == reader_version(answer) != reader_version(answer, debate)


def test_the_version_is_of_all_that_a_shipped_reader_calls() -> None:
    assert {"protocols.parsing.answers", "protocols.parsing.statements"} <= code_of(
        "protocols.parsing.answers"
    ).keys()


class Within:
    """A grader with a setting of its own."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def __call__(self, tolerance: float = 0.0) -> float:
        return tolerance or self.tolerance


def closed_over(tolerance: float) -> Callable[[], float]:
    """A function with a variable of its maker."""
    return lambda: tolerance


@pytest.mark.parametrize(
    "make",
    [
        lambda t: partial(closed_over, tolerance=t),
        closed_over,
        Within,
        lambda t: Within(t).__call__,
    ],
)
def test_what_a_function_was_made_with_is_told_apart(make: Callable[[float], Any]) -> None:
    assert made_with(make(0.1)) == "tolerance=0.1"
    assert made_with(make(0.2)) == "tolerance=0.2"


def test_a_plain_function_was_made_with_nothing_and_an_unknown_value_is_its_type() -> None:
    assert made_with(closed_over) is None
    assert made_with(partial(closed_over, {1})) == "0=set"
