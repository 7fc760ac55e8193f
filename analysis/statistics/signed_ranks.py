"""Test whether values lie above a level by Wilcoxon's signed ranks.

Wilcoxon (1945); values at the level by the rules of Wilcoxon (left out) or of Pratt (1959: ranked,
then left out), which matters for stated confidences, of which many are just 50%.  It takes values
as independent, as the tests of "When Two LLMs Debate" do (arXiv 2505.19184, one-sided).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from analysis.statistics.clustered import Array

Zeros = Literal["wilcox", "pratt"]
Alternative = Literal["greater", "less", "two-sided"]
MOST_EXACT = 50
# Differences of stated percents carry rounding: 0.7 - 0.5 is not 0.5 - 0.3 to a computer.
DECIMALS = 12


@dataclass(frozen=True, slots=True)
class SignedRanks:
    """The test of `n` values, of which `zeros` are at the level.

    `above` and `below` are the sums of the ranks of values above and below the level; `p` is nan
    where all are at it.
    """

    n: int
    zeros: int
    above: float
    below: float
    p: float


def wilcoxon(
    values: Array,
    *,
    against: float = 0.5,
    zeros: Zeros = "wilcox",
    alternative: Alternative = "greater",
) -> SignedRanks:
    """Test the values (N,) against a level by signed ranks; nan is left out.

    Equal distances share their mean rank.  p is exact for up to 50 values off the level, also with
    equal distances: over all signs that the ranks could have.  Of more it is by the normal
    distribution with the variance that ties leave, uncorrected for continuity.  For a paired test
    give the differences, `against` 0.
    """
    if zeros not in ("wilcox", "pratt"):
        raise ValueError(f"zeros must be 'wilcox' or 'pratt', found {zeros!r}")
    distance = np.round(values[~np.isnan(values)] - against, DECIMALS)
    at_level = int((distance == 0).sum())
    ranked = distance[distance != 0] if zeros == "wilcox" else distance
    ranks = mean_ranks(np.abs(ranked))
    above, below = (float(ranks[side].sum()) for side in (ranked > 0, ranked < 0))
    p = p_value(ranks[ranked != 0], above, alternative)
    return SignedRanks(distance.size, at_level, above, below, p)


def mean_ranks(values: Array) -> Array:
    """Return the ranks (N,) from 1 of values (N,), equal ones sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def p_value(ranks: Array, above: float, alternative: Alternative) -> float:
    """Return p of a sum of the ranks (N,) above the level; nan without a rank."""
    if not ranks.size:
        return nan
    if ranks.size <= MOST_EXACT:
        least, most = exact_tails(ranks, above)
    else:
        from scipy.special import ndtr

        z = (above - ranks.sum() / 2) / np.sqrt(np.square(ranks).sum() / 4)
        least, most = float(ndtr(z)), float(ndtr(-z))
    if alternative == "two-sided":
        return min(1.0, 2 * min(least, most))
    return most if alternative == "greater" else least


def exact_tails(ranks: Array, above: float) -> tuple[float, float]:
    """Return the chances of at most, and of at least, a sum of ranks if every sign is a toss."""
    # Twice a mean rank is a whole number.  ways[s] counts the signs that give the sum s / 2: below
    # 2^50, so that floats count exactly.
    steps = np.round(2 * ranks).astype(np.int64)
    ways = np.zeros(int(steps.sum()) + 1)
    ways[0] = 1
    for step in steps.tolist():
        ways[step:] += ways[:-step].copy()
    at = round(2 * above)
    return float(ways[: at + 1].sum() / ways.sum()), float(ways[at:].sum() / ways.sum())
