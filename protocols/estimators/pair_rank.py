"""Turn several ranked lists of guesses into the probability of each guess.

Pair-rank of Xiong et al. (arXiv 2306.13063): probabilities p over the guesses that make the order
of each pair, over all lists, as likely as possible,

    sum over u, v of R[u, v] log(p_u / (p_u + p_v))        R[u, v] = share of lists with u above v

where a guess that is on a list is above all that are not.  The confidence in the first guess is its
p.  A guess that is always first has no finite maximum; a small ridge on log p, the same in every
run, gives it one.  Different: the released code leaves the logarithm out, and stops after 1,000
steps from a random start, so that its numbers hang on the seed; `released_pair_rank` does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.estimators.arrays import Array

RIDGE = 0.01
MAX_STEPS = 100
LONGEST_STEP = 2.0
# Of the released code.
RELEASED_RATE = 0.01
RELEASED_STEPS = 1000


def preferences(lists: Sequence[Sequence[int]], guesses: int) -> Array:
    """Return R (guesses, guesses), the share of lists with one guess above the other.

    `lists` hold guesses by number from 0, the likeliest first.  Raises ValueError without a list,
    for a guess that is named twice, or one outside 0 to guesses - 1.
    """
    if not lists:
        raise ValueError("pair-rank needs at least one list of guesses, found none")
    above = np.zeros((guesses, guesses))
    for ranked in lists:
        if len(set(ranked)) < len(ranked) or not set(ranked) <= set(range(guesses)):
            raise ValueError(
                f"a list must name guesses from 0 to {guesses - 1} at most once, found"
                f" {list(ranked)}"
            )
        # The place of each guess; those that are not listed share the last.
        place = np.full(guesses, len(ranked))
        place[list(ranked)] = np.arange(len(ranked))
        above += place[:, None] < place[None, :]
    return above / len(lists)


def pair_rank(lists: Sequence[Sequence[int]], guesses: int, *, ridge: float = RIDGE) -> Array:
    """Return (guesses,) the probability of each guess; they sum to 1.

    `lists` as in `preferences`; `ridge`, above 0, is the weight of the squares of log p.  Raises
    ValueError for other values.
    """
    if not ridge > 0:
        raise ValueError(f"a ridge must be above 0, found {ridge}")
    above = preferences(lists, guesses)
    weight = above + above.T
    at = np.zeros(guesses)
    for _ in range(MAX_STEPS):
        chance = 1 / (1 + np.exp(at[None, :] - at[:, None]))
        slope = (above - weight * chance).sum(axis=1) - 2 * ridge * at
        # The curvature of Bradley and Terry's likelihood: a weighted graph's Laplacian.
        bend = weight * chance * (1 - chance)
        curvature = np.diag(bend.sum(axis=1) + 2 * ridge) - bend
        step = np.linalg.solve(curvature, slope)
        longest = float(np.abs(step).max())
        at = at + step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
        if longest < 1e-12:
            break
    share = np.exp(at - at.max())
    result: Array = share / share.sum()
    return result


def released_pair_rank(lists: Sequence[Sequence[int]], guesses: int, *, seed: int = 0) -> Array:
    """Return (guesses,) probabilities as the released code finds them; they sum to 1.

    They are softmax(w) after 1,000 steps of gradient ascent on the sum of R[u, v] p_u / (p_u +
    p_v), without a logarithm, at a rate of 0.01 from w drawn from N(0, 1) by `seed`.
    """
    above = preferences(lists, guesses)
    at = np.random.default_rng(seed).standard_normal(guesses)
    for _ in range(RELEASED_STEPS):
        chance = 1 / (1 + np.exp(at[None, :] - at[:, None]))
        at = at + RELEASED_RATE * ((above - above.T) * chance * (1 - chance)).sum(axis=1)
    share = np.exp(at - at.max())
    result: Array = share / share.sum()
    return result
