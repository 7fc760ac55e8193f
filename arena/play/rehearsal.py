"""Rehearse a study: play each protocol once on stand-ins, and check what it returns.

What a protocol returns is looked at when an episode ends, and everything in it has been paid for by
then.  So it is played before, in a few milliseconds and with models of any kind, also before one
that takes minutes to be read into memory is opened.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import orjson

from arena.play.dry_run import StandIn, play_on_stand_ins, raise_faults
from arena.store.replay import StudyState
from arena.studies.study import Play
from arena.types import Agent

# Short replies, and an end to what goes on for as long as the models disagree.
REPLY_TOKENS = 30
MOST_TURNS = 200


async def rehearse(todo: Sequence[Play]) -> None:
    """Play one episode of each protocol, with each choice of options and seats; nothing is asked.

    Raises StudyError for a protocol that returns what it may not, or has another fault that no
    words of the models would mend.  What fails for other reasons, or is not through in the time of
    a dry run, is left to the play.
    """
    # Not each lineup and subject: what is returned may hang on who sits where, but not its type.
    plays = {
        (
            *(id(play.protocol), orjson.dumps(play.options), tuple(play.lineup)),
            *(play.subject.kind, seats_without_images(play)),
        ): play
        for play in todo
    }
    if not plays:
        return
    stand_ins: dict[str, StandIn] = {}
    # No two are equally sure: a protocol may take the surest answer as its final one.
    ratings = itertools.cycle(range(51, 100))

    def with_stand_in(agent: Agent) -> Agent:
        """Return the agent with a stand-in for its model."""
        if isinstance(agent.model, StandIn):
            return agent
        stand_in = StandIn(agent.model, REPLY_TOKENS, ratings=ratings)
        return replace(agent, model=stand_ins.setdefault(agent.model.name, stand_in))

    outcomes = await play_on_stand_ins(
        list(plays.values()), StudyState(), with_stand_in, most_turns=MOST_TURNS
    )
    raise_faults([error for error in outcomes if error is not None])


def seats_without_images(play: Play) -> tuple[str, ...] | None:
    """Return the models that take no images, seat by seat; None for a subject without any."""
    if not play.subject.images:
        return None
    models = (agent.model for agent in play.lineup.values())
    return tuple("" if "images" in model.capabilities else model.name for model in models)
