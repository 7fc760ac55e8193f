"""Sort debates by how sure both of their sides are: at most 50%, up to 75%, or above.

The patterns of closing bets of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184),
whose lowest and highest levels are here too: 50% is no more than a debate allows on average, and
above 75% on both sides is the paper's headline.  There stakes are whole numbers, "51 to 75" the
middle; here it begins right above 50%.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.claims import THESE, Claims, share_claims
from analysis.statistics.clustered import Array, Codes

EDGES = (0.5, 0.75)
LEVELS = ("at most 50", "51 to 75", "above 75")
# Places in LEVELS of the two sides, alike ones first.
WITHOUT = Claims(THESE, 0, note="intervals of patterns are with the details")
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True)
class Pattern:
    """How many `debates` have sides of these two levels, in either order, and their share.

    The share is of the debates in which both sides gave a rating; nan without one.
    """

    lower: str
    higher: str
    debates: int
    share: float
    claims: Claims


def patterns(
    confidence: Array, model: Codes | None = None, *, intervals: bool = True
) -> tuple[Pattern, ...]:
    """Return the six patterns of debates (G, 2), confidence in [0, 1], nan if missing.

    Debates with a missing rating are left out.  `model` (G, 2) holds codes of models for the
    intervals, None where one model gave all the ratings; they take most of the time.
    """
    codes = np.zeros(confidence.shape, dtype=np.int64) if model is None else model
    there = ~np.isnan(confidence).any(axis=1)
    # On the right: 50% is at most 50, 75% is at most 75.
    level = np.digitize(confidence[there], EDGES, right=True)
    lower, higher = level.min(axis=1), level.max(axis=1)
    found = []
    for low, high in PAIRS:
        holds = ((lower == low) & (higher == high)).astype(np.float64)
        count = int(holds.sum())
        share = (count / holds.size if holds.size else nan, WITHOUT)
        if intervals:
            share = share_claims(holds, codes[there])
        found.append(Pattern(LEVELS[low], LEVELS[high], count, *share))
    return tuple(found)
