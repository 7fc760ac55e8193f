"""Put an interval around an AUROC over clusters that keeps its promise near 0.5 and near 1.

As Wilson does for a share, the ends are those areas A from which the one that was found lies just
so many standard errors away, with the error that an area A would have (Newcombe 2006, method 5,
after Hanley and McNeil 1982) times the design effect: how much larger the jackknife's variance over
questions is than that of so many independent replies.

    |found - A| = c sqrt(d V(A)),  V(A) = A (1 - A) [1 + N ((1 - A)/(2 - A) + A/(1 + A))] / (m n),
    m right and n wrong replies, N = (m + n) / 2 - 1

Within questions V(A) = A (1 - A) / m, of m questions with right and wrong replies.  So an area of 1
has an interval too: without any spread the design effect is taken for the largest, as if all
replies to a question were one.  It is at least FLOOR, and within questions, each of which has
several pairs, FLOOR_WITHIN: near 1 the spread that is seen is too small.
Elsewhere no spread means that the area cannot vary, as within questions where an estimator gives
one value a question: there is no interval.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.clustered import NO_SPREAD, Array

FLOOR = 0.5
FLOOR_WITHIN = 0.15
STEPS = 60  # of bisection: more than the digits of a float


def area_limits(
    area: Array, se: Array, right: Array, wrong: Array | None, largest: Array, quantile: float
) -> tuple[Array, Array]:
    """Return (low, high), (K,) each, of K areas; nan where the area or its error is.

    `right` and `wrong` (K,) count replies; without `wrong`, `right` counts mixed questions.
    `largest` is the design effect of areas without spread, `quantile` how many errors an interval
    is wide on either side.
    """
    spread = se > NO_SPREAD
    at_end = np.isfinite(se) & ((area == 0) | (area == 1))
    found = np.where(spread | at_end, area, np.nan)
    plain = variance(found, right, wrong)
    effect = np.divide(
        np.square(se), plain, out=largest.astype(np.float64), where=spread & (plain > 0)
    )
    scale = quantile**2 * np.maximum(effect, FLOOR_WITHIN if wrong is None else FLOOR)
    low = crossing(found, np.zeros_like(found), scale, right, wrong)
    high = crossing(found, np.ones_like(found), scale, right, wrong)
    return low, high


def crossing(found: Array, end: Array, scale: Array, right: Array, wrong: Array | None) -> Array:
    """Return (K,) the area between the one found and an end at which its distance is the error."""
    # Inside, the distance is too small for the error; at the end, which has none, too large.
    inner, outer = found.copy(), end.copy()
    # An area of 1 has no error itself, and its lower end lies anywhere below: step off it.
    inner += np.where(np.abs(inner - end) < 1, np.sign(end - inner), 0) * NO_SPREAD
    for _ in range(STEPS):
        middle = (inner + outer) / 2
        far = np.square(found - middle) > scale * variance(middle, right, wrong)
        outer = np.where(far, middle, outer)
        inner = np.where(far, inner, middle)
    return np.where(np.isnan(found), np.nan, np.where(found == end, end, outer))


def variance(area: Array, right: Array, wrong: Array | None) -> Array:
    """Return (K,) the variance of the area if replies, or mixed questions, were independent."""
    plain = area * (1 - area)
    if wrong is None:
        return plain / right
    more = (right + wrong) / 2 - 1
    return plain * (1 + more * ((1 - area) / (2 - area) + area / (1 + area))) / (right * wrong)
