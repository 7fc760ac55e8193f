"""Estimate Spearman's rank correlation with an interval over clusters, such as questions.

Spearman (1904), with midranks; the percentile interval of the bootstrap (Efron and Tibshirani 1993)
over whole clusters, with ranks taken anew in every resample.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.bootstrap import Interval, intervals, value_weights
from analysis.statistics.clustered import Array, Codes, divide


def clustered_spearman(
    one: Array, other: Array, cluster: Codes, *, resamples: int = 2000
) -> Interval:
    """Return rho of values (N,), in [-1, 1], with its interval; pairs with a nan are left out.

    `cluster` (N,) holds codes of values that are resampled together.  nan if either never differs.
    Raises ValueError for other shapes.
    """
    if not one.shape == other.shape == cluster.shape or one.ndim != 1:
        raise ValueError(f"all must be (N,), found {one.shape}, {other.shape}, {cluster.shape}")
    there = ~np.isnan(one + other)
    if not there.any():
        return Interval(np.nan, np.nan, np.nan)
    first, second = one[there], other[there]
    _, code = np.unique(cluster[there], return_inverse=True)
    size = int(code.max()) + 1
    draws = np.concatenate(
        [rho(weight, first, second) for weight in value_weights(code, size, resamples)]
    )
    [found] = intervals(draws[:1], draws[1:, None])
    return found


def rho(weight: Array, one: Array, other: Array) -> Array:
    """Return (draws,) Spearman's rho of values that count `weight` (draws, N) times each."""
    total = weight.sum(axis=1)
    centred = [ranks(weight, values) - ((total + 1) / 2)[:, None] for values in (one, other)]
    products = (centred[0] * centred[1], np.square(centred[0]), np.square(centred[1]))
    both, first, second = ((weight * each).sum(axis=1) for each in products)
    return divide(both, np.sqrt(first * second))


def ranks(weight: Array, values: Array) -> Array:
    """Return (draws, N) the midranks from 1 of values that count so many times each."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    counted = np.zeros((len(weight), values.size + 1))
    np.cumsum(weight[:, order], axis=1, out=counted[:, 1:])
    below, not_above = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    found: Array = (counted[:, below] + counted[:, not_above] + 1) / 2
    return found
