"""Intervals by resampling whole clusters (debates), for metrics without a closed form and as a check on those that have one.

The percentile interval of Efron and Tibshirani, An Introduction to the Bootstrap (1993).  Left out: BCa and studentised intervals; with
few clusters (below 20, say) the percentile interval is too narrow, and the closed forms are better.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array

Counts = NDArray[np.uint16]
CHUNK_VALUES = 4_000_000
KEPT_VALUES = 40_000_000  # 80 MB


def bootstrap_interval(
    statistic: Callable[..., Array],
    *samples: Array,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """(low, high): the percentile interval of a statistic under resampling of rows, the same interval for the same seed.

    Each sample is (clusters, ...), all with the same clusters.  `statistic` takes them resampled, (draws, clusters, ...), and gives one
    number per draw, (draws,); draws that give nan (say, without both classes) are left out of the percentiles.  (nan, nan) with fewer
    than 2 clusters.  Raises ValueError for no samples or unequal numbers of clusters.
    """
    sizes = {len(sample) for sample in samples}
    if len(sizes) != 1:
        raise ValueError(
            f"samples must have the same number of clusters, found {sorted(sizes) or 'none'}"
        )
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


def resampled_means(values: Array) -> Array:
    """The statistic "mean": (draws, clusters, members) -> (draws,), nan left out."""
    result: Array = np.nanmean(values, axis=(1, 2))
    return result


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its interval; nan where undefined."""

    mean: float
    ci_low: float
    ci_high: float


def ratio_draws(top: Array, bottom: Array, *, resamples: int = 2000, seed: int = 0) -> Array:
    """(draws, K): the ratios of sums of K pairs of columns under resampling of rows, the same rows for all, nan where a sum below is 0.

    `top` and `bottom` are (clusters, K): what each cluster adds above and below.  The rows are those that `bootstrap_interval` draws for
    the same seed; as sums need only how often each is drawn, thousands of clusters take a fraction of a second.  (0, K) with fewer than 2.
    """
    if top.shape != bottom.shape or top.ndim != 2:
        raise ValueError(
            f"top and bottom must be (clusters, K), found {top.shape} and {bottom.shape}"
        )
    clusters, columns = top.shape
    if clusters < 2:
        return np.empty((0, columns))
    found = [np.empty((0, columns))]
    for counts in draw_counts(clusters, resamples, seed):
        times = counts.astype(np.float64)
        below = times @ bottom
        found.append(
            np.divide(times @ top, below, out=np.full(below.shape, np.nan), where=below > 1e-12)
        )
    return np.concatenate(found)


def draw_counts(clusters: int, resamples: int, seed: int) -> Iterable[Counts]:
    """How often each row is drawn: (draws, clusters) arrays, to be read only, that make up `resamples` draws in all."""
    if clusters * resamples <= KEPT_VALUES:
        return cached_draws(clusters, resamples, seed)
    return draw(clusters, resamples, seed)


@functools.lru_cache(maxsize=1)
def cached_draws(clusters: int, resamples: int, seed: int) -> tuple[Counts, ...]:
    """The draws of `draw`, kept for the next statistic of the same questions: to draw takes longer than to use them."""
    return tuple(draw(clusters, resamples, seed))


def draw(clusters: int, resamples: int, seed: int) -> Iterator[Counts]:
    """How often each row is drawn, in pieces that fit in memory."""
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_VALUES // clusters)
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        rows = rng.integers(clusters, size=(draws, clusters)) + clusters * np.arange(draws)[:, None]
        yield (
            np.bincount(rows.ravel(), minlength=draws * clusters)
            .reshape(draws, clusters)
            .astype(np.uint16)
        )


def percentiles(draws: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """(low, high), each (K,), of draws (draws, K): the percentile interval, nan draws left out, nan where there are none."""
    if not len(draws):
        return np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    limits = np.full((2, draws.shape[1]), np.nan)
    some = ~np.isnan(draws).all(axis=0)
    limits[:, some] = np.nanquantile(draws[:, some], ((1 - level) / 2, (1 + level) / 2), axis=0)
    return limits[0], limits[1]


def ratio_intervals(
    top: Array, bottom: Array, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """K ratios of sums, as in `ratio_draws`, each with its percentile interval."""
    above, below = top.sum(axis=0), bottom.sum(axis=0)
    ratios = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 1e-12)
    low, high = percentiles(ratio_draws(top, bottom, resamples=resamples, seed=seed), level=level)
    return [
        Interval(*(float(value) for value in row)) for row in zip(ratios, low, high, strict=True)
    ]
