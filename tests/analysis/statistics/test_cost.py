"""Whether arms had the same budget, and what is said where that is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.cost import compare_budgets, mean_known


def test_means_count_what_is_unknown() -> None:
    assert mean_known(np.array([1.0, np.nan, 3.0])) == (2, 1)
    mean, unknown = mean_known(np.array([np.nan]))
    assert np.isnan(mean)
    assert unknown == 1


def test_only_common_questions_count() -> None:
    """On questions 1 and 2 both took 4; that the first arm also played a costly third is no unequal
    budget.
    """
    found = compare_budgets(
        [np.array([4.0, 4.0, 90.0]), np.array([4.0, 4.0])],
        [np.array([1, 2, 3]), np.array([1, 2])],
        tolerance=1.01,
    )
    assert (found.equal, found.questions, found.mean.tolist()) == (True, 2, [4, 4])


@pytest.mark.parametrize(
    ("other", "equal"), [(100.0, True), (109.0, True), (111.0, False), (90.0, False), (0.0, False)]
)
def test_the_tolerance_is_a_ratio(other: float, equal: bool) -> None:
    one = np.array([0])
    assert (
        compare_budgets([np.array([100.0]), np.array([other])], [one, one], tolerance=1.1).equal
        is equal
    )


def test_nothing_is_equal_to_nothing() -> None:
    one = np.array([0])
    assert (
        compare_budgets([np.array([0.0]), np.array([0.0])], [one, one], tolerance=1).equal is True
    )


def test_what_is_unknown_cannot_be_compared() -> None:
    one = np.array([0])
    assert (
        compare_budgets([np.array([1.0]), np.array([np.nan])], [one, one], tolerance=1.1).equal
        is None
    )
    assert (
        compare_budgets([np.array([1.0]), np.array([1.0])], [one, one + 1], tolerance=1.1).equal
        is None
    )


def test_a_tolerance_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        compare_budgets([], [], tolerance=0.9)
