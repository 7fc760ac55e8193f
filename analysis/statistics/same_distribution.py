"""Test whether replies to the same prompts, or their ratings, come from one distribution.

"Model Equality Testing: Which Model Is This API Serving?", Irena Gao, Percy Liang and Carlos
Guestrin, arXiv 2410.20247: the maximum mean discrepancy of two samples (Gretton et al., 2012, JMLR
13:723), with p by permutation within each prompt.  Under equality labels within a prompt may be
exchanged, so that p holds for any kernel and any number of replies.

The paper's kernel compares replies to one prompt alone, at the same characters, and needs about ten
replies of either sample to a prompt.  A study has mostly one stored reply to a prompt, with which
that statistic is the same however labels are exchanged.  So replies to all prompts are compared:

- spectrum: the frequencies of three characters in a row (Leslie et al., 2002), over all prompts,
- the same within prompts alone, which tells where prompts were asked several times,
- surprise: how likely each character is after the two, or four, before it, by all replies of both
  samples.  A higher temperature, or rounded weights, make unlikely ones more frequent, whatever the
  words; the kernel is that of the energy distance.

The statistic is the largest of the four, each in standard deviations of its permutations (Schrab et
al., 2023, JMLR 24:194), so that one p speaks for all.  Ratings in [0, 1] are compared by the energy
distance (Székely and Rizzo, 2004); that none could be read is as far from any as 0 from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, Codes

Hashes = NDArray[np.uint64]
Gram = Array
PERMUTATIONS = 999
# Characters of a reply that are compared: what differs later has differed before.
LONGEST = 2000
SPECTRUM = 3
ORDERS = (3, 5)
BUCKETS = 4096
# Where a change of the model is simulated: words that are replaced, and simulated rechecks.
NOISE = 0.1
SIMULATIONS = 60
POWER_PERMUTATIONS = 199
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
BASE = np.uint64(1_000_003)
BEGINNING, END = np.uint64(2), np.uint64(3)


def permutation_test(
    kernels: Sequence[Gram],
    prompts: Codes,
    is_new: NDArray[np.bool_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 1,
) -> float:
    """Return p in (0, 1] of the largest discrepancy, over kernels, of old and new replies.

    `kernels` are (n, n) similarities of replies, `prompts` and `is_new` (n,).  Replies to a prompt
    that only one sample has are left out; nan if no prompt is left.
    """
    counts, news = np.bincount(prompts), np.bincount(prompts, weights=is_new)
    keep = ((news > 0) & (news < counts))[prompts]
    if not keep.any():
        return float("nan")
    prompts, is_new = prompts[keep], is_new[keep]
    weights = permuted_weights(prompts, is_new, permutations, np.random.default_rng(seed))
    largest = np.full(permutations + 1, -np.inf)
    for kernel in kernels:
        # Of all permutations at once: a'Ka is the squared distance of the samples' means.
        values = np.einsum("bi,bi->b", weights @ kernel[np.ix_(keep, keep)], weights)
        spread = values.std()
        # With one reply of each kind to a prompt, a kernel within prompts is constant.
        if spread > 1e-9 * max(np.abs(values).max(), 1e-12):
            largest = np.maximum(largest, (values - values.mean()) / spread)
    if np.isneginf(largest).all():
        return 1.0
    return float((largest >= largest[0] - 1e-9).mean())


def permuted_weights(
    prompts: Codes, is_new: NDArray[np.bool_], permutations: int, rng: np.random.Generator
) -> Array:
    """Return (permutations + 1, n) weights whose sums over replies are differences of means.

    The first row has the labels as they are, the others exchange them within prompts.  A prompt
    weighs by the harmonic mean of its counts, as far as it tells of a difference.
    """
    n = len(prompts)
    labels = np.empty((permutations + 1, n), dtype=bool)
    labels[0] = is_new
    in_order = is_new[np.argsort(prompts, kind="stable")]
    # Sorted by prompt, and by chance within it.
    shuffled = np.argsort(prompts + rng.random((permutations, n)), axis=1)
    np.put_along_axis(labels[1:], shuffled, in_order[None, :], axis=1)
    counts = np.bincount(prompts)
    new = np.bincount(prompts, weights=is_new)
    old = counts - new
    share = np.divide(old * new, counts, out=np.zeros(len(counts)), where=counts > 0)
    share /= share.sum()
    per_new = np.divide(share, new, out=np.zeros_like(share), where=new > 0)[prompts]
    per_old = np.divide(share, old, out=np.zeros_like(share), where=old > 0)[prompts]
    weights: Array = np.where(labels, per_new, -per_old)
    return weights


def reply_kernels(replies: Sequence[str], prompts: Codes) -> list[Gram]:
    """Return the four kernels of replies, (n, n) each, as the module's text lists them."""
    spectra = spectrum(replies)
    alike = spectra @ spectra.T
    surprises = [-np.abs(value[:, None] - value) for value in map_surprise(replies)]
    return [alike, alike * (prompts[:, None] == prompts), *surprises]


def rating_kernel(ratings: Array) -> Gram:
    """Return the kernel of the energy distance, (n, n), of ratings in [0, 1]; nan: none read."""
    missing = np.isnan(ratings)
    distance = np.abs(ratings[:, None] - ratings)
    either = missing[:, None] | missing
    kernel: Gram = -np.where(either, missing[:, None] != missing, distance)
    return kernel


def spectrum(replies: Sequence[str]) -> Array:
    """Return (n, runs) frequencies of the runs of SPECTRUM characters, each row of length 1.

    Roots of the counts, so that a run which is everywhere does not outweigh the others.  Runs share
    BUCKETS columns by their hashes, of which those that no reply has are left out.
    """
    counts = np.zeros((len(replies), BUCKETS))
    for row, reply in zip(counts, replies, strict=True):
        runs = runs_of(characters(reply), SPECTRUM) % np.uint64(BUCKETS)
        row += np.bincount(runs.astype(np.int64), minlength=BUCKETS)
    roots = np.sqrt(counts[:, counts.any(axis=0)])
    lengths = np.linalg.norm(roots, axis=1, keepdims=True)
    frequencies: Array = np.divide(roots, lengths, out=roots, where=lengths > 0)
    return frequencies


def map_surprise(replies: Sequence[str]) -> list[Array]:
    """Return the mean surprise of each reply's characters in nats, (n,), for each of ORDERS."""
    texts = [characters(reply) for reply in replies]
    return [surprise(texts, order) for order in ORDERS]


def surprise(texts: Sequence[Hashes], order: int) -> Array:
    """Return -log of how often a character follows the order - 1 before it, on average by text."""
    begun = np.full(order - 1, BEGINNING, dtype=np.uint64)
    ends = np.array([END], dtype=np.uint64)
    whole = [np.concatenate([begun, text, ends]) for text in texts]
    after = occurrences([runs_of(text, order) for text in whole])
    before = occurrences([runs_of(text[:-1], order - 1) for text in whole])
    lengths = np.array([len(text) + 1 for text in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    means: Array = np.add.reduceat(np.log(before / after), starts) / lengths
    return means


def occurrences(parts: Sequence[Hashes]) -> Array:
    """Return how often each item of all parts, put one behind the other, is in them."""
    _, which, counts = np.unique(np.concatenate(parts), return_inverse=True, return_counts=True)
    found: Array = counts[which].astype(np.float64)
    return found


def characters(reply: str) -> Hashes:
    """Return the first LONGEST characters of a reply as numbers."""
    return np.frombuffer(reply[:LONGEST].encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(
        np.uint64
    )


def runs_of(text: Hashes, length: int) -> Hashes:
    """Return a hash of each run of `length` characters of a text."""
    runs = max(len(text) - length + 1, 0)
    hashes = np.zeros(runs, dtype=np.uint64)
    for place in range(length):
        hashes = (hashes * BASE) ^ (text[place : place + runs] * MULTIPLIER)
    return (hashes * MULTIPLIER) >> np.uint64(16)


def power(
    replies: Sequence[str],
    prompts: Codes,
    is_new: NDArray[np.bool_],
    *,
    alpha: float = 0.05,
    noise: float = NOISE,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> float:
    """Return how often the test at level `alpha` would find a model that confuses words.

    In simulated rechecks the new replies are replies of either sample in which a share `noise` of
    the words stands for another word of the replies; prompts are drawn with replacement.
    """
    rng = np.random.default_rng(seed)
    n = len(replies)
    both = [*replies, *confuse(replies, noise, rng)]
    kernels = reply_kernels(both, np.concatenate([prompts, prompts]))
    members = [np.flatnonzero(prompts == prompt) for prompt in np.unique(prompts)]
    # Prompts of one sample alone tell nothing.
    members = [some for some in members if 0 < is_new[some].sum() < len(some)]
    if not members:
        return 0.0
    found = 0
    for simulation in range(simulations):
        drawn = [members[one] for one in rng.integers(len(members), size=len(members))]
        rows = np.concatenate(drawn)
        again = np.repeat(np.arange(len(drawn)), [len(some) for some in drawn])
        label = np.concatenate([rng.permutation(is_new[some]) for some in drawn])
        chosen = rows + n * label
        own = [kernel[np.ix_(chosen, chosen)] for kernel in kernels]
        # A prompt that was drawn twice is two prompts.
        own[1] = own[0] * (again[:, None] == again)
        p = permutation_test(
            own, again, label, permutations=POWER_PERMUTATIONS, seed=seed + simulation
        )
        found += p <= alpha
    return found / simulations


def confuse(replies: Sequence[str], noise: float, rng: np.random.Generator) -> list[str]:
    """Return replies in which a share of the words is replaced by words of all replies."""
    parts = [re.split(r"(\s+)", reply[:LONGEST]) for reply in replies]
    words = [word for some in parts for word in some[::2] if word]
    if not words:
        return list(replies)

    def confused(some: list[str]) -> str:
        """Return the words and spaces of one reply, some words replaced."""
        wrong = rng.random(len(some)) < noise
        return "".join(
            words[rng.integers(len(words))] if is_wrong and part and place % 2 == 0 else part
            for place, (part, is_wrong) in enumerate(zip(some, wrong, strict=True))
        )

    return [confused(some) for some in parts]
