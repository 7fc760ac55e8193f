"""Measure how sure a model is of a claim's meaning, whatever its wording: CCP.

Claim-conditioned probability of Fadeeva et al. (arXiv 2403.04696).  At each token stand the drawn
one and its alternatives.  A model of inference (NLI) says which of these entail the drawn one,
which contradict it, and which are of another kind and do not count:

    CCP(token) = sum of p over entailing / sum of p over entailing and contradicting alternatives

A claim's is the product over its content words.  Uncertainty is 1 - CCP, or -CCP as lm-polygraph
has it.  Left out: NLI itself, and how claims are found and aligned with tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.estimators.arrays import Array, Codes, Mask

ENTAILS = 1
NEUTRAL = 0
CONTRADICTS = -1


def both_ways(forward: Codes, backward: Codes) -> Codes:
    """Return one relation of two that were judged in both directions, of one shape.

    A neutral one gives way to the other; one that entails and one that contradicts are neutral.
    """
    result: Codes = np.sign(forward + backward)
    return result


def token_ccp(logprobs: Array, relation: Codes) -> float:
    """Return the CCP of one token, in (0, 1].

    `logprobs` (K,) are those of the drawn token, which stands first, and its alternatives;
    `relation` (K,) is that of each to the drawn one: 1 entails, 0 neutral, -1 contradicts.  The
    drawn token entails itself, whatever stands there.  Raises ValueError for other arrays.
    """
    if logprobs.shape != relation.shape or logprobs.ndim != 1 or not logprobs.size:
        raise ValueError(
            "logprobs and relation must be (K,) of one or more alternatives, found"
            f" {logprobs.shape} and {relation.shape}"
        )
    if (np.abs(relation) > ENTAILS).any():
        raise ValueError("relations must be 1 (entails), 0 (neutral) or -1 (contradicts)")
    # Relative to the likeliest, so that none underflows.
    weight = np.exp(logprobs - logprobs.max())
    entails = relation == ENTAILS
    entails[0] = True
    against = (relation == CONTRADICTS) & ~entails
    return float(weight[entails].sum() / weight[entails | against].sum())


def claim_ccp(
    logprobs: Sequence[Array], relations: Sequence[Codes], content: Mask | None = None
) -> float:
    """Return the CCP of a claim of n tokens, in (0, 1]: the product over its content words.

    Both sequences hold an array for each token, as in `token_ccp`; `content` (n,) says which tokens
    count, all by default.  1 without any.
    """
    tokens = [token_ccp(each, near) for each, near in zip(logprobs, relations, strict=True)]
    chosen = np.ones(len(tokens), dtype=bool) if content is None else content
    return float(np.prod(np.array(tokens)[chosen]))
