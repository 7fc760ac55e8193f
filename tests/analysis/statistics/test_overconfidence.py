"""The paper's questions, against hand tables and scipy's independent tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp, ttest_rel

from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.overconfidence import (
    against_half,
    both_above,
    both_sides,
    independent_test,
    rise,
)

nan = np.nan
FIRST = np.array([[0.6, 0.7], [0.5, 0.8], [0.7, nan]])
LAST = np.array([[0.8, 0.7], [0.4, 0.9], [0.9, 0.9]])
ratings = arrays(
    np.float64, (6, 2), elements=st.integers(0, 100).map(lambda n: n / 100) | st.just(nan)
)


def test_both_sides_are_above_a_level_only_strictly_and_only_if_both_are_known() -> None:
    ratings_of_debates = np.array([[0.76, 0.9], [0.75, 0.9], [nan, 0.9]])
    np.testing.assert_array_equal(both_above(ratings_of_debates), [1, 0, nan])


def test_mean_confidence_pools_both_sides() -> None:
    found = clustered_mean(FIRST)
    assert (found.n, found.clusters, found.mean) == (5, 3, pytest.approx(0.66))


def test_a_rise_is_taken_over_debaters_with_both_ratings() -> None:
    """Changes 0.2, 0, -0.1, 0.1, 0.2: three of five up, one down."""
    found = rise(FIRST, LAST)
    assert (found.n, found.mean) == (5, pytest.approx(0.08))
    assert (found.share_up, found.share_down) == (0.6, 0.2)
    assert found.ci_low < found.mean < found.ci_high


def test_the_published_test_of_a_rise_is_the_paired_t_test() -> None:
    there = ~np.isnan(FIRST)
    outside = ttest_rel(LAST[there], FIRST[there], alternative="greater")
    assert rise(FIRST, LAST).p_paired_one_sided == pytest.approx(outside.pvalue)


@given(ratings, ratings)
def test_a_fall_is_a_rise_read_backwards(first: Array, last: Array) -> None:
    up, down = rise(first, last), rise(last, first)
    assert up.n == down.n
    assert up.mean == pytest.approx(-down.mean, nan_ok=True)
    assert up.p == pytest.approx(down.p, nan_ok=True)
    assert (up.share_up, up.share_down) == pytest.approx(
        (down.share_down, down.share_up), nan_ok=True
    )


def test_a_rise_of_nobody_is_undefined() -> None:
    found = rise(np.array([[0.5, nan]]), np.array([[nan, 0.5]]))
    assert found.n == 0
    assert np.isnan([found.mean, found.p, found.share_up]).all()


def test_75_itself_is_at_least_and_not_above() -> None:
    found = both_sides(np.array([[0.75, 0.9], [0.8, 0.76], [0.74, 0.9], [0.5, 0.9], [0.9, nan]]))
    assert (found.debates, found.at_least_75, found.above_75, found.above_50) == (4, 2, 1, 3)


@given(ratings)
def test_counts_of_both_sides_are_nested(confidence: Array) -> None:
    found = both_sides(confidence)
    assert (
        0
        <= found.above_75
        <= found.at_least_75
        <= found.above_50
        <= found.debates
        <= len(confidence)
    )


def test_no_debates_count_as_none() -> None:
    assert both_sides(np.empty((0, 2))).debates == 0


def test_the_published_test_against_half_is_the_one_sample_t_test() -> None:
    found = against_half(LAST)
    outside = ttest_1samp(LAST.ravel(), 0.5, alternative="greater")
    assert (found.t_one_sample, found.p_one_sample_one_sided) == pytest.approx(
        (outside.statistic, outside.pvalue)
    )
    assert found.difference == pytest.approx(found.mean - 0.5)


def test_ours_against_half_tests_the_debates_means() -> None:
    outside = ttest_1samp(LAST.mean(axis=1), 0.5)
    assert (against_half(LAST).t, against_half(LAST).p) == pytest.approx(
        (outside.statistic, outside.pvalue)
    )


def test_everybody_at_half_is_no_evidence_either_way() -> None:
    """The published informed debaters all said 50: the mean is known, and there is
    nothing to test.
    """
    found = against_half(np.full((4, 2), 0.5))
    assert found.difference == 0
    assert np.isnan([found.t, found.p, found.t_one_sample]).all()


def test_one_value_has_no_test() -> None:
    assert np.isnan(independent_test(np.array([0.3, nan]))).all()
