"""Estimate how sure a model is by how alike its replies to a question are, in words or meaning.

`lexical_similarity` asks nothing: the mean ROUGE-L (F measure of the longest common subsequence of
words, arXiv 2302.09664 names it as a baseline) over pairs of replies.  `text_similarity` takes the
similarity of a model of texts, a cosine or a cross-encoder's (uqlm's cosine scorer, for one), and
asks it once for all pairs.  Both give the mean over all pairs for the question, and over the pairs
of each reply.  Different from rouge_score: words are not stemmed.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from arena.play.episode import Episode
from arena.score import Score
from arena.text import normalised, words_of
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Seat
from protocols.estimators.arrays import Array
from protocols.estimators.pairs import Details
from protocols.estimators.pairs import similarity as ask_similarity
from protocols.estimators.reply_texts import TOO_FEW, TextKind, Values, compared, scores_of

VERSION = "1"


async def lexical_similarity(
    episode: Episode, samples: StoredSamples, *, text: TextKind | None = None
) -> list[Score]:
    """Return the mean ROUGE-L over all pairs of replies, and over those of each reply.

    `text` says which words are compared, as in `semantic_sets`.
    """
    chosen = compared(samples, text)
    words = [words_of(normalised(each)) for each in chosen.texts]
    values = [rouge_l(first, second) for first, second in combinations(words, 2)]
    rows = mean_rows("lexical_similarity", values, len(words))
    return scores_of(samples, chosen, rows, {"measure": "ROUGE-L"})


async def text_similarity(
    episode: Episode,
    samples: StoredSamples,
    similarity: Seat,
    *,
    text: TextKind | None = None,
    with_question: bool = False,
) -> list[Score]:
    """Return the mean similarity of all pairs of replies, and of those of each reply.

    `with_question` puts the question before both, which makes all replies more alike.
    """
    chosen = compared(samples, text)
    details: Details = {
        "similarity": similarity.agent.model.name,
        "with_question": with_question,
    }
    pairs = list(combinations(chosen.texts, 2))
    question = samples.question.text if with_question else None
    found = await ask_similarity(episode, similarity, pairs, question=question, details=details)
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        reason = f"{len(found) - len(known)} of {len(found)} similarities could not be read"
        names = ("text_similarity_mean", "text_similarity")
        return scores_of(samples, chosen, [(name, reason) for name in names], details)
    return scores_of(
        samples, chosen, mean_rows("text_similarity", known, len(chosen.texts)), details
    )


def mean_rows(name: str, values: list[float], replies: int) -> list[Values]:
    """Return the means of similarities of pairs (i, j), i < j in order: of all, and of each reply.

    A reason in place of numbers where there is no pair.
    """
    if not values:
        return [(f"{name}_mean", TOO_FEW), (name, TOO_FEW)]
    near = np.zeros((replies, replies))
    near[np.triu_indices(replies, 1)] = values
    by_reply: Array = (near + near.T).sum(axis=1) / (replies - 1)
    return [(f"{name}_mean", float(np.mean(values))), (name, by_reply.tolist())]


def rouge_l(first: list[str], second: list[str]) -> float:
    """Return the F measure of the longest common subsequence of words, in [0, 1]."""
    if not first or not second:
        return float(first == second)
    return 2 * common_length(first, second) / (len(first) + len(second))


def common_length(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence.

    Hyyro's bit-vector form (2004): a bit of `row` is a word of `first`, 0 where the length grows.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    whole = (1 << len(first)) - 1
    row = whole
    for word in second:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & whole
    return len(first) - row.bit_count()
