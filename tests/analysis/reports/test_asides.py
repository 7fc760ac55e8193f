"""Asides against turns, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan, sqrt

import numpy as np
import pytest

from analysis.read.asides import Asides
from analysis.reports.asides import difference_of, rows_by_play
from analysis.reports.tables.asides import aside_blocks

# Two plays: the first has two pairs and one aside too many, the second a pair and a turn alone.
BY_HAND = Asides(
    "talks",
    "asked",
    "How sure?",
    "solver",
    0,
    "opening",
    np.array([0.6, 0.7, nan, 0.5, 0.9]),
    np.array([0.5, 0.5, 0.4, 0.6, nan]),
    np.array([0, 0, 0, 1, 1]),
)


def test_differences_are_of_the_turns_with_both_ratings() -> None:
    """Differences -0.1, -0.2 and 0.1: by play they sum to -0.3 and 0.1, of mean -0.2 / 3."""
    found = difference_of(BY_HAND)
    assert (found.pairs, found.without_stated, found.without_aside) == (3, 1, 1)
    assert (found.stated, found.aside) == pytest.approx((0.6, 1.6 / 3))
    mean = -0.2 / 3
    influence = [(-0.3 - 2 * mean) / 3, (0.1 - mean) / 3]
    se = sqrt(2 * sum(value**2 for value in influence))
    assert (found.difference.mean, found.difference.se) == pytest.approx((mean, se))
    assert found.difference.clusters == 2


def test_the_order_of_the_rows_does_not_matter() -> None:
    order = np.array([3, 0, 4, 2, 1])
    parts = {name: getattr(BY_HAND, name)[order] for name in ("stated", "aside", "episode")}
    assert difference_of(replace(BY_HAND, **parts)) == difference_of(BY_HAND)
    assert rows_by_play(replace(BY_HAND, **parts)).shape == (2, 3)


def test_without_a_pair_there_is_no_difference() -> None:
    found = difference_of(replace(BY_HAND, aside=np.full(5, nan)))
    assert (found.pairs, found.without_aside) == (0, 5)
    assert isnan(found.difference.mean)
    (block,) = aside_blocks([found])
    assert block.rows[0][2:6] == ("0", "-", "-", "-")
