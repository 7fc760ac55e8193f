"""Compute intervals by resampling whole clusters, such as debates or questions.

For metrics without a closed form, and as a check on those that have one.  The percentile interval
of Efron and Tibshirani, An Introduction to the Bootstrap (1993).  Left out: BCa and studentised
intervals; with few clusters (below 20, say) the percentile interval is too narrow, and the closed
forms are better.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, divide

Counts = NDArray[np.uint16]
# Values in memory at a time: resamples are drawn in pieces, else a thousand debates took gigabytes.
CHUNK_VALUES = 4_000_000
KEPT_VALUES = 40_000_000  # 80 MB


def bootstrap_interval(
    statistic: Callable[..., Array],
    *samples: Array,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return (low, high), the percentile interval of a statistic when rows are resampled.

    Each sample is (clusters, ...), all with the same clusters.  `statistic` takes them resampled,
    (draws, clusters, ...), and returns one number per draw, (draws,); draws that give nan (say,
    without both classes) are left out of the percentiles.  One seed gives one interval.
    (nan, nan) with fewer than 2 clusters.  Raises ValueError for no samples or unequal numbers of
    clusters.
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
    pieces = []
    for start in range(0, resamples, step):
        rows = rng.integers(clusters, size=(min(step, resamples - start), clusters))
        pieces.append(statistic(*(sample[rows] for sample in samples)))
    low, high = np.nanquantile(np.concatenate(pieces), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def resampled_means(values: Array) -> Array:
    """Return the means (draws,) of values (draws, clusters, members), nan left out."""
    result: Array = np.nanmean(values, axis=(1, 2))
    return result


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its interval; nan for undefined numbers."""

    mean: float
    ci_low: float
    ci_high: float


def ratio_draws(top: Array, bottom: Array, *, resamples: int = 2000, seed: int = 0) -> Array:
    """Return the ratios (draws, K) of the sums of K pairs of columns when rows are resampled.

    `top` and `bottom` are (clusters, K): how much each cluster adds above and below.  All columns
    share the rows that are drawn, which are those of `bootstrap_interval` for the same seed.  A
    ratio is nan if its sum below is 0; the result is (0, K) with fewer than 2 clusters.  Raises
    ValueError for other shapes.
    """
    if top.shape != bottom.shape or top.ndim != 2:
        raise ValueError(
            f"top and bottom must be (clusters, K), found {top.shape} and {bottom.shape}"
        )
    clusters, columns = top.shape
    if clusters < 2:
        return np.empty((0, columns))
    pieces = [np.empty((0, columns))]
    for counts in draw_counts(clusters, resamples, seed):
        # A sum needs only how often each row is drawn, so that one product of matrices replaces
        # the gathering of rows: thousands of clusters take a fraction of a second.
        times = counts.astype(np.float64)
        pieces.append(divide(times @ top, times @ bottom))
    return np.concatenate(pieces)


def draw_counts(clusters: int, resamples: int, seed: int) -> Iterable[Counts]:
    """Return how often each row is drawn, as arrays (draws, clusters) with `resamples` rows in all.

    Callers must not write into them: they may be shared.
    """
    if clusters * resamples <= KEPT_VALUES:
        return cached_draws(clusters, resamples, seed)
    return draw(clusters, resamples, seed)


@functools.lru_cache(maxsize=1)
def cached_draws(clusters: int, resamples: int, seed: int) -> tuple[Counts, ...]:
    """Return the arrays of `draw`, kept for the next statistic of the same questions.

    To draw takes longer than to use the draws.
    """
    return tuple(draw(clusters, resamples, seed))


def draw(clusters: int, resamples: int, seed: int, *, width: int = 0) -> Iterator[Counts]:
    """Yield how often each row is drawn, (draws, clusters), in pieces that fit in memory.

    `width` is how many values a caller makes out of each draw, if more than one a cluster.
    """
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_VALUES // max(clusters, width))
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        # Row numbers of draw d are moved up by d * clusters: one bincount then counts all draws.
        rows = rng.integers(clusters, size=(draws, clusters)) + clusters * np.arange(draws)[:, None]
        counts = np.bincount(rows.ravel(), minlength=draws * clusters)
        yield counts.reshape(draws, clusters).astype(np.uint16)


def percentiles(draws: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Return (low, high), both (K,), the percentile intervals of draws (draws, K).

    Draws that are nan are left out; a column without any other is nan.
    """
    limits = np.full((2, draws.shape[1]), np.nan)
    some = ~np.isnan(draws).all(axis=0)
    if len(draws):
        limits[:, some] = np.nanquantile(draws[:, some], ((1 - level) / 2, (1 + level) / 2), axis=0)
    return limits[0], limits[1]


def intervals(estimates: Array, draws: Array, *, level: float = 0.95) -> list[Interval]:
    """Return the estimates (K,), each with the percentile interval of its draws (draws, K)."""
    rows = zip(estimates, *percentiles(draws, level=level), strict=True)
    return [Interval(float(mean), float(low), float(high)) for mean, low, high in rows]


def ratio_intervals(
    top: Array, bottom: Array, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """Return K ratios of sums, as in `ratio_draws`, each with its percentile interval."""
    draws = ratio_draws(top, bottom, resamples=resamples, seed=seed)
    return intervals(divide(top.sum(axis=0), bottom.sum(axis=0)), draws, level=level)
