"""Debates sorted by the levels of both sides, by a hand-made table."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from analysis.statistics.patterns import patterns
from analysis.statistics.shares import clopper_pearson


def test_each_debate_has_one_pattern_whoever_is_surer() -> None:
    """50 is at most 50, and 75 is no more than 75; a debate with a missing rating has none."""
    ratings = [(50, 0), (51, 75), (76, 100), (50, 51), (75, 50), (50, 76), (75, 76), (80, nan)]
    found = patterns(np.array(ratings) / 100)
    assert [(row.lower, row.higher, row.debates) for row in found] == [
        ("at most 50", "at most 50", 1),
        ("51 to 75", "51 to 75", 1),
        ("above 75", "above 75", 1),
        ("at most 50", "51 to 75", 2),
        ("at most 50", "above 75", 1),
        ("51 to 75", "above 75", 1),
    ]
    assert [row.share for row in found] == pytest.approx([1 / 7] * 3 + [2 / 7] + [1 / 7] * 2)
    of_two = found[3].claims
    assert (of_two.these_ci_low, of_two.these_ci_high) == pytest.approx(clopper_pearson(2, 7))


def test_without_a_debate_nothing_is_known() -> None:
    found = patterns(np.full((2, 2), nan))
    assert [row.debates for row in found] == [0] * 6
    assert all(isnan(row.share) and isnan(row.claims.ci_low) for row in found)
