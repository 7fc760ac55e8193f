"""Compute intervals by resampling whole clusters, such as debates or questions.

For metrics without a closed form.  The percentile interval of Efron and Tibshirani, An Introduction
to the Bootstrap (1993); bca.py corrects it.  Left out: studentised intervals; with few clusters
(below 20, say) the percentile interval is too narrow, and the closed forms are better: shares have
theirs in shares.py, means in clustered.py and claims.py.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import NO_SPREAD, Array, Codes, Mask, divide

Counts = NDArray[np.uint16]
# Values in memory at a time: resamples are drawn in pieces, else a thousand debates took gigabytes.
CHUNK_VALUES = 4_000_000
KEPT_VALUES = 40_000_000  # 80 MB
# A number that three clusters or fewer make is undefined in a larger share of resamples.
MOST_UNDEFINED = 0.05
# One seed for all statistics: a report is the same each time, and its statistics share their draws.
SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its interval; nan for undefined numbers."""

    mean: float
    ci_low: float
    ci_high: float


def ratio_draws(top: Array, bottom: Array, *, resamples: int = 2000) -> Array:
    """Return the ratios (draws, K) of the sums of K pairs of columns when rows are resampled.

    `top` and `bottom` are (clusters, K): how much each cluster adds above and below.  All columns
    share the rows that are drawn, the same in every call for as many clusters.  A ratio is nan if
    its sum below is 0; the result is (0, K) with fewer than 2 clusters.  Raises ValueError for
    other shapes.
    """
    if top.shape != bottom.shape or top.ndim != 2:
        raise ValueError(
            f"top and bottom must be (clusters, K), found {top.shape} and {bottom.shape}"
        )
    clusters, columns = top.shape
    if clusters < 2:
        return np.empty((0, columns))
    pieces = [np.empty((0, columns))]
    for counts in draw_counts(clusters, resamples):
        # A sum needs only how often each row is drawn, so that one product of matrices replaces
        # the gathering of rows: thousands of clusters take a fraction of a second.
        times = counts.astype(np.float64)
        pieces.append(divide(times @ top, times @ bottom))
    return np.concatenate(pieces)


def draw_counts(clusters: int, resamples: int) -> Iterable[Counts]:
    """Return how often each row is drawn, as arrays (draws, clusters) with `resamples` rows in all.

    Callers must not write into them: they may be shared.
    """
    if clusters * resamples <= KEPT_VALUES:
        return cached_draws(clusters, resamples)
    return draw(clusters, resamples, SEED)


@functools.lru_cache(maxsize=1)
def cached_draws(clusters: int, resamples: int) -> tuple[Counts, ...]:
    """Return the arrays of `draw`, kept for the next statistic of the same questions.

    To draw takes longer than to use the draws.
    """
    return tuple(draw(clusters, resamples, SEED))


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


def value_weights(code: Codes, size: int, resamples: int) -> Iterator[Array]:
    """Yield how often each of N values counts, (draws, N): once, then in each resample of clusters.

    `code` (N,) is the cluster of each value, in [0, size); with fewer than 2 clusters there is no
    resample.
    """
    yield np.ones((1, code.size))
    if size < 2:
        return
    # In pieces: two thousand draws of a hundred thousand values do not fit into memory.
    step = max(1, CHUNK_VALUES // code.size)
    for counts in draw_counts(size, resamples):
        for start in range(0, len(counts), step):
            yield counts[start : start + step, code].astype(np.float64)


def intervals(estimates: Array, draws: Array) -> list[Interval]:
    """Return the estimates (K,), each with the 95% percentile interval of its draws (draws, K).

    Draws that are nan are left out, and an interval is nan where these are more than a share of
    MOST_UNDEFINED.  It is also without width: resamples that never differ do not show how far
    others would.
    """
    limits = np.full((2, estimates.size), np.nan)
    if len(draws):
        some = mostly_defined(draws)
        limits[:, some] = np.nanquantile(draws[:, some], (0.025, 0.975), axis=0)
        limits[:, limits[1] - limits[0] <= NO_SPREAD] = np.nan
    rows = zip(estimates, *limits, strict=True)
    return [Interval(float(mean), float(low), float(high)) for mean, low, high in rows]


def mostly_defined(draws: Array) -> Mask:
    """Tell of each column of draws (draws, K) whether few enough of them are nan for an interval.

    What a number is in the resamples that have one is else what it is where a few values happened
    to be drawn: of a rank correlation, those alone that differ from all others.
    """
    found: Mask = np.isnan(draws).mean(axis=0) <= MOST_UNDEFINED
    return found


def ratio_intervals(top: Array, bottom: Array, *, resamples: int = 2000) -> list[Interval]:
    """Return K ratios of sums, as in `ratio_draws`, each with its percentile interval."""
    draws = ratio_draws(top, bottom, resamples=resamples)
    return intervals(divide(top.sum(axis=0), bottom.sum(axis=0)), draws)
