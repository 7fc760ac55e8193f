"""Let one more call say which answer most agree on, with the prompts of version 1.

Kept for one release; protocols/self_agreement.py has the protocol of today.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import ask_to_aggregate, sample_paths

VERSION = "1"

AGREE = """
Find out which answer most of these replies agree on, whatever the words in which they state it, \
and give that answer. Do not solve the
question anew, and do not prefer a reply for its style or its length.
"""


async def self_agreement(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 10,
    final_temperature: Annotated[float, Ge(0)] | None = 0.0,
    shuffled: bool = True,
    reask: bool = True,
) -> list[Answer]:
    """Return the answer that most of `paths` replies agree on, as the solver itself finds.

    `final_temperature` is of the last call; None leaves it to the agent's sampling, for models that
    refuse a temperature.  `shuffled` reads the paths in a random order, and `reask` asks once
    more where no answer can be read.
    """
    turns = await sample_paths(episode, question, solver, paths, reask=reask)
    return await ask_to_aggregate(
        episode, question, solver, turns, AGREE, "agreement", final_temperature, shuffled, reask
    )
