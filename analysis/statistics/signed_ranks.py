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

    Equal distances share their mean rank.  p is exact for up to 50 values without zeros and equal
    distances, else by the normal distribution with the variance that ties leave, uncorrected for
    continuity: scipy's rules.  For a paired test give the differences, `against` 0.
    """
    if zeros not in ("wilcox", "pratt"):
        raise ValueError(f"zeros must be 'wilcox' or 'pratt', found {zeros!r}")
    # Imported late: scipy.stats takes longer to import than most reports to make.
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as test

    distance = np.round(values[~np.isnan(values)] - against, DECIMALS)
    at_level = int((distance == 0).sum())
    ranked = distance[distance != 0] if zeros == "wilcox" else distance
    ranks = rankdata(np.abs(ranked))
    above, below = (float(ranks[side].sum()) for side in (ranked > 0, ranked < 0))
    p = nan
    if at_level < distance.size:
        p = float(test(distance, zero_method=zeros, alternative=alternative).pvalue)
    return SignedRanks(distance.size, at_level, above, below, p)
