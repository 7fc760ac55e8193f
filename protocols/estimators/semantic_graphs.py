r"""Measure how far replies to one question agree in meaning, from who entails whom.

All take `relations` (N, N, 3): the probabilities that reply i entails reply j, is neutral to it or
contradicts it.  A reply entails itself, whatever stands on the diagonal.

    semantic entropy     Kuhn et al., arXiv 2302.09664; Farquhar et al., Nature 630 (2024)
    number of sets, eigenvalues, degree, eccentricity     Lin et al., arXiv 2305.19187
    semantic density     Qiu and Miikkulainen, arXiv 2405.13845
    kernel language entropy     Nikitin et al., arXiv 2405.20003

With W the symmetric affinity of N replies (1 on its diagonal), D its row sums and L the Laplacian:

    degree(i) = D_i / N     eccentricity(i) = |v_i - mean v|, v the eigenvectors of
    L = I - D^-1/2 W D^-1/2 with eigenvalues below 0.9     eigenvalues = sum of max(0, 1 - lambda)
    density(i) = sum over j of p_j (1 - contradiction_ij - neutral_ij / 2) / sum over j of p_j
    entropy of K = -tr(R log R), R_ij = K_ij / (N sqrt(K_ii K_jj)), K of the Laplacian D - W

Different from lm-polygraph: eccentricity of a reply is the distance of its own row, as in the
authors' code, where lm-polygraph takes norms of eigenvectors (the norm over all is the same); the
heat kernel is exp(-t (D - W)), where it has exp(-t (W - D)), which no kernel of the paper is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.linalg import expm
from scipy.sparse.csgraph import connected_components
from scipy.special import entr, logsumexp

from protocols.estimators.arrays import Array, Codes, Mask

ENTAILMENT = 0
NEUTRAL = 1
CONTRADICTION = 2
EIGENVALUE_BELOW = 0.9
HEAT_TIME = 0.3
MATERN_KAPPA = 1.0
MATERN_NU = 1.0

Affinity = Literal["entailment", "no contradiction"]
Likelihoods = Literal["normalised", "monte carlo"]


def check_relations(relations: Array) -> Array:
    """Return a copy of (N, N, 3) relations in which every reply entails itself.

    Raises ValueError for other shapes or no replies.
    """
    replies = len(relations)
    if not replies or relations.shape != (replies, replies, 3):
        raise ValueError(f"relations must be (N, N, 3) of N replies, found {relations.shape}")
    own = relations.astype(float)
    own[np.arange(replies), np.arange(replies)] = (1.0, 0.0, 0.0)
    return own


def semantic_sets(relations: Array, *, strict: bool = True) -> Codes:
    """Return the set (N,) of each reply, numbered from 0 in order of appearance.

    A reply joins the first set whose first member it equals: each entails the other (`strict`), or
    neither contradicts the other and not both are neutral, the default of Farquhar et al.'s code.
    """
    labels = check_relations(relations).argmax(axis=2)
    if strict:
        one_way: Mask = labels == ENTAILMENT
        equal = one_way & one_way.T
    else:
        clash = (labels == CONTRADICTION) | (labels == CONTRADICTION).T
        equal = ~clash & ~((labels == NEUTRAL) & (labels == NEUTRAL).T)
    first: list[int] = []
    sets = np.empty(len(labels), dtype=np.int64)
    for reply in range(len(labels)):
        found = next((k for k, member in enumerate(first) if equal[member, reply]), len(first))
        if found == len(first):
            first.append(reply)
        sets[reply] = found
    return sets


def sets_by_value(values: Sequence[str]) -> Codes:
    """Return the set (N,) of each reply by equal values, numbered in order of appearance."""
    order = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([order[value] for value in values], dtype=np.int64)


def number_of_sets(relations: Array) -> int:
    """Return the number of semantic sets of Lin et al., 1 to N.

    Two replies are linked if each entails the other more than it contradicts it; the sets are the
    connected parts, so that they can be fewer than those of `semantic_sets`.
    """
    own = check_relations(relations)
    one_way = own[:, :, ENTAILMENT] > own[:, :, CONTRADICTION]
    return int(connected_components(one_way & one_way.T, directed=False)[0])


def entropy_of_counts(sets: Codes) -> float:
    """Return the discrete semantic entropy in nats, 0 to log N: that of the sets' shares."""
    return float(entr(np.bincount(sets) / len(sets)).sum())


def entropy_of_likelihoods(
    sets: Codes, log_probability: Array, *, form: Likelihoods = "normalised"
) -> float:
    """Return semantic entropy in nats from the log probabilities (N,) of whole replies.

    "normalised": the entropy of the sets' probabilities divided by their sum (Farquhar et al.);
    "monte carlo": the mean over replies of -log of the probability of their set, undivided, as
    lm-polygraph has it.  Give log probabilities a token for the length-normalised form.
    """
    total = [logsumexp(log_probability[sets == number]) for number in range(sets.max() + 1)]
    by_set = np.array(total)
    if form == "monte carlo":
        return float(-by_set[sets].mean())
    # In logarithms: whole replies have probabilities below what a float can hold.
    return float(entr(np.exp(by_set - logsumexp(by_set))).sum())


def affinity_matrix(relations: Array, kind: Affinity = "entailment") -> Array:
    """Return W (N, N), symmetric with 1 on its diagonal, in [0, 1]."""
    own = check_relations(relations)
    near: Array = own[:, :, ENTAILMENT]
    if kind == "no contradiction":
        near = 1 - own[:, :, CONTRADICTION]
    both: Array = (near + near.T) / 2
    return both


def degrees(affinity: Array) -> Array:
    """Return the mean affinity (N,) of each reply to all, itself included, in (0, 1].

    1 minus their mean is the uncertainty by the degree matrix.
    """
    mean: Array = affinity.mean(axis=1)
    return mean


def normalised_laplacian(affinity: Array) -> Array:
    """Return I - D^-1/2 W D^-1/2 (N, N)."""
    root = 1 / np.sqrt(affinity.sum(axis=1))
    laplacian: Array = np.eye(len(affinity)) - root[:, None] * affinity * root[None, :]
    return laplacian


def eigenvalue_sum(affinity: Array) -> float:
    """Return the sum of max(0, 1 - lambda), a count of meanings that need not be whole, 1 to N."""
    values = np.linalg.eigvalsh(normalised_laplacian(affinity))
    return float(np.maximum(0, 1 - values).sum())


def eccentricities(affinity: Array, *, below: float = EIGENVALUE_BELOW) -> Array:
    """Return the distance (N,) of each reply from the centre of all, >= 0.

    The norm over all replies is the uncertainty of the question.
    """
    values, vectors = np.linalg.eigh(normalised_laplacian(affinity))
    chosen = vectors[:, values < below]
    distance: Array = np.linalg.norm(chosen - chosen.mean(axis=0), axis=1)
    return distance


def densities(relations: Array, texts: Sequence[str], weight: Array | None = None) -> Array:
    """Return the semantic density (N,) of each reply, in [0, 1].

    `weight` (N,) are probabilities a token, exp of the mean log probability; 1 for all by default.
    Each text counts once, with the weight of its first reply.  The distance of two replies is
    contradiction + neutral / 2, of the reply and then the other in this order.
    """
    own = check_relations(relations)
    weights = np.ones(len(texts)) if weight is None else weight
    once = [texts.index(text) for text in dict.fromkeys(texts)]
    near = 1 - own[:, once, CONTRADICTION] - own[:, once, NEUTRAL] / 2
    # A reply has the distance 0 to its own text, wherever that came first.
    near[np.array(texts)[:, None] == np.array(texts)[once][None, :]] = 1.0
    density: Array = near @ weights[once] / weights[once].sum()
    return density


def weighted_laplacian(relations: Array) -> Array:
    """Return D - W (N, N) of kernel language entropy, with W_ij in [0, 2].

    W_ij adds both directions, each 1 where entailment is likeliest and 1/2 where neutral is.
    """
    own = np.eye(3)[check_relations(relations).argmax(axis=2)]
    one_way = own[:, :, ENTAILMENT] + own[:, :, NEUTRAL] / 2
    both = one_way + one_way.T
    laplacian: Array = np.diag(both.sum(axis=1)) - both
    return laplacian


def heat_kernel(laplacian: Array, *, time: float = HEAT_TIME) -> Array:
    """Return exp(-t L) (N, N)."""
    kernel: Array = expm(-time * laplacian)
    return kernel


def matern_kernel(laplacian: Array, *, kappa: float = MATERN_KAPPA, nu: float = MATERN_NU) -> Array:
    """Return (2 nu / kappa^2 I + L)^-nu (N, N)."""
    values, vectors = np.linalg.eigh(2 * nu / kappa**2 * np.eye(len(laplacian)) + laplacian)
    kernel: Array = (vectors * values**-nu) @ vectors.T
    return kernel


def von_neumann_entropy(kernel: Array, *, scaled: bool = True) -> float:
    """Return the entropy of a kernel of N replies with its diagonal made 1/N.

    In [0, 1] (`scaled`, divided by log N) or in nats; 0 for one reply.
    """
    replies = len(kernel)
    root = np.sqrt(np.diag(kernel))
    values = np.linalg.eigvalsh(kernel / np.outer(root, root) / replies)
    entropy = float(entr(np.clip(values, 0, 1)).sum())
    return entropy / float(np.log(replies)) if scaled and replies > 1 else entropy
