"""Correct percentile intervals for bias and skewness: the BCa interval.

Efron, Better bootstrap confidence intervals (1987).  The ends are other percentiles of the same
resamples: moved by the share of resamples below the estimate (bias), and by how its standard error
changes with its value (acceleration), which leaving out one cluster at a time tells (jackknife).

    z = z0 + (z0 + z_alpha) / (1 - a (z0 + z_alpha))        percentile = Phi(z)

Left out: plain percentiles, which bootstrap.py has.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from analysis.statistics.bootstrap import Interval, mostly_defined, ratio_draws
from analysis.statistics.clustered import NO_SPREAD, Array, divide

NORMAL = NormalDist()


def ratio_bca_intervals(top: Array, bottom: Array, *, resamples: int = 2000) -> list[Interval]:
    """Return K ratios of sums, each with its 95% BCa interval over clusters.

    `top` and `bottom` are (clusters, K), as in `ratio_draws`.
    """
    whole_top, whole_bottom = top.sum(axis=0), bottom.sum(axis=0)
    estimates = divide(whole_top, whole_bottom)
    without = divide(whole_top - top, whole_bottom - bottom)
    draws = ratio_draws(top, bottom, resamples=resamples)
    return [
        Interval(estimate, *bca_limits(estimate, draws[:, number], without[:, number]))
        for number, estimate in enumerate(estimates.tolist())
    ]


def bca_limits(
    estimate: float, draws: Array, without: Array, *, level: float = 0.95
) -> tuple[float, float]:
    """Return (low, high) of an estimate from its resamples and its jackknife values.

    `draws` (B,) are the estimates of resamples of clusters, `without` (clusters,) those without
    each cluster; nan is left out.  nan without resamples, where too many of them are nan
    (`mostly_defined`), without spread, or where all resamples lie on one side of the estimate.
    """
    if not draws.size or not mostly_defined(draws[:, None])[0]:
        return np.nan, np.nan
    found = draws[~np.isnan(draws)]
    left = without[~np.isnan(without)]
    if np.ptp(found) <= NO_SPREAD or np.ptp(left) <= NO_SPREAD:
        return np.nan, np.nan
    # Draws that equal the estimate count half below it, as estimates of few clusters often do.
    below = float((found < estimate).mean() + (found == estimate).mean() / 2)
    if not 0 < below < 1:
        return np.nan, np.nan
    bias = NORMAL.inv_cdf(below)
    error = left.mean() - left
    acceleration = float((error**3).sum() / (6 * (error**2).sum() ** 1.5))
    shares = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + NORMAL.inv_cdf(tail)
        shares.append(NORMAL.cdf(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(found, shares).tolist()
    return low, high
