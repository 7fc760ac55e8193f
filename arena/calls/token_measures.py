"""What a reply measures: numbers read off its token probabilities, by name, as the table `measures` and `Turn.measures` hold them.

A model that sees its whole distributions measures itself (agents/local/measures.py): `self_certainty_mean`, `logprob_mean` and others.  Where a
server gives log probabilities alone, two numbers are read off these, and their names say that they are something else: the server may give
them after temperature and filters, and self-certainty (arXiv 2502.18581) needs the probability of every token of the vocabulary, which a
handful of alternatives does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from arena.types import Alternative, Reply

SERVED_LOGPROB = "served_logprob_mean"
TOP_K_PROXY = "served_top_k_certainty_proxy_mean"


def measures_of(reply: Reply) -> Mapping[str, float] | None:
    """The measures of a reply: its own, and what its served log probabilities tell, in nats a token; None where there is neither.

    `served_logprob_mean` is the mean log probability of the tokens; `served_top_k_certainty_proxy_mean` the mean of `divergence` over the
    tokens, only where each has two alternatives or more.
    """
    if not reply.logprobs:
        return reply.measures or None
    found = {SERVED_LOGPROB: fmean(choice.logprob for choice in reply.logprobs)}
    if all(len(choice.alternatives) > 1 for choice in reply.logprobs):
        found[TOP_K_PROXY] = fmean(divergence(choice.alternatives) for choice in reply.logprobs)
    # An infinite number, of a token that was given no probability, could not be stored as JSON.
    return {
        **{name: value for name, value in found.items() if math.isfinite(value)},
        **(reply.measures or {}),
    } or None


def divergence(alternatives: tuple[Alternative, ...]) -> float:
    """KL(U || p) in nats (>= 0) of k alternatives alone: p is their probability given that it is one of them, U is uniform over them."""
    highest = max(each.logprob for each in alternatives)
    log_total = highest + math.log(
        math.fsum(math.exp(each.logprob - highest) for each in alternatives)
    )
    return log_total - fmean(each.logprob for each in alternatives) - math.log(len(alternatives))
