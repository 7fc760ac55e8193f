"""The BCa interval against scipy's, and where percentiles are off."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from analysis.statistics.bca import bca_limits, ratio_bca_intervals
from analysis.statistics.bootstrap import ratio_draws, ratio_intervals


def test_it_is_that_of_scipy_with_the_same_resamples() -> None:
    """A mean of skewed values, whose resamples are ours."""
    values = np.random.default_rng(3).exponential(size=25)
    draws = ratio_draws(values[:, None], np.ones((25, 1)), resamples=2000)[:, 0]
    without = (values.sum() - values) / 24
    theirs = bootstrap(
        (values,),
        np.mean,
        method="BCa",
        n_resamples=0,
        bootstrap_result=Resampled(draws),
    ).confidence_interval
    found = bca_limits(values.mean(), draws, without)
    assert found == pytest.approx((theirs.low, theirs.high), rel=1e-3)


class Resampled:
    """A result of scipy's bootstrap, of which it takes the resamples alone."""

    def __init__(self, draws: np.ndarray) -> None:
        self.bootstrap_distribution = draws


def test_a_skewed_ratio_gets_a_longer_side_where_the_skew_is() -> None:
    top = np.random.default_rng(3).exponential(size=(25, 1))
    [plain] = ratio_intervals(top, np.ones((25, 1)))
    [moved] = ratio_bca_intervals(top, np.ones((25, 1)))
    assert moved.mean == pytest.approx(plain.mean)
    assert moved.ci_low > plain.ci_low
    assert moved.ci_high > plain.ci_high


def test_without_spread_there_is_no_interval() -> None:
    [none] = ratio_bca_intervals(np.ones((5, 1)), np.ones((5, 1)))
    assert np.isnan([none.ci_low, none.ci_high]).all()
    [one] = ratio_bca_intervals(np.ones((1, 1)), np.ones((1, 1)))
    assert np.isnan([one.ci_low, one.ci_high]).all()
