"""Estimate means and their intervals from values that come in clusters.

The ratings of one debate depend on each other, so that the debate is the unit and not the rating.
The closed form is the ratio estimator of survey sampling (Cochran, Sampling Techniques, 1977,
chapter 6); in regression it is the cluster-robust variance of Liang and Zeger (1986).  With values
y of mean m, n in all, in G clusters:

    se^2 = G / (G - 1) * sum over clusters of (sum over the cluster's values of (y - m) / n)^2

Quantiles are Student's with G - 1 degrees of freedom.  bootstrap.py is the cross-check.

Arrays have one row per cluster; nan marks a missing value.  An interval over debates says nothing
of other models: claims.py has two-way clusters of debate and model.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
# Confidences lie in [0, 1] and are written with a few digits: a standard error below this is
# rounding, not spread.  A sum of weights below it is 0, missed by rounding.
NO_SPREAD = 1e-12
# What values can be, so that an interval does not promise what cannot be.
ANY = (-inf, inf)
SHARE = (0.0, 1.0)
CHANGE = (-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with its standard error, interval and test; nan for undefined numbers.

    `n` counts values and `clusters` the rows that have any.  `sd` is the sample standard deviation
    of the values, `se` the cluster-robust standard error of the mean (nan with fewer than 2
    clusters), `ci_low` and `ci_high` the interval.  `t` and `p` (two-sided) test the mean against a
    value that the caller chose.  Interval and test are nan without spread.
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


def clustered_mean(
    values: Array,
    *,
    against: float = 0.0,
    level: float = 0.95,
    within: tuple[float, float] = ANY,
) -> MeanEstimate:
    """Estimate the mean of all values, with a cluster-robust interval and a test.

    `values` is (clusters, members), nan for missing ones; the test is against `against`, the
    interval of `level` in (0, 1) and cut to the range `within` that is possible.  Raises ValueError
    for another shape or for infinities.
    """
    check_rows(values)
    _, n, mean, sd = moments(values)
    if n == 0:
        return MeanEstimate(0, 0, nan, nan, nan, nan, nan, nan, nan)
    se, clusters = cluster_se((values - mean) / n)
    low, high = student_interval(mean, se, clusters, level=level, within=within)
    t, p = student_test(mean - against, se, clusters - 1)
    return MeanEstimate(n, clusters, mean, sd, se, low, high, t, p)


def moments(values: Array) -> tuple[Mask, int, float, float]:
    """Return (which values there are, their number, mean and standard deviation), else nan."""
    there = ~np.isnan(values)
    found = values[there]
    n = found.size
    mean = float(found.mean()) if n else nan
    # Not by a product of vectors, for which numpy wakes threads that wait for each other.
    squares = float(np.square(found - mean).sum())
    return there, n, mean, sqrt(squares / (n - 1)) if n > 1 else nan


def cluster_se(influence: Array) -> tuple[float, int]:
    """Return (cluster-robust standard error, number of clusters) of an estimate.

    `influence` (clusters, members) says how much each value contributes to the estimate's error,
    nan for missing values, and sums to 0; for a mean it is (value - mean) / n.  The error is nan
    with fewer than 2 clusters, and 0 if it is nothing but rounding.
    """
    there = ~np.isnan(influence)
    clusters = int((row_sums(there.astype(np.float64)) > 0).sum())
    if clusters < 2:
        return nan, clusters
    # Sum before squaring: values of one cluster that err in the same direction add up.
    sums = row_sums(np.where(there, influence, 0.0))
    se = float(np.sqrt(clusters / (clusters - 1) * np.square(sums).sum()))
    return (se if se > NO_SPREAD else 0.0), clusters


def student_interval(
    estimate: float,
    se: float,
    clusters: int,
    *,
    level: float = 0.95,
    within: tuple[float, float] = ANY,
) -> tuple[float, float]:
    """Return (low, high) around an estimate by Student's t with clusters - 1 degrees of freedom.

    Both are cut to `within`, and nan with fewer than 2 clusters or without an error: clusters that
    are all alike do not show how far others would differ.
    """
    if clusters < 2 or not se > 0:
        return nan, nan
    # Imported late: a program that only counts need not wait for scipy.
    from scipy.special import stdtrit

    width = float(stdtrit(clusters - 1, (1 + level) / 2)) * se
    return max(estimate - width, within[0]), min(estimate + width, within[1])


def student_test(
    difference: float, se: float, degrees: int, *, one_sided: bool = False
) -> tuple[float, float]:
    """Return (t, p) of a difference from 0; one-sided tests whether it is greater than 0.

    Both are nan if the error is 0 or undefined, or without degrees of freedom.
    """
    if not se > 0 or degrees < 1:
        return nan, nan
    from scipy.special import stdtr

    t = difference / se
    return t, float(stdtr(degrees, -t)) if one_sided else 2 * float(stdtr(degrees, -abs(t)))


def divide(
    top: NDArray[np.number], bottom: NDArray[np.number], *, above: float = NO_SPREAD
) -> Array:
    """Return top / bottom, both of one shape; nan unless the bottom is above `above`."""
    # With `where` numpy neither computes nor warns about the others; they keep the nan of `out`.
    result: Array = np.divide(top, bottom, out=np.full(np.shape(bottom), nan), where=bottom > above)
    return result


def sums_by_code(values: Array, code: Codes, size: int) -> tuple[Array, Array]:
    """Return (sums, counts), both (size, K), of the values (N, K) with each code, nan left out.

    `code` (N,) lies in [0, size).
    """
    there = ~np.isnan(values)
    shape = values.shape[1], size
    sums, counts = (
        np.reshape([np.bincount(code, column, size) for column in columns.T], shape)
        for columns in (np.where(there, values, 0), there)
    )
    return sums.T, counts.T


def row_sums(values: Array) -> Array:
    """Return (N,) the sums of the rows (N, K); of short rows in a tenth of the time of `sum`."""
    sums: Array = np.einsum("nk->n", values)
    return sums


def check_rows(values: Array) -> None:
    """Raise ValueError unless the array is (clusters, members) without infinities."""
    if values.ndim != 2:
        raise ValueError(
            f"values must be (clusters, members), found the shape {values.shape};"
            " one row is one debate"
        )
    if np.isinf(values).any():
        raise ValueError("values must be finite, or nan where missing")
