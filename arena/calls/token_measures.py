"""Compute measures of a reply: numbers from its token probabilities, by name.

The table `measures` and `Turn.measures` hold them.  A model that sees its whole distributions
measures itself (agents/local/measures.py): `self_certainty_mean`, `logprob_mean` and others.  If a
server gives log probabilities alone, two numbers are computed from these, under names that tell
them apart: the server may apply temperature and filters first, and self-certainty (arXiv
2502.18581) needs the probability of every token of the vocabulary, not of a handful.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from arena.types import Alternative, Reply

SERVED_LOGPROB = "served_logprob_mean"
TOP_K_PROXY = "served_top_k_certainty_proxy_mean"


def measures_of(reply: Reply) -> Mapping[str, float] | None:
    """Return the measures of a reply, None if there are none.

    They are its own ones and two from served log probabilities, in nats a token:
    `served_logprob_mean` is the mean log probability of the tokens,
    `served_top_k_certainty_proxy_mean` the mean of `divergence`, computed only if every token has
    at least two alternatives.
    """
    if not reply.logprobs:
        return reply.measures or None
    served = {SERVED_LOGPROB: fmean(choice.logprob for choice in reply.logprobs)}
    if all(len(choice.alternatives) > 1 for choice in reply.logprobs):
        served[TOP_K_PROXY] = fmean(divergence(choice.alternatives) for choice in reply.logprobs)
    # An infinite number, of a token that was given no probability, could not be stored as JSON.
    return {
        **{name: value for name, value in served.items() if math.isfinite(value)},
        **(reply.measures or {}),
    } or None


def divergence(alternatives: tuple[Alternative, ...]) -> float:
    """Return KL(U || p) in nats (>= 0) of the k alternatives alone.

    p is their probability given that it is one of them, U is uniform over them.
    """
    logprobs = [alternative.logprob for alternative in alternatives]
    # Shifted by the highest, so that exp() of very unlikely tokens does not underflow to log(0).
    highest = max(logprobs)
    log_total = highest + math.log(math.fsum(math.exp(value - highest) for value in logprobs))
    return log_total - fmean(logprobs) - math.log(len(logprobs))
