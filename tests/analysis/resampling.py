"""Resample in the plainest way, as a check on closed forms and on faster resampling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.statistics.clustered import Array


def bootstrap_interval(
    statistic: Callable[..., Array], *samples: Array, resamples: int = 2000
) -> tuple[float, float]:
    """Return (low, high), the 95% percentile interval of a statistic when rows are resampled.

    Each sample is (clusters, ...), all with the same clusters.  `statistic` takes them resampled,
    (draws, clusters, ...), and returns one number per draw, (draws,).
    """
    clusters = len(samples[0])
    rows = np.random.default_rng(0).integers(clusters, size=(resamples, clusters))
    draws = statistic(*(sample[rows] for sample in samples))
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return float(low), float(high)


def resampled_means(values: Array) -> Array:
    """Return the means (draws,) of values (draws, clusters, members), nan left out."""
    result: Array = np.nanmean(values, axis=(1, 2))
    return result
