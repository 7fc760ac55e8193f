"""Means and intervals when values come in clusters: the ratings of one debate hang together, so the debate is the unit, not the rating.

The closed form is the ratio estimator of survey sampling (Cochran, Sampling Techniques, 1977, chapter 6; in regression the cluster-robust
variance of Liang and Zeger, 1986): residuals are summed within a cluster before they are squared.  With G clusters the variance carries
the factor G/(G-1), and quantiles are Student's with G-1 degrees of freedom.  bootstrap.py is the cross-check.

Arrays have one row per cluster; nan marks what is not there.  Left out: two-way clusters (debate and model, debate and motion), so an
interval says how far another set of debates between the same models would differ, not another set of models.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Confidences lie in [0, 1] and are written with a few digits: a standard error below this is rounding, not spread.
NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with what is known of its error; nan where undefined.

    `n` counts values and `clusters` the rows that have any; `sd` is the sample standard deviation of the values, `se` the cluster-robust
    standard error of the mean (nan with fewer than 2 clusters), `ci_low` and `ci_high` the interval, not cut to [0, 1].  `t` and `p`
    (two-sided) test the mean against a given value; nan where there is no spread.
    """

    n: int
    clusters: int
    mean: float
    sd: float
    se: float
    ci_low: float
    ci_high: float
    t: float
    p: float


def clustered_mean(values: Array, *, against: float = 0.0, level: float = 0.95) -> MeanEstimate:
    """The mean of all values with a cluster-robust interval, and its test against `against`.

    `values` is (clusters, members) with nan for what is missing; `level` in (0, 1).  Raises ValueError for another shape or for infinities.
    """
    check_rows(values)
    there = ~np.isnan(values)
    n = int(there.sum())
    if n == 0:
        return MeanEstimate(0, 0, nan, nan, nan, nan, nan, nan, nan)
    mean = float(values[there].mean())
    sd = float(values[there].std(ddof=1)) if n > 1 else nan
    se, clusters = cluster_se((values - mean) / n)
    low, high = student_interval(mean, se, clusters, level=level)
    t, p = student_test(mean - against, se, clusters - 1)
    return MeanEstimate(n, clusters, mean, sd, se, low, high, t, p)


def cluster_se(influence: Array) -> tuple[float, int]:
    """(cluster-robust standard error, number of clusters) of an estimate, from what each value contributes to its error.

    `influence` is (clusters, members), nan for what is missing, and sums to 0; for a mean it is (value - mean) / n.
    The error is nan with fewer than 2 clusters, and 0 where it is nothing but rounding.
    """
    rows = ~np.isnan(influence).all(axis=1)
    clusters = int(rows.sum())
    if clusters < 2:
        return nan, clusters
    sums = np.nansum(influence[rows], axis=1)
    se = float(np.sqrt(clusters / (clusters - 1) * np.square(sums).sum()))
    return (se if se > NO_SPREAD else 0.0), clusters


def student_interval(
    estimate: float, se: float, clusters: int, *, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) around an estimate by Student's t with clusters - 1 degrees of freedom; nan with fewer than 2 clusters."""
    if clusters < 2:
        return nan, nan
    from scipy.special import stdtrit

    width = float(stdtrit(clusters - 1, (1 + level) / 2)) * se
    return estimate - width, estimate + width


def student_test(
    difference: float, se: float, degrees: int, *, one_sided: bool = False
) -> tuple[float, float]:
    """(t, p) of a difference from 0; one-sided asks whether it is greater.  nan where the error is 0 or undefined."""
    if not se > 0 or degrees < 1:
        return nan, nan
    from scipy.special import stdtr

    t = difference / se
    return t, float(stdtr(degrees, -t)) if one_sided else 2 * float(stdtr(degrees, -abs(t)))


def check_rows(values: Array) -> None:
    """Raise ValueError unless the array is (clusters, members) without infinities."""
    if values.ndim != 2:
        raise ValueError(
            f"values must be (clusters, members), found the shape {values.shape}; one row is one debate"
        )
    if np.isinf(values).any():
        raise ValueError("values must be finite, or nan where missing")
