"""Make one answer of several samples: the aggregations of protocols/confidence.py.

"Can LLMs Express Their Uncertainty?", Miao Xiong et al., arXiv 2306.13063.  Of samples with answers
a_i and confidences c_i, the score of an answer a is

    consistency          how many a_i are a / samples
    average_confidence   sum of c_i over a_i = a / sum of all c_i     a share, and no mean
    top_k_average        mean probability of a over the lists of guesses that name it
    pair_rank            its probability by the order of guesses (estimators/pair_rank.py)

The answer is the one of the highest score, the first named of equals; under misleading hints it is
the answer that was given without a hint.  Answers are one by their value ("57" and "57.0").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from arena.grading.grade import canonical
from arena.private import PrivateNumber
from arena.types import STATED, Answer, Seat, Subject
from protocols import asking
from protocols.parsing.confidence import Guess

Aggregation = Literal["consistency", "average_confidence", "top_k_average", "pair_rank"]
Scores = dict[str, float | PrivateNumber]
BY_LISTS: tuple[Aggregation, ...] = ("top_k_average", "pair_rank")
PAIR_RANK = "pair rank"


def aggregate_samples(
    said: Sequence[Answer],
    question: Subject,
    solver: Seat,
    aggregation: Aggregation,
    *,
    lists: Sequence[Sequence[Guess]] = (),
    first_decides: bool = False,
    released: bool = False,
) -> Answer:
    """Return the answer of all samples.

    `lists` are the guesses of each sample by rank, for the aggregations that read them.  With
    `first_decides` the answer is that of the first sample, whatever the scores.  Without any
    confidence above 0 to weigh by, the answer is the most frequent one and has no confidence.
    """
    if aggregation in BY_LISTS:
        texts, scores = list_scores(lists, question, aggregation, released)
        source = STATED if aggregation == "top_k_average" else PAIR_RANK
    else:
        votes = asking.votes(said, question)
        weights: list[float | PrivateNumber] = [1.0] * len(said)
        if aggregation == "average_confidence":
            # A sample without a confidence weighs nothing, but its vote is still one.
            weights = [sample.confidence or 0.0 for sample in said]
        texts = {
            vote: answer.answer
            for vote, answer in reversed(list(zip(votes, said, strict=True)))
            if vote is not None and answer.answer is not None
        }
        scores = share_scores(votes, weights)
        source = asking.VOTE_SHARE
    first = said[0].answer
    best: str | None = None
    if first_decides and first is not None:
        best = canonical(first, question.choices)
        texts[best] = first
    elif not first_decides:
        # A dict keeps the order of insertion, and max takes the first of equals.
        best = max(scores, key=lambda value: scores[value]) if scores else None
    if best is not None and best in scores:
        return Answer(solver.name, texts[best], confidence=scores[best], confidence_source=source)
    # Nothing to weigh by: the most frequent answer, or the first, without a confidence.
    frequent, _ = (0, None) if first_decides else asking.winner(asking.votes(said, question))
    return asking.final_answer(solver, said, frequent, None)


def share_scores(votes: Sequence[str | None], weights: Sequence[float | PrivateNumber]) -> Scores:
    """Return the share of all weight that each value has, in the order in which they came.

    Where all weights are 0 there is no share to give.
    """
    scores: Scores = {}
    for vote, weight in zip(votes, weights, strict=True):
        if vote is not None:
            scores[vote] = scores.get(vote, 0.0) + weight
    total = sum(weights)
    if not total > 0:
        return {}
    # Sums of weights can end a bit above 1 by rounding, which no confidence may.
    return {value: min(1.0, score / total) for value, score in scores.items()}


def list_scores(
    lists: Sequence[Sequence[Guess]], question: Subject, aggregation: Aggregation, released: bool
) -> tuple[dict[str, str], Scores]:
    """Return, by value, the words of each guess and its score over all lists."""
    texts: dict[str, str] = {}
    ranked: list[list[str]] = []
    stated: dict[str, list[float]] = {}
    for guesses in lists:
        values: list[str] = []
        for guess in guesses:
            value = None if guess.answer is None else canonical(guess.answer, question.choices)
            # A guess that a list names twice stands where it came first.
            if value is None or guess.answer is None or value in values:
                continue
            values.append(value)
            texts.setdefault(value, guess.answer)
            if guess.probability is not None:
                stated.setdefault(value, []).append(guess.probability)
        if values:
            ranked.append(values)
    if not ranked:
        return {}, {}
    if aggregation == "top_k_average":
        return texts, {
            value: sum(stated[value]) / len(stated[value]) for value in texts if value in stated
        }
    # numpy is loaded by those who fit.
    from protocols.estimators.pair_rank import pair_rank, released_pair_rank

    number = {value: place for place, value in enumerate(texts)}
    coded = [[number[value] for value in values] for values in ranked]
    fit = released_pair_rank if released else pair_rank
    return texts, dict(zip(texts, fit(coded, len(texts)).tolist(), strict=True))
