"""Ratios are resampled by whole clusters, and the bootstrap agrees with the closed form."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics import bootstrap
from analysis.statistics.agreement import alpha_interval
from analysis.statistics.bca import bca_limits
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.kappa import agreement
from analysis.statistics.rank_interval import clustered_spearman
from tests.analysis.resampling import bootstrap_interval, resampled_means


def shared_ratings(debates: int) -> Array:
    """Ratings whose sides share an effect, a tenth of them missing."""
    rng = np.random.default_rng(3)
    values = 0.7 + rng.normal(0, 0.1, (debates, 1)) + rng.normal(0, 0.05, (debates, 2))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


def test_the_closed_form_agrees_with_the_bootstrap() -> None:
    values = shared_ratings(200)
    closed = clustered_mean(values)
    assert bootstrap_interval(resampled_means, values, resamples=4000) == pytest.approx(
        (closed.ci_low, closed.ci_high), abs=0.0015
    )
    assert closed.ci_high - closed.ci_low > 0.02


def test_brier_has_an_interval_too() -> None:
    """Confidence and outcome are resampled together; the closed form of the mean squared error is
    the check.
    """
    confidence = np.clip(shared_ratings(200), 0, 1)
    outcome = np.eye(2)[np.random.default_rng(4).integers(2, size=200)]
    drawn = bootstrap_interval(lambda x, y: resampled_means(np.square(x - y)), confidence, outcome)
    closed = clustered_mean(np.square(confidence - outcome))
    assert drawn == pytest.approx((closed.ci_low, closed.ci_high), abs=0.002)


@pytest.mark.parametrize(("chunk", "kept"), [(1000, 0), (1000, 10**6), (10**6, 10**6)])
def test_ratios_are_those_of_the_rows_that_are_drawn(
    monkeypatch: pytest.MonkeyPatch, chunk: int, kept: int
) -> None:
    """Counting how often each row is drawn gives what gathering the rows gives, in pieces or at
    once, kept or drawn again.
    """
    monkeypatch.setattr(bootstrap, "CHUNK_VALUES", chunk)
    monkeypatch.setattr(bootstrap, "KEPT_VALUES", kept)
    bootstrap.cached_draws.cache_clear()
    rng = np.random.default_rng(6)
    top, bottom = rng.random((40, 2)), rng.random((40, 2)) + 1
    [one, two] = bootstrap.ratio_intervals(top, bottom, resamples=300)
    for k, found in enumerate((one, two)):
        expected = bootstrap_interval(
            lambda a, b: a.sum(axis=(1, 2)) / b.sum(axis=(1, 2)),
            top[:, [k]],
            bottom[:, [k]],
            resamples=300,
        )
        assert (found.ci_low, found.ci_high) == pytest.approx(expected)
        assert found.mean == pytest.approx(top[:, k].sum() / bottom[:, k].sum())


def test_ratios_without_anything_below_are_undefined() -> None:
    [found] = bootstrap.ratio_intervals(np.zeros((3, 1)), np.zeros((3, 1)))
    assert np.isnan([found.mean, found.ci_low, found.ci_high]).all()
    [alone] = bootstrap.ratio_intervals(np.ones((1, 1)), np.ones((1, 1)))
    assert alone.mean == 1
    assert np.isnan(alone.ci_low)
    with pytest.raises(ValueError, match="clusters, K"):
        bootstrap.ratio_draws(np.zeros((3, 1)), np.zeros((2, 1)))


@pytest.mark.parametrize("undefined", [0.0, 0.05, 0.06, 1.0])
def test_there_is_no_interval_where_many_resamples_have_no_value(undefined: float) -> None:
    draws = np.random.default_rng(7).random(1000)
    draws[: round(1000 * undefined)] = np.nan
    [found] = bootstrap.intervals(np.array([0.5]), draws[:, None])
    assert found.mean == 0.5
    assert np.isnan(found.ci_low) == np.isnan(found.ci_high) == (undefined > 0.05)
    low, _ = bca_limits(0.5, draws, draws)
    assert np.isnan(low) == (undefined > 0.05)


def test_a_number_that_one_or_two_clusters_make_has_no_interval() -> None:
    """Of all statistics that leave out resamples without a value."""
    rng = np.random.default_rng(8)
    size = 30
    lengths = np.full(size, 148.0)
    lengths[0] = 145
    sure, cluster = rng.random(size), np.arange(size)
    correlation = clustered_spearman(lengths, sure, cluster)
    same = np.zeros(size, dtype=np.int64)
    other = np.where(cluster < 2, 1, 0)
    two = agreement(other, np.where(cluster == 0, 1, 0), cluster, 2).kappa
    [ratio] = bootstrap.ratio_intervals(other[:, None] * sure[:, None], other[:, None] * 1.0)
    counts = np.stack((2 - other * (cluster == 0), other * (cluster == 0)), axis=1).astype(float)
    assert np.isfinite([correlation.mean, two.mean, ratio.mean]).all()
    ends = [correlation.ci_low, two.ci_low, ratio.ci_low, alpha_interval(counts)[0]]
    assert np.isnan(ends).all()
    assert np.isnan(agreement(same, same, cluster, 2).kappa.ci_low)
    # Of ten values that differ there is one.
    lengths[:10] = np.arange(10)
    assert np.isfinite(clustered_spearman(lengths, sure, cluster).ci_low)
