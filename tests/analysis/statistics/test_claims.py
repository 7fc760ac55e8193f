"""Two claims of one estimate: against statsmodels, hand values, and the rules that hold for any
data.
"""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from analysis.statistics.claims import (
    LIKE_THESE,
    THESE,
    WIDER_WORDS,
    jackknife,
    mean_claims,
    share_claims,
    stratified_error,
)
from analysis.statistics.clustered import Array, Codes, clustered_mean

nan = np.nan
ratings = arrays(
    np.float64, (14, 2), elements=st.integers(0, 100).map(lambda n: n / 100) | st.just(nan)
)
seats = arrays(np.int64, (14, 2), elements=st.integers(0, 7))


def every_pair(models: int) -> Codes:
    """All ordered pairs of models, a debate each."""
    return np.array([(a, b) for a in range(models) for b in range(models) if a != b])


def test_two_way_clusters_are_those_of_statsmodels_where_clusters_are_of_one_size() -> None:
    """Ours takes factors G / (G - 1) for each of three variances; theirs has none."""
    model = every_pair(7)
    rng = np.random.default_rng(2)
    values = 0.7 + rng.normal(0, 0.08, 7)[model] + rng.normal(0, 0.05, model.shape)
    mean, both = mean_claims(values, model)
    debate = np.repeat(np.arange(len(model)), 2)
    fit = sm.OLS(values.ravel(), np.ones(values.size)).fit()
    _, of_debates, of_models = cov_cluster_2groups(fit, debate, model.ravel(), use_correction=False)
    cells = np.square(fit.resid).sum() / values.size**2
    n = values.size
    variance = of_debates.item() * 42 / 41 + of_models.item() * 7 / 6 - cells * n / (n - 1)
    assert both.se == pytest.approx(np.sqrt(variance))
    assert (both.speaks_of, both.models, mean.ci_low) == (LIKE_THESE, 7, both.ci_low)


def test_where_models_debate_themselves_models_are_the_clusters() -> None:
    model = np.repeat(np.arange(8), 3)[:, None].repeat(2, axis=1)
    rng = np.random.default_rng(3)
    values = 0.6 + rng.normal(0, 0.1, 8)[model] + rng.uniform(-0.05, 0.05, model.shape)
    _, both = mean_claims(values, model)
    of_models = clustered_mean(values.reshape(8, -1))
    assert (both.se, both.ci_low, both.p) == pytest.approx(
        (of_models.se, of_models.ci_low, of_models.p)
    )


def test_with_hardly_more_debates_than_models_the_wider_claim_stands_for_both() -> None:
    """Of 12 models in 12 debates one degree is left, with which an interval says nothing."""
    model = np.array([(n, (n + 1) % 12) for n in range(12)])
    rng = np.random.default_rng(8)
    values = 0.7 + rng.normal(0, 0.08, 12)[model] + rng.normal(0, 0.05, model.shape)
    _, both = mean_claims(values, model)
    assert (both.these_ci_low, both.these_ci_high) == (both.ci_low, both.ci_high)
    assert both.ci_high - both.ci_low < 0.2
    assert both.note == WIDER_WORDS


def test_of_one_model_debates_are_the_clusters() -> None:
    values = np.random.default_rng(4).uniform(0.4, 0.9, (9, 2))
    mean, both = mean_claims(values, np.zeros((9, 2), dtype=np.int64))
    plain = clustered_mean(values, within=(0, 1))
    assert (mean.ci_low, mean.p, both.these_p) == pytest.approx((plain.ci_low, plain.p, plain.p))
    assert (both.speaks_of, both.note) == (
        THESE,
        "one model, fewer than 6: models like these cannot be spoken for",
    )


@pytest.mark.parametrize(
    ("model", "degrees"),
    [
        ([[0, 1]] * 6, 5),  # two that always meet: one mean of both
        ([[0, 0], [0, 0], [1, 1], [1, 1], [2, 2], [2, 2]], 3),  # three that debate themselves
        ([[0, 1], [1, 2], [2, 0]] * 2, 3),
    ],
)
def test_a_debate_is_lost_for_each_mean_that_sums_of_debates_know(
    model: list[list[int]], degrees: int
) -> None:
    """Residuals of 0.01 and -0.01 in turn, of both sides."""
    code = np.array(model)
    influence = np.tile([[0.01], [-0.01]], (3, 2))
    se, found = stratified_error(influence, code, code.max() + 1, np.ones(code.shape, dtype=bool))
    assert found == degrees
    assert se >= 0


def test_one_model_in_every_debate_does_not_count_as_many() -> None:
    """Left out, it moves the mean by more than its sum over all values says."""
    model = np.array([(0, other) for other in range(1, 9)] * 3)
    values = np.random.default_rng(5).uniform(0.4, 0.6, model.shape)
    values[:, 0] += 0.3
    _, both = mean_claims(values, model)
    assert both.ci_high - both.ci_low > 0.3
    sums = np.array([0.1, -0.05, -0.05])
    assert jackknife(sums, np.array([0.5, 0.25, 0.25])) == pytest.approx(
        2 / 3 * (0.2**2 + 2 * (0.05 / 0.75) ** 2)
    )


@given(ratings, seats)
@settings(max_examples=50)
def test_intervals_have_a_width_lie_in_the_range_and_the_wider_holds_the_other(
    values: Array, model: Codes
) -> None:
    mean, both = mean_claims(values, model)
    for low, high in ((both.ci_low, both.ci_high), (both.these_ci_low, both.these_ci_high)):
        if not np.isnan(low):
            assert 0 <= low <= mean.mean <= high <= 1
            assert low < high
    if both.speaks_of == LIKE_THESE and not np.isnan(both.these_ci_low):
        assert both.ci_low <= both.these_ci_low + 1e-12
    assert both.note or not np.isnan([both.ci_low, both.these_ci_low]).any()


@given(ratings, seats, st.permutations(range(8)))
@settings(max_examples=30)
def test_names_of_models_and_order_of_sides_do_not_matter(
    values: Array, model: Codes, names: list[int]
) -> None:
    one, other = (
        mean_claims(*pair)[1]
        for pair in ((values, model), (values[:, ::-1], np.array(names)[model][:, ::-1]))
    )
    assert (one.se, one.these_ci_low) == pytest.approx(
        (other.se, other.these_ci_low), nan_ok=True, abs=1e-9
    )


@given(ratings, seats, st.integers(0, 7))
@settings(max_examples=30)
def test_a_third_seat_that_nobody_rated_in_changes_nothing(
    values: Array, model: Codes, absent: int
) -> None:
    empty = np.full((len(values), 1), nan), np.full((len(values), 1), absent)
    one, other = (
        mean_claims(*pair)[1]
        for pair in (
            (values, model),
            (np.hstack((empty[0], values)), np.hstack((empty[1], model))),
        )
    )
    assert (one.se, one.these_ci_low, one.models) == pytest.approx(
        (other.se, other.these_ci_low, other.models), nan_ok=True, abs=1e-9
    )
    assert (one.speaks_of, one.note) == (other.speaks_of, other.note)


def test_three_seats_of_one_model_are_one_cell_of_the_table_of_plays_and_models() -> None:
    """Each model sits in all three seats of three plays: models are the clusters, as with two."""
    model = np.repeat(np.arange(8), 3)[:, None].repeat(3, axis=1)
    rng = np.random.default_rng(3)
    values = 0.5 + rng.normal(0, 0.1, 8)[model] + rng.uniform(-0.05, 0.05, model.shape)
    of_models = clustered_mean(values.reshape(8, -1))
    assert mean_claims(values, model)[1].se == pytest.approx(of_models.se)


def test_without_spread_there_is_no_interval_and_a_word_why() -> None:
    _, both = mean_claims(np.full((4, 2), 0.75), np.zeros((4, 2), dtype=np.int64))
    assert np.isnan([both.ci_low, both.these_ci_low, both.p]).all()
    assert both.note == "no spread: all debates say the same"


def test_a_share_of_debates_by_hand() -> None:
    """Each of eight models debates itself three times; in four all debates hold, in four none:
    models are what is counted, so the share is worth fewer than 8 debates.
    """
    model = np.repeat(np.arange(8), 3)[:, None].repeat(2, axis=1)
    holds = np.repeat([1.0, 0.0], 12)
    share, both = share_claims(holds, model)
    assert share == 0.5
    assert (both.these_ci_low, both.these_ci_high) == pytest.approx((0.291243, 0.708757), abs=1e-5)
    assert both.ci_low < 0.15
    _, all_hold = share_claims(np.ones(24), model)
    assert (all_hold.ci_low, all_hold.ci_high) == pytest.approx((0.630583, 1.0), abs=1e-5)


def test_nobody_rated_is_no_share() -> None:
    share, both = share_claims(np.array([nan, nan]), np.zeros((2, 2), dtype=np.int64))
    assert np.isnan(share)
    assert both.note == "no debate with both ratings"
