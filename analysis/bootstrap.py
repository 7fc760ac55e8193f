"""Intervals by resampling whole clusters (debates), for metrics without a closed form and as a check on those that have one.

The percentile interval of Efron and Tibshirani, An Introduction to the Bootstrap (1993).  Left out: BCa and studentised intervals; with
few clusters (below 20, say) the percentile interval is too narrow, and the closed forms are better.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.clusters import Array

CHUNK_VALUES = 4_000_000


def bootstrap_interval(
    statistic: Callable[..., Array], *samples: Array, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """(low, high): the percentile interval of a statistic under resampling of rows, the same interval for the same seed.

    Each sample is (clusters, ...), all with the same clusters.  `statistic` takes them resampled, (draws, clusters, ...), and gives one
    number per draw, (draws,); draws that give nan (say, without both classes) are left out of the percentiles.  (nan, nan) with fewer
    than 2 clusters.  Raises ValueError for no samples or unequal numbers of clusters.
    """
    sizes = {len(sample) for sample in samples}
    if len(sizes) != 1:
        raise ValueError(f"samples must have the same number of clusters, found {sorted(sizes) or 'none'}")
    clusters = sizes.pop()
    if clusters < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_VALUES // sum(sample.size for sample in samples))
    found = []
    for start in range(0, resamples, step):
        rows = rng.integers(clusters, size=(min(step, resamples - start), clusters))
        found.append(statistic(*(sample[rows] for sample in samples)))
    low, high = np.nanquantile(np.concatenate(found), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def means(values: Array) -> Array:
    """The statistic "mean": (draws, clusters, members) -> (draws,), nan left out."""
    result: Array = np.nanmean(values, axis=(1, 2))
    return result
