"""Measure whether an estimator knows which questions are hard, and which of its replies are right.

AUROC is the share of pairs of a right and a wrong reply in which the right one has the higher
value, equal ones counting a half.  It is two numbers where questions have several replies: over
pairs of replies to different questions, and over pairs of replies to one question.  An estimator
that gives one number a question has exactly 0.5 within.

At equal length: only pairs whose replies are of about one length count, those of one tenth of the
replies by length (`length_strata`), summed over the tenths.  What is left above 0.5 is more than
that the estimator sees how long a reply is.  Within a tenth lengths still differ a little.

In a bootstrap of questions, two draws of one question are copies, and no pair of different ones.
Arguments are as in reply_order.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.clustered import Array, Codes, divide
from analysis.statistics.reply_order import counts_by_value, pairs_by_group

STRATA = 10
# Fewer replies a stratum leave few pairs in it.
PER_STRATUM = 10


@dataclass(frozen=True, slots=True)
class PairAurocs:
    """AUROC in [0, 1] of each draw, (B,), nan without such a pair: over and within questions."""

    over: Array
    within: Array


def pair_aurocs(
    values: Array, right: Array, question: Codes, weights: Array, strata: Codes | None = None
) -> PairAurocs:
    """Return both AUROCs under each of the weights (B, Q) of questions.

    With `strata` (N,), codes from 0 on, only pairs of one stratum count.
    """
    draws, questions = weights.shape
    squares = np.square(weights)
    over, within = (np.zeros((2, draws)) for _ in range(2))
    for stratum in range(1 if strata is None else int(strata.max(initial=-1)) + 1):
        chosen = slice(None) if strata is None else strata == stratum
        part = values[chosen], right[chosen], question[chosen]
        if not part[0].size:
            continue
        own = np.array(pairs_by_group(*part, questions))
        within += own @ weights.T
        # A question that was drawn twice meets its copy: four times its own pairs are none of two
        # questions.
        over += all_pairs(*part, weights) - own @ squares.T
    return PairAurocs(divide(*over), divide(*within))


def all_pairs(values: Array, right: Array, question: Codes, weights: Array) -> Array:
    """Return (2, B): pairs won, and pairs, of right and wrong replies of any questions."""
    rights, everything = counts_by_value(values, right, question, weights)
    wrongs = everything - rights
    total = wrongs.sum(axis=1)
    # From the surest on: what is not yet passed is below.
    below = total[:, None] - np.cumsum(wrongs, axis=1)
    won = np.einsum("bu,bu->b", rights, below + wrongs / 2)
    return np.stack((won, rights.sum(axis=1) * total))


def length_strata(length: Array) -> Codes:
    """Return the stratum (N,) of each reply by its length: tenths, fewer of few replies.

    Equal lengths stay together.  Raises ValueError for a length that is nan.
    """
    if np.isnan(length).any():
        raise ValueError("lengths must be known; leave out replies without one, and count them")
    strata = max(1, min(STRATA, length.size // PER_STRATUM))
    _, place, size = np.unique(length, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - size / 2
    codes: Codes = np.minimum(strata * middle / max(1, length.size), strata - 1).astype(np.int64)
    return codes[place.ravel()]
