"""Read the state of a model before it answers, for a probe of whether it knows: P(IK).

"Language Models (Mostly) Know What They Know", Saurav Kadavath et al., arXiv 2207.05221, section 5:
a head on the last token of the question that predicts the share of right answers.

Kept: the place, the last token before the reply, and what is predicted, from the question alone.
Different: the head is a logistic regression that is fitted in analysis, cross-fitted by question,
on 64 random projections of the state after the last norm; the model itself is not trained.  Hence
no score has a value here: the features stand in its details.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from arena.play.episode import Episode
from arena.play.prompt import Chat
from arena.score import SCORED, Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Sampling, Seat, Turn
from protocols.estimators.read_replies import Given, given_to, read_each

VERSION = "1"

FITTED = "fitted in analysis"
READOUT = "64 projections of the state of the last token before the reply"


async def p_ik(episode: Episode, samples: StoredSamples, scorer: Seat) -> list[Score]:
    """Return a score without a value for each reply, with the features of its prompt.

    A prompt that several replies answer is read once.
    """
    own = [before_reply(scorer, samples, reply) for reply in samples.replies]
    prompts = list(dict.fromkeys(key_of(given) for given in own))
    first = [next(given for given in own if key_of(given) == key) for key in prompts]
    sampling = Sampling(readouts=("state",))
    turns = await read_each(episode, scorer, [(given, sampling) for given in first])
    found = dict(zip(prompts, map(features_of, turns), strict=True))
    return [
        score_of(reply, given, found[key_of(given)])
        for reply, given in zip(samples.replies, own, strict=True)
    ]


def before_reply(scorer: Seat, samples: StoredSamples, reply: StoredReply) -> Given:
    """Return what the scorer reads before the reply begins."""
    given = given_to(scorer, samples, reply)
    details = {name: value for name, value in given.details.items() if name != "reply"}
    return replace(given, prefill=(), text="", details=details)


def key_of(given: Given) -> object:
    """Return what tells prompts apart."""
    return given.status, given.prompt if isinstance(given.prompt, str | Chat) else None


def features_of(turn: Turn | None) -> list[float] | None:
    """Return the numbers that a reading gives, None if it gives none."""
    try:
        found = orjson.loads((turn and turn.public) or "")["state"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return [float(number) for number in found]


def score_of(reply: StoredReply, given: Given, features: list[float] | None) -> Score:
    """Return the score of a reply."""
    if features is None:
        why = given.status if given.status != SCORED else "the scorer read no state"
        return Score(reply.turn, "p_ik", None, "probability", why, details=given.details)
    details = {**given.details, "readout": READOUT, "features": features}
    return Score(reply.turn, "p_ik", None, "probability", FITTED, details=details)
