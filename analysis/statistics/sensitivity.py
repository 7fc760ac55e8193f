"""Do the headline numbers hang on ratings that are missing or doubtful?  The same numbers without them, and the worst that they can hide.

The headlines: mean confidence in the last phase, the rise from the first phase to it, and in what share of debates both sides are above
75%.  The bounds are Manski's (Partial Identification of Probability Distributions, 2003): a missing rating is put at 0 and at 100%,
whichever is worse, with nothing assumed of why it is missing.  Left out: intervals around the bounds, and imputation, which would put
numbers that nobody said among those that were said.

Arrays are (debates, 2 sides, phases), confidence in [0, 1], nan where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, MeanEstimate, clustered_mean
from analysis.statistics.overconfidence import BothSides, Rise, both_sides, rise

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Headlines:
    """The headline numbers over some of the ratings: `last` the mean in the last phase, `left_out` how many ratings were not taken."""

    left_out: int
    last: MeanEstimate
    rise: Rise
    both: BothSides


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the headline numbers can lie if each of `missing` ratings, of those asked for in the first and last phase, is anything.

    Pairs are (lowest, highest), nan without a rating that was asked for; `last` in [0, 1], `rise` in [-1, 1]; `both` is the share in [0, 1]
    of `debates` debates whose two sides were asked in the last phase.
    """

    missing: int
    last: tuple[float, float]
    rise: tuple[float, float]
    debates: int
    both: tuple[float, float]


def headlines(confidence: Array, kept: Mask) -> Headlines:
    """The headline numbers of those ratings (G, 2, P) where the mask is true, from the first phase to the last; P at least 1."""
    taken = np.where(kept, confidence, np.nan)
    first, last = taken[:, :, 0], taken[:, :, -1]
    left_out = int((~np.isnan(confidence) & ~kept).sum())
    return Headlines(left_out, clustered_mean(last), rise(first, last), both_sides(last))


def complete_debates(confidence: Array, asked: Mask) -> Mask:
    """(G, 2, P) true throughout debates that have every rating that they were asked for."""
    whole = ~(asked & np.isnan(confidence)).any(axis=(1, 2))
    return np.broadcast_to(whole[:, None, None], confidence.shape)


def bounds(confidence: Array, asked: Mask) -> Bounds:
    """How far the headline numbers can move if ratings that were asked for and are missing are put at 0 and at 100%.

    The mean is over all that were asked in the last phase, the rise over all that were asked in the first and the last, the share over
    debates both of whose sides were asked in the last.
    """
    lost = asked & np.isnan(confidence)
    used = lost[:, :, [0, -1]] if confidence.shape[2] > 1 else lost
    low, high = (np.where(lost, value, confidence) for value in (0.0, 1.0))
    ends = asked[:, :, 0] & asked[:, :, -1] & (confidence.shape[2] > 1)
    both = asked[:, :, -1].all(axis=1)
    sure_low, sure_high = ((block[both][:, :, -1] > 0.75).all(axis=1) for block in (low, high))
    return Bounds(
        int(used.sum()),
        (average(low[:, :, -1][asked[:, :, -1]]), average(high[:, :, -1][asked[:, :, -1]])),
        (
            average((low[:, :, -1] - high[:, :, 0])[ends]),
            average((high[:, :, -1] - low[:, :, 0])[ends]),
        ),
        int(both.sum()),
        (average(sure_low), average(sure_high)),
    )


def average(values: Array | Mask) -> float:
    """The mean of all values, nan without one."""
    return float(values.mean()) if values.size else float("nan")
