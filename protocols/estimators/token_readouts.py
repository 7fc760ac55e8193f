"""Let a local model read stored replies, and score them by the probabilities of their tokens.

    read_logprob_sum, read_logprob_mean     of the whole reply, and a token
    read_perplexity                         exp(-read_logprob_mean), negated
    read_logprob_lowest_tenth               mean log probability of its least likely tenth
    read_entropy_mean                       of the whole distribution, a token, negated
    read_self_certainty                     KL(U || p) a token, arXiv 2502.18581, eq. 7
    read_self_certainty_shifted             with the shift by one token of the released script
    read_chow_quantile_A                    the A-percent quantile of log probabilities, 2404.10136
    read_answer_probability                 probability of the tokens that hold the answer

All in nats, before temperature and filters.  They are the numbers of token_numbers.py for replies
that were stored without them: of the model that answered, or of another one that reads them, as
`scorer` in the details says.  Kept: the formulas.  Different: of another model they say how likely
it finds these words, which no paper claims for the author; the answer is read where it stands last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from arena.play.episode import Episode
from arena.score import SCORED, Score, ScoreKind
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Sampling, Seat
from protocols.estimators.read_replies import NO_ANSWER, given_to, read_each, scores_of

VERSION = "1"

PERCENTS = (0, 10, 25, 50, 75, 90)
# The measure of each estimator, and what its number is.
MEASURES: Mapping[str, tuple[str, ScoreKind]] = {
    "read_logprob_sum": ("logprob_sum", "score"),
    "read_logprob_mean": ("logprob_mean", "score"),
    "read_perplexity": ("logprob_mean", "score"),
    "read_logprob_lowest_tenth": ("logprob_lowest_tenth", "score"),
    "read_entropy_mean": ("entropy_mean", "score"),
    "read_self_certainty": ("self_certainty_mean", "score"),
    "read_self_certainty_shifted": ("self_certainty_shifted_mean", "score"),
    **{
        f"read_chow_quantile_{percent}": (f"logprob_quantile_{percent}", "score")
        for percent in PERCENTS
    },
    "read_answer_probability": ("answer_logprob_sum", "probability"),
}
# More than the logarithm of the largest number that a double holds.
LARGEST_EXPONENT = 700.0


async def token_readouts(episode: Episode, samples: StoredSamples, scorer: Seat) -> list[Score]:
    """Return all numbers of the tokens of each reply, as the scorer reads it."""
    given = [given_to(scorer, samples, reply) for reply in samples.replies]
    places = [each.answer_place(reply) for each, reply in zip(given, samples.replies, strict=True)]
    readings = [
        (each, Sampling(readouts=(f"tokens{place or ''}",)))
        for each, place in zip(given, places, strict=True)
    ]
    turns = await read_each(episode, scorer, readings)
    return [
        turned(score)
        for reply, each, place, turn in zip(samples.replies, given, places, turns, strict=True)
        for score in scores_of(
            reply, each, turn, MEASURES, NO_ANSWER, {"answer": reply.turn.answer if place else None}
        )
    ]


def turned(score: Score) -> Score:
    """Return a score of a measure the right way up: the higher, the surer."""
    if score.value is None:
        return score
    value = score.value
    if score.name == "read_perplexity":
        value = -math.exp(min(-value, LARGEST_EXPONENT))
    elif score.name == "read_entropy_mean":
        value = 0.0 - value
    elif score.name == "read_answer_probability":
        value = min(1.0, math.exp(value))
    return replace(score, value=value, status=SCORED)
