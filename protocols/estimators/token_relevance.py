"""Measure uncertainty with more weight for what matters: shifting attention to relevance (SAR).

Duan et al. (arXiv 2307.01379).  A token counts by how much the text changes without it, a sampled
reply by how near other replies are to it.  The similarities are those of any model of texts, such
as a cross-encoder; with g(x, y) in [0, 1]:

    tokenSAR(s) = sum_i R_i (-log p_i) / sum_i R_i        R_i = 1 - g(s, s without token i)
    E(s_j) = -log(p(s_j) + (1/t) sum over k != j of g(s_j, s_k) p(s_k))

Sentence SAR is the mean of E over the samples with p(s) the product of the tokens' probabilities,
SAR the same with exp(-tokenSAR(s)) in its place.  Since 1/t multiplies the similar replies alone,
both can be negative.  relevance.py asks for the similarities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from protocols.estimators.arrays import NO_WEIGHT, Array

TEMPERATURE = 0.001


def token_sar(logprobs: Array, similarity: Array) -> float:
    """Return the mean negative log probability of tokens weighted by relevance, in nats.

    `logprobs` (n,) are at most 0, `similarity` (n,) is that of the text without each token to the
    whole one, in [0, 1].  Where no token is relevant, all weigh the same.  Raises ValueError for
    other shapes or no tokens.
    """
    if logprobs.shape != similarity.shape or logprobs.ndim != 1 or not logprobs.size:
        raise ValueError(
            "logprobs and similarity must be (n,) of one or more tokens, found"
            f" {logprobs.shape} and {similarity.shape}"
        )
    relevance = 1 - similarity
    total = float(relevance.sum())
    if total <= NO_WEIGHT:
        return float(-logprobs.mean())
    return float(-(logprobs * relevance).sum()) / total


def sentence_energies(
    log_probability: Array, similarity: Array, *, temperature: float = TEMPERATURE
) -> Array:
    """Return E (J,) of each of J samples, in nats.

    `log_probability` (J,) are those of whole replies, `similarity` (J, J) those of pairs; its
    diagonal does not count.  Raises ValueError for other shapes.
    """
    samples = len(log_probability)
    if similarity.shape != (samples, samples) or not samples:
        raise ValueError(
            f"similarity must be (J, J) for J = {samples} samples, found {similarity.shape}"
        )
    weight = similarity / temperature
    np.fill_diagonal(weight, 1.0)
    # In logarithms: long replies have probabilities below what a float can hold.
    energy: Array = -logsumexp(log_probability[None, :], b=weight, axis=1)
    return energy


def sentence_sar(
    log_probability: Array, similarity: Array, *, temperature: float = TEMPERATURE
) -> float:
    """Return sentence SAR of J samples, in nats: the mean of their `sentence_energies`."""
    return float(sentence_energies(log_probability, similarity, temperature=temperature).mean())


def sar(
    logprobs: Sequence[Array],
    token_similarity: Sequence[Array],
    similarity: Array,
    *,
    temperature: float = TEMPERATURE,
) -> float:
    """Return SAR of J samples: sentence SAR with each reply's tokens weighted by relevance.

    `logprobs` and `token_similarity` hold an array for each sample, as in `token_sar`; `similarity`
    is (J, J).
    """
    uncertainty = [
        token_sar(each, near) for each, near in zip(logprobs, token_similarity, strict=True)
    ]
    return sentence_sar(-np.array(uncertainty), similarity, temperature=temperature)
