"""From what judges said to who won: votes, the majority, and the sum of confidences.

A reading is one judge's word on one debate in one seat order; a vote is what it says in all the orders that it read.  A judge whose winner
changes with the order has no winner: its vote abstains.  Debates are coded 0 to G - 1.  Winners are 1 for the proposition, 0 for the
opposition, 0.5 for an abstention or a tie, nan where there is none.  Left out: weights for judges by how well they agree with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Votes:
    """V votes, one for each debate, judge and repeat: `debate`, `judge`, `winner`, `confidence` in [0, 1], and `flipped`, all (V,).

    `winner` is nan where a reading is missing, and 0.5 where the judge abstained or flipped; `confidence` is the mean over its orders, nan
    where there is no winner or a confidence is missing.
    """

    debate: Codes
    judge: Codes
    winner: Array
    confidence: Array
    flipped: NDArray[np.bool_]

    def select(self, chosen: NDArray[np.bool_]) -> Votes:
        """The votes where the mask (V,) is true."""
        return Votes(
            self.debate[chosen],
            self.judge[chosen],
            self.winner[chosen],
            self.confidence[chosen],
            self.flipped[chosen],
        )


def votes(debate: Codes, judge: Codes, repeat: Codes, winner: Array, confidence: Array) -> Votes:
    """The votes out of N readings, all arguments (N,); the readings of one debate by one judge in one repeat are its seat orders."""
    key = np.stack((debate, judge, repeat), axis=1).reshape(-1, 3)
    keys, row = np.unique(key, axis=0, return_inverse=True)
    row, count = row.ravel(), len(keys)
    size = np.bincount(row, minlength=count)
    mean, low, high = (
        np.bincount(row, winner, count) / size,
        np.full(count, np.inf),
        np.full(count, -np.inf),
    )
    np.fmin.at(low, row, winner)
    np.fmax.at(high, row, winner)
    agreed = low == high
    decided = agreed & (low != 0.5)
    sure = np.bincount(row, confidence, count) / size
    return Votes(
        keys[:, 0],
        keys[:, 1],
        np.where(np.isnan(mean), nan, np.where(agreed, low, 0.5)),
        np.where(decided, sure, nan),
        (low == 0) & (high == 1),
    )


def majority(cast: Votes, debates: int) -> Array:
    """(G,) the winner by the number of votes, abstentions not counted; equal numbers are a tie, also none for either; nan without a vote."""
    there = ~np.isnan(cast.winner)
    lead = np.bincount(cast.debate[there], 2 * cast.winner[there] - 1, debates)
    any_vote = np.bincount(cast.debate[there], minlength=debates) > 0
    return np.where(any_vote, (np.sign(lead) + 1) / 2, nan)


def confidence_sum(cast: Votes, debates: int) -> Array:
    """(G,) the winner by the larger sum of confidences, as the published debates are decided (arXiv 2505.19184); equal sums are a tie.

    nan without a vote, and where a vote for a side has no confidence.
    """
    there = ~np.isnan(cast.winner)
    sign = 2 * cast.winner[there] - 1
    lead = np.bincount(
        cast.debate[there], np.where(sign == 0, 0.0, sign * cast.confidence[there]), debates
    )
    any_vote = np.bincount(cast.debate[there], minlength=debates) > 0
    return np.where(any_vote & ~np.isnan(lead), (np.sign(np.round(lead, 9)) + 1) / 2, nan)


def unanimous(cast: Votes, debates: int) -> NDArray[np.bool_]:
    """(G,) whether there are at least two votes, and all name the same side."""
    there = ~np.isnan(cast.winner)
    count = np.bincount(cast.debate[there], minlength=debates)
    lead = np.bincount(cast.debate[there], 2 * cast.winner[there] - 1, debates)
    result: NDArray[np.bool_] = (count >= 2) & (np.abs(lead) == count)
    return result
