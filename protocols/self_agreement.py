"""Sample many chains of thought, and let one more call say which answer most agree on.

"Just Ask One More Time! Self-Agreement Improves Reasoning of Language Models in (Almost) All
Scenarios", arXiv 2311.08154.

Kept: the paths are sampled from one prompt, one further call reads all of them whole, and the final
answer is read from that call alone, so that no path need be readable.  Different: the order in
which the paths are read is shuffled by the episode's seed, since order is a bias, and stands in the
stored prompt.  Ours: the number of paths, the words, the greedy last call as an option, and the
confidence (the share of all paths whose answer, if readable, is the final one).  Left out: few-shot
exemplars.

VERSION 2 differs from 1: the instruction has no line break inside its paragraph.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import ask_to_aggregate, check_calls, sample_paths

VERSION = "2"

AGREE = """
Find out which answer most of these replies agree on, whatever the words in which they state it, \
and give that answer. Do not solve the question anew, and do not prefer a reply for its style or \
its length.
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


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question, the last included.

    Raises StudyError below three.
    """
    check_calls(calls, 3, "self_agreement needs two paths and one more call")
    return {"paths": calls - 1}
