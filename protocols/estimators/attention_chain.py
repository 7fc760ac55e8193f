"""Score stored replies by UQAC: the probability of the answer over the chain that it attends to.

"Language Model Uncertainty Quantification with Attention Chain", arXiv 2503.19168.

    uqac                    the sum over variants of p(answer) p(chain), cut at 1
    uqac_answer_product,    probabilities of the answer's tokens alone
    uqac_answer_mean
    uqac_chain_product,     of the chain and the answer
    uqac_chain_mean
    uqac_kept_product,      of the ten tokens of the chain that are most like the answer, and it
    uqac_kept_mean

A local model reads the reply and measures them in one pass and one batch of variants
(agents/local/readouts/attention_chain.py, with what is kept and what is different).  In the details
stand the sum before it was cut, how long the chain was, and how many variants there were.  A model
whose attention cannot be read says so in the status.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from arena.play.episode import Episode
from arena.score import SCORED, Score, ScoreKind
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Sampling, Seat, Turn
from protocols.estimators.read_replies import NO_ANSWER, Given, given_to, read_each, scores_of

VERSION = "1"

MEASURES: Mapping[str, tuple[str, ScoreKind]] = {
    name: (name, "probability")
    for name in (
        *("uqac", "uqac_answer_product", "uqac_answer_mean", "uqac_chain_product"),
        *("uqac_chain_mean", "uqac_kept_product", "uqac_kept_mean"),
    )
}
TOLD = ("uqac_sum", "uqac_clipped", "uqac_chain_tokens", "uqac_kept_tokens", "uqac_variants")


async def attention_chain(episode: Episode, samples: StoredSamples, scorer: Seat) -> list[Score]:
    """Return UQAC and its parts for each reply, as the scorer reads it."""
    readings: list[tuple[Given, Sampling]] = []
    for reply in samples.replies:
        given = given_to(scorer, samples, reply)
        place = given.answer_place(reply)
        if given.status == SCORED and place is None:
            given = Given(status=NO_ANSWER, details=given.details)
        readings.append((given, Sampling(readouts=(f"attention_chain{place or ''}",))))
    turns = await read_each(episode, scorer, readings)
    return [
        score
        for reply, (given, _), turn in zip(samples.replies, readings, turns, strict=True)
        for score in scores_of(
            reply, given, turn, MEASURES, why_missing(turn), told(turn, reply.turn.answer)
        )
    ]


def why_missing(turn: Turn | None) -> str:
    """Return the reason that a reading gives for what it does not measure."""
    try:
        return str(orjson.loads((turn and turn.public) or "")["attention_chain"]["status"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "the scorer measured nothing"


def told(turn: Turn | None, answer: str | None) -> dict[str, object]:
    """Return what stands beside the numbers."""
    measures = (turn and turn.measures) or {}
    numbers = {name.removeprefix("uqac_"): measures[name] for name in TOLD if name in measures}
    return {"answer": answer, **numbers}
