"""Ask the other samples: how many of them say the same, weighed in several ways.

    consistency                 how many samples give its answer / samples
    average_confidence          confidence of the samples with its answer / all confidence
    top_k_average, pair_rank    from lists of guesses (protocols/confidence_aggregation.py)
    distinct_answers            how many different answers the samples give, negated
    borda_self_certainty        weight of its answer by the ranks of self-certainty, in [0, 1]

The first four are those of arXiv 2306.13063, whose scores are of the answer of all samples; here
each reply gets the score of its own answer, so that it can be told within a question which answer
is right.  Borda is that of arXiv 2502.18581: of n samples the one of rank r, 1 the most certain,
weighs (n - r + 1)^p; one that cannot be read keeps its rank and casts no vote.  Samples that cannot
be read stay in the denominators: silence is no agreement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Ge, Le

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.private import reveal
from arena.score import SCORED, Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from protocols.confidence_aggregation import BY_LISTS, list_scores
from protocols.parsing.confidence import Guess, ranked_guesses

VERSION = "1"

NO_ANSWER = "no answer could be read"
ONE_SAMPLE = "one sample alone: there is nothing to agree with"
NO_LISTS = "no lists of guesses: the samples name one answer each"
NOT_LISTED = "no list of guesses names its answer"
# Why all weights are 0.
WITHOUT = {
    "consistency": NO_ANSWER,
    "average_confidence": "no sample states a confidence above 0",
    "borda_self_certainty": "self-certainty was not measured of all samples: it needs the whole"
    " distribution of a local model",
}
Weights = Mapping[str | None, float]


async def sample_votes(
    episode: Episode,
    samples: StoredSamples,
    *,
    power: Annotated[float, Ge(0), Le(100)] = 0.5,
) -> list[Score]:
    """Return the scores of each reply by the votes of all samples of its question.

    `power` is p of the Borda weights.
    """
    replies = samples.replies[:]
    values = [reply.canonical for reply in replies]
    alone = ONE_SAMPLE if len(replies) < 2 else None
    weighed: dict[str, Weights] = {
        "consistency": weights_of(values, [1.0] * len(replies)),
        "average_confidence": weights_of(values, [reply.confidence for reply in replies]),
        "borda_self_certainty": borda_weights(replies, power),
    }
    found: list[Score] = []
    for name, weights in weighed.items():
        total = math.fsum(weights.values())
        reason = alone or (None if total > 0 else WITHOUT[name])
        found += [score_by(name, reply, replies, weights, total, reason) for reply in replies]
    lists = lists_of(replies, samples)
    for name in BY_LISTS:
        _, scores = list_scores(lists, samples.question, name, released=False)
        shares: Weights = {value: reveal(score) for value, score in scores.items()}
        reason = None if shares else NO_LISTS
        found += [score_by(name, reply, replies, shares, 1.0, reason) for reply in replies]
    distinct = len({value for value in values if value is not None})
    reason = alone or (None if distinct else NO_ANSWER)
    number = None if reason else -float(distinct)
    return found + [
        Score(reply.turn, "distinct_answers", number, status=reason or SCORED, samples=len(replies))
        for reply in replies
    ]


def score_by(
    name: str,
    reply: StoredReply,
    replies: Sequence[StoredReply],
    weights: Weights,
    total: float,
    reason: str | None,
) -> Score:
    """Return the share of all weight that the answer of a reply has; None with a reason."""
    value = reply.canonical
    if reason is None and value is None:
        reason = NO_ANSWER
    if reason is None and value not in weights and name in BY_LISTS:
        reason = NOT_LISTED
    count = len(replies)
    if reason is not None:
        return Score(reply.turn, name, None, "probability", reason, count)
    # Sums of weights can end a bit above 1 by rounding, which no probability may.
    share = min(1.0, weights.get(value, 0.0) / total)
    return Score(reply.turn, name, share, "probability", samples=count, details={"answer": value})


def weights_of(
    values: Sequence[str | None], weights: Sequence[float | None]
) -> dict[str | None, float]:
    """Return the sum of the weights of each value; a missing weight is none."""
    sums: dict[str | None, float] = {}
    for value, weight in zip(values, weights, strict=True):
        sums[value] = sums.get(value, 0.0) + (weight or 0.0)
    return sums


def borda_weights(replies: Sequence[StoredReply], power: float) -> dict[str | None, float]:
    """Return the Borda weight of each value by self-certainty; nothing if one is not measured."""
    certain = [(reply.turn.measures or {}).get("self_certainty_mean") for reply in replies]
    known = [value for value in certain if value is not None]
    if len(known) < len(replies):
        return {}
    # The sort is stable: of equals, the first has the better rank.
    ranking = sorted(range(len(replies)), key=lambda number: -known[number])
    weights: dict[str | None, float] = {}
    for rank, number in enumerate(ranking, 1):
        value = replies[number].canonical
        if value is not None:
            # Divided by n before the power: shares are the same, and no power overflows.
            weight = ((len(replies) - rank + 1) / len(replies)) ** power
            weights[value] = weights.get(value, 0.0) + weight
    return weights


def lists_of(replies: Sequence[StoredReply], samples: StoredSamples) -> list[tuple[Guess, ...]]:
    """Return the lists of guesses of the replies that name more than one."""
    letters = LETTERS[: len(samples.question.choices)]
    lists = [ranked_guesses(reply.turn, letters) for reply in replies]
    return [guesses for guesses in lists if len(guesses) > 1]
