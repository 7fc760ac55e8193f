"""Decide debates from votes: the majority, and the sum of confidences.

A vote is a judge's word on one debate over all the seat orders that it read, as the view `votes`
has it; one that changed with the order abstains.  The view `outcomes` decides by all votes; the
functions here by any choice of them, such as those of judges that are no contestants.  Debates are
coded 0 to G - 1.  Winners are 1 for the proposition, 0 for the opposition, 0.5 for an abstention or
a tie, nan for no winner.  Left out: weights for judges by how well they agree with others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import nan

import numpy as np

from analysis.statistics.clustered import Array, Codes, Mask


@dataclass(frozen=True, slots=True)
class Votes:
    """V votes, one for each debate, judge and repeat; all fields are (V,).

    `winner` is nan if a reading is missing, and 0.5 if the judge abstained or flipped; `confidence`
    in [0, 1] is the mean over its orders, nan if there is no winner or a confidence is missing.
    `both_orders` says whether the judge named a side in more than one order, and `flipped` whether
    these differ.
    """

    debate: Codes
    judge: Codes
    winner: Array
    confidence: Array
    flipped: Mask
    both_orders: Mask

    def select(self, chosen: Mask) -> Votes:
        """Return the votes in a mask (V,)."""
        return Votes(*(getattr(self, field.name)[chosen] for field in fields(self)))


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
