"""Ask how far the headline numbers depend on ratings that are missing or doubtful.

The same numbers without them, and the worst that they can hide.  The headlines are mean confidence
in the last phase, the rise from the first phase to it, and the share of debates in which both sides
are above 75%.  The bounds are Manski's (Partial Identification of Probability Distributions, 2003):
a missing rating is put at 0 and at 100%, whichever is worse, and nothing is assumed about why it is
missing.  Left out: intervals around the bounds, and imputation, which would put numbers that nobody
said among those that were said.

Arrays are (debates, 2 sides, phases), confidence in [0, 1], nan if missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.claims import mean_claims
from analysis.statistics.clustered import Array, Codes, Mask, MeanEstimate
from analysis.statistics.overconfidence import (
    BothSides,
    Rise,
    both_above,
    both_sides,
    rise,
)


@dataclass(frozen=True, slots=True)
class Headlines:
    """The headline numbers over some of the ratings.

    `left_out` counts the ratings that were not taken, `last` is the mean in the last phase.
    """

    left_out: int
    last: MeanEstimate
    rise: Rise
    both: BothSides


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and highest of the headline numbers if each missing rating can be anything.

    `missing` counts ratings that were asked for in the first and last phase and are missing.  nan
    without a rating that was asked for; the last phase's mean in [0, 1], the rise in [-1, 1]; both
    above 75% is the share in [0, 1] of `debates` debates whose two sides were asked in the last
    phase.
    """

    missing: int
    debates: int
    last_low: float
    last_high: float
    rise_low: float
    rise_high: float
    both_above_75_low: float
    both_above_75_high: float


def headlines(confidence: Array, kept: Mask, model: Codes | None = None) -> Headlines:
    """Estimate the headline numbers from the ratings (G, 2, P) for which the mask is true.

    The rise is from the first phase to the last; P is at least 1.  `model` (G, 2) holds codes of
    models, None where one model gave all the ratings.
    """
    taken = np.where(kept, confidence, np.nan)
    first = taken[:, :, 0]
    last = taken[:, :, -1]
    left_out = int((~np.isnan(confidence) & ~kept).sum())
    mean, _ = mean_claims(last, model)
    return Headlines(left_out, mean, rise(first, last, model), both_sides(last))


def complete_debates(confidence: Array, asked: Mask) -> Mask:
    """Return (G, 2, P), true throughout debates that have every rating that they were asked for."""
    lost: Mask = asked & np.isnan(confidence)
    return np.broadcast_to(~lost.any(axis=(1, 2), keepdims=True), confidence.shape)


def bounds(confidence: Array, asked: Mask) -> Bounds:
    """Return the range of the headline numbers, with missing ratings at 0 and at 100%.

    `confidence` and `asked` are (G, 2, P).  The mean is over all ratings that were asked for in the
    last phase, the rise over all debaters that were asked in the first and the last, the share over
    debates both of whose sides were asked in the last.
    """
    lost = asked & np.isnan(confidence)
    several = confidence.shape[2] > 1
    used = lost[:, :, [0, -1]] if several else lost
    low, high = (np.where(lost, value, confidence) for value in (0.0, 1.0))
    low_last, high_last = low[:, :, -1], high[:, :, -1]
    asked_last = asked[:, :, -1]
    ends = asked[:, :, 0] & asked_last & several
    both = asked_last.all(axis=1)
    sure_low, sure_high = (both_above(last[both]) for last in (low_last, high_last))
    # The smallest rise starts high and ends low, and the other way round.
    return Bounds(
        int(used.sum()),
        int(both.sum()),
        average(low_last[asked_last]),
        average(high_last[asked_last]),
        average((low_last - high[:, :, 0])[ends]),
        average((high_last - low[:, :, 0])[ends]),
        average(sure_low),
        average(sure_high),
    )


def average(values: Array | Mask) -> float:
    """Return the mean of all values, nan without any."""
    return float(values.mean()) if values.size else float("nan")
