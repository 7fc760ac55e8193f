"""Means with debates as clusters, against hand tables, scipy, and what clustering is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp

from analysis.statistics.clustered import Array, cluster_se, clustered_mean, student_interval

pairs = arrays(
    np.float64,
    st.tuples(st.integers(3, 12), st.just(2)),
    elements=st.integers(0, 100).map(lambda n: n / 100),
)


def test_two_debates_by_hand() -> None:
    """Residuals sum to -0.2 and 0.2; variance 2/1 * (0.05**2 + 0.05**2); Student's quantile with 1
    degree of freedom is 12.7062.
    """
    found = clustered_mean(np.array([[0.5, 0.7], [0.8, 0.8]]))
    assert (found.n, found.clusters) == (4, 2)
    assert [found.mean, found.se] == pytest.approx([0.7, 0.1])
    assert [found.ci_low, found.ci_high] == pytest.approx(
        [0.7 - 1.270620, 0.7 + 1.270620], abs=1e-5
    )


def test_a_missing_value_leaves_the_rest_of_its_debate_in() -> None:
    """Mean (0.5 + 0.7 + 0.9) / 3; residual sums -0.2 and 0.2; variance 2 * 2 * (0.2 / 3)**2."""
    found = clustered_mean(np.array([[0.5, 0.7], [0.9, np.nan], [np.nan, np.nan]]))
    assert (found.n, found.clusters) == (3, 2)
    assert [found.mean, found.se] == pytest.approx([0.7, 2 * 0.2 / 3])


def test_clusters_of_one_value_give_the_ordinary_t_test() -> None:
    values = np.array([0.55, 0.6, 0.72, 0.4, 0.81, 0.66])
    found, outside = clustered_mean(values[:, None], against=0.5), ttest_1samp(values, 0.5)
    assert [found.t, found.p] == pytest.approx([outside.statistic, outside.pvalue])
    assert (found.ci_low, found.ci_high) == pytest.approx(outside.confidence_interval())


@given(pairs)
def test_with_both_ratings_everywhere_the_error_is_that_of_the_debates_means(values: Array) -> None:
    found = clustered_mean(values)
    assert found.se == pytest.approx(
        values.mean(axis=1).std(ddof=1) / np.sqrt(len(values)), abs=1e-12
    )


@given(pairs)
def test_saying_everything_twice_within_a_debate_adds_no_certainty(values: Array) -> None:
    once, twice = clustered_mean(values), clustered_mean(np.hstack([values, values]))
    assert [twice.mean, twice.se] == pytest.approx([once.mean, once.se])


@given(pairs)
def test_the_order_of_debates_and_sides_does_not_matter(values: Array) -> None:
    shuffled = np.random.default_rng(int(values.sum() * 100)).permutation(values)[:, ::-1]
    assert clustered_mean(shuffled).se == pytest.approx(clustered_mean(values).se)


def test_one_debate_has_a_mean_and_no_interval() -> None:
    found = clustered_mean(np.array([[0.5, 0.7], [np.nan, np.nan]]))
    assert found.mean == pytest.approx(0.6)
    assert np.isnan([found.se, found.ci_low, found.ci_high, found.t, found.p]).all()


def test_no_values_have_no_mean() -> None:
    found = clustered_mean(np.full((3, 2), np.nan))
    assert (found.n, found.clusters) == (0, 0)
    assert np.isnan([found.mean, found.sd, found.ci_low]).all()


def test_without_spread_there_is_no_interval_and_no_test() -> None:
    """0.8 - 0.7 and 0.6 - 0.5 differ by rounding alone, which is no spread."""
    found = clustered_mean(np.array([[0.8 - 0.7], [0.6 - 0.5], [0.4 - 0.3]]))
    assert np.isnan([found.ci_low, found.ci_high, found.t, found.p]).all()


def test_an_interval_promises_nothing_that_cannot_be() -> None:
    found = clustered_mean(np.array([[0.5, 0.7], [0.8, 0.8]]), within=(0, 1))
    assert (found.ci_low, found.ci_high) == (0, 1)


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="clusters, members"):
        clustered_mean(np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match="finite"):
        clustered_mean(np.array([[0.5, np.inf]]))


def test_the_interval_holds_the_truth_where_the_independent_one_does_not() -> None:
    """600 studies of 40 debates whose sides share an effect, a tenth of the ratings missing: ours
    covers 95%, the naive one far less.
    """
    rng = np.random.default_rng(1)
    ours = naive = 0
    for _ in range(600):
        values = 0.7 + rng.normal(0, 0.1, (40, 1)) + rng.normal(0, 0.04, (40, 2))
        values[rng.random(values.shape) < 0.1] = np.nan
        found, flat = clustered_mean(values), values[~np.isnan(values)]
        low, high = student_interval(
            float(flat.mean()), float(flat.std(ddof=1) / np.sqrt(flat.size)), flat.size
        )
        ours += found.ci_low <= 0.7 <= found.ci_high
        naive += low <= 0.7 <= high
    assert 0.93 <= ours / 600 <= 0.97
    assert naive / 600 < 0.90


def test_the_error_of_an_influence_counts_only_rows_with_values() -> None:
    se, clusters = cluster_se(np.array([[0.1, np.nan], [-0.1, np.nan], [np.nan, np.nan]]))
    assert clusters == 2
    assert se == pytest.approx(np.sqrt(2 * 0.02))
