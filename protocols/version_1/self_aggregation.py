"""Let one more call write a new answer after many, with the prompts of version 1.

Kept for one release; protocols/self_aggregation.py has the protocol of today.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import ask_to_aggregate, sample_paths

VERSION = "1"

WRITE_ANEW = """
With these replies as context, write a new and complete solution of your own that is better than \
each of them. Take up what is useful in any of
them. Do not grade them, do not choose among them, and do not speak about them: solve the question.
"""


async def self_aggregation(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 3,
    final_temperature: Annotated[float, Ge(0)] | None = 0.0,
    shuffled: bool = True,
    reask: bool = True,
) -> list[Answer]:
    """Return a new answer of the solver, written with `paths` replies before it.

    `final_temperature` is of the last call; None leaves it to the agent's sampling, for models that
    refuse a temperature.  `shuffled` reads the paths in a random order, and `reask` asks once
    more where no answer can be read.
    """
    turns = await sample_paths(episode, question, solver, paths, reask=reask)
    return await ask_to_aggregate(
        episode,
        question,
        solver,
        turns,
        WRITE_ANEW,
        "aggregation",
        final_temperature,
        shuffled,
        reask,
    )
