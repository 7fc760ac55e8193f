"""Ratios are resampled by whole clusters, and the bootstrap agrees with the closed form."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics import bootstrap
from analysis.statistics.clustered import Array, clustered_mean
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
