"""Intervals of shares: by hand, against statsmodels and scipy, and that they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics.bootstrap import Interval
from analysis.statistics.shares import (
    clopper_pearson,
    difference_intervals,
    effective_sizes,
    newcombe,
    share_intervals,
    wilson,
)


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)[:, None]


def test_ten_of_ten_and_none_of_ten() -> None:
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    [difference] = difference_intervals(
        column(*[0] * 10), column(*[1] * 10), *[column(*[1] * 10)] * 2
    )
    assert (difference.mean, difference.ci_low) == (-1, -1)
    assert difference.ci_high == pytest.approx(-0.608, abs=5e-4)


@given(st.integers(0, 60), st.integers(1, 60))
def test_counts_have_the_intervals_of_outside_code(count: int, of: int) -> None:
    count = min(count, of)
    exact = binomtest(count, of).proportion_ci(method="exact")
    assert clopper_pearson(count, of) == pytest.approx((exact.low, exact.high), abs=1e-9)
    outside = proportion_confint(count, of, method="wilson")
    assert wilson(count, of) == pytest.approx(outside, abs=1e-9)


@pytest.mark.parametrize("share", [0.9, 0.97])
def test_accuracy_is_covered_with_few_questions(share: float) -> None:
    """By the binomial distribution itself, for every number of questions from 10 to 100."""
    for n in range(10, 101):
        limits = np.array([clopper_pearson(count, n) for count in range(n + 1)])
        held = (limits[:, 0] <= share) & (share <= limits[:, 1])
        assert binom.pmf(np.arange(n + 1), n, share)[held].sum() >= 0.95


def test_newcombes_paired_example() -> None:
    """Newcombe (1998), table III, 36 and 2 of 50, no pair right in one alone of 12: method 10."""
    top = np.array([1] * 36 + [1] * 12 + [0] * 2, dtype=np.float64)[:, None]
    other = np.array([1] * 36 + [0] * 12 + [0] * 2, dtype=np.float64)[:, None]
    ones = np.ones((50, 1))
    [found] = difference_intervals(top, ones, other, ones)
    assert found.mean == pytest.approx(0.24)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.1236, 0.3741), abs=0.02)


def test_repeats_that_agree_count_once_and_independent_ones_each() -> None:
    right = np.random.default_rng(1).integers(2, size=60).astype(float)[:, None]
    once = share_intervals(right, np.ones((60, 1)))
    assert share_intervals(8 * right, np.full((60, 1), 8.0)) == once
    even = np.full((60, 1), 4.0)
    assert effective_sizes(even, 2 * even)[0] == 480


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20),
)
def test_intervals_have_a_width_and_lie_within_the_range(counts: list[tuple[int, int]]) -> None:
    top = column(*(min(pair) for pair in counts))
    bottom = column(*(max(pair) for pair in counts))
    [found] = share_intervals(top, bottom)
    [difference] = difference_intervals(top, bottom, bottom - top, bottom)
    if bottom.sum():
        assert 0 <= found.ci_low <= found.mean <= found.ci_high <= 1
        assert found.ci_low < found.ci_high
        assert -1 - 1e-12 <= difference.ci_low < difference.ci_high <= 1 + 1e-12
    else:
        assert np.isnan([found.mean, found.ci_low, difference.ci_low]).all()


def test_independent_shares_have_newcombes_interval() -> None:
    """Newcombe (1998, unpaired, method 10): 56 of 70 and 48 of 80 differ by 0.0524 to 0.3339."""
    first, second = (Interval(count / of, *wilson(count, of)) for count, of in ((56, 70), (48, 80)))
    found = newcombe(first, second)
    assert (found.mean, found.ci_low, found.ci_high) == pytest.approx(
        (0.2, 0.0524, 0.3339), abs=1e-4
    )
