"""Decide debates from the readings of judges: votes, the majority, and the sum of confidences.

A reading is one judge's word on one debate in one seat order; a vote is the judge's word over all
the orders that it read.  A judge whose winner changes with the order has no winner: its vote
abstains.  Debates are coded 0 to G - 1.  Winners are 1 for the proposition, 0 for the opposition,
0.5 for an abstention or a tie, nan for no winner.  Left out: weights for judges by how well they
agree with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.clustered import Array, Codes, Mask


@dataclass(frozen=True, slots=True)
class Votes:
    """V votes, one for each debate, judge and repeat; all fields are (V,).

    `winner` is nan if a reading is missing, and 0.5 if the judge abstained or flipped; `confidence`
    in [0, 1] is the mean over its orders, nan if there is no winner or a confidence is missing.
    """

    debate: Codes
    judge: Codes
    winner: Array
    confidence: Array
    flipped: Mask


def votes(debate: Codes, judge: Codes, repeat: Codes, winner: Array, confidence: Array) -> Votes:
    """Return the votes that N readings amount to; all arguments are (N,).

    The readings of one debate by one judge in one repeat are its seat orders.
    """
    key = np.stack((debate, judge, repeat), axis=1).reshape(-1, 3)
    keys, row = np.unique(key, axis=0, return_inverse=True)
    row = row.ravel()
    count = len(keys)
    size = np.bincount(row, minlength=count)
    # A sum with nan is nan: the mean tells votes of which a reading is missing.
    mean = np.bincount(row, winner, count) / size
    low = np.full(count, np.inf)
    high = np.full(count, -np.inf)
    # Not low[row] = ..., which keeps only the last reading of a vote; fmin and fmax pass over nan.
    np.fmin.at(low, row, winner)
    np.fmax.at(high, row, winner)
    agreed = low == high
    mean_confidence = np.bincount(row, confidence, count) / size
    return Votes(
        keys[:, 0],
        keys[:, 1],
        np.where(np.isnan(mean), nan, np.where(agreed, low, 0.5)),
        np.where(agreed & (low != 0.5), mean_confidence, nan),
        (low == 0) & (high == 1),
    )


def majority(cast: Votes, debates: int) -> Array:
    """Return (G,) the winner by the number of votes, abstentions not counted.

    Equal numbers are a tie, also if nobody voted for either side; nan without a vote.
    """
    count, lead = count_and_lead(cast, debates)
    return np.where(count > 0, (np.sign(lead) + 1) / 2, nan)


def confidence_sum(cast: Votes, debates: int) -> Array:
    """Return (G,) the winner by the larger sum of confidences; equal sums are a tie.

    So the published debates are decided (arXiv 2505.19184).  nan without a vote, and if a vote for
    a side has no confidence.
    """
    count, lead = count_and_lead(cast, debates, cast.confidence)
    # Rounded, because 0.7 + 0.1 and 0.8 are a tie whatever the last bit says.
    return np.where((count > 0) & ~np.isnan(lead), (np.sign(np.round(lead, 9)) + 1) / 2, nan)


def unanimous(cast: Votes, debates: int) -> Mask:
    """Return (G,) whether there are at least two votes, and all name the same side."""
    count, lead = count_and_lead(cast, debates)
    result: Mask = (count >= 2) & (np.abs(lead) == count)
    return result


def count_and_lead(cast: Votes, debates: int, weight: Array | None = None) -> tuple[Array, Array]:
    """Return, both (G,), the votes of each debate and by how much the proposition leads.

    A vote counts 1, or its `weight` (V,); an abstention adds nothing to the lead.
    """
    there = ~np.isnan(cast.winner)
    debate = cast.debate[there]
    sign = 2 * cast.winner[there] - 1
    if weight is not None:
        # An abstention has no confidence; 0 * nan would make the debate nan.
        sign = np.where(sign == 0, 0.0, sign * weight[there])
    count = np.bincount(debate, minlength=debates).astype(np.float64)
    return count, np.bincount(debate, sign, debates).astype(np.float64)
