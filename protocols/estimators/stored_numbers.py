"""Estimators that ask nothing: they read what was stored when the reply was spoken."""

from __future__ import annotations

from arena.play.episode import Episode
from arena.private import reveal
from arena.score import Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples

VERSION = "1"


async def stated_confidence(episode: Episode, samples: StoredSamples) -> list[Score]:
    """Return the confidence that each reply states, of a probe's reply where there was one."""
    return [
        Score(reply.turn, "stated_confidence", None, "probability", why_not_stated(reply))
        if reply.confidence is None
        else Score(reply.turn, "stated_confidence", reply.confidence, "probability")
        for reply in samples.replies
    ]


def why_not_stated(reply: StoredReply) -> str:
    """Return why a reply has no confidence, in words."""
    status = reply.turn.confidence_status
    return f"no confidence: {status}" if status != "read" else "no confidence of the answer"


async def length(episode: Episode, samples: StoredSamples) -> list[Score]:
    """Return the number of characters of each reply, negated: shorter is surer.

    The control of the table: what it does as well as another estimator needs no other estimator.
    """
    return [
        Score(reply.turn, "length", -float(len(reveal(reply.turn.text))))
        for reply in samples.replies
    ]
