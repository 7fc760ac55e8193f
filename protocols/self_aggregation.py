"""Sample many chains of thought, and let one more call write a new answer after them (GSA).

"LLMs Can Generate a Better Answer by Aggregating Their Own Responses", Zichong Li, Xinyu Feng,
Yuheng Cai, Zixuan Zhang, Tianyi Liu, Chen Liang, Weizhu Chen, Haoyu Wang and Tuo Zhao, arXiv
2503.04104 (generative self-aggregation).

Kept: the model neither judges nor picks nor corrects; it writes a whole solution of its own, from
which the answer is read.  Different: the order of the replies is shuffled by the episode's seed and
stands in the stored prompt.  Ours: the numbers of paths and temperatures, the words, and the
confidence (the share of all paths whose answer, if readable, is the final one).  Open-ended tasks
without an answer to read are in open_answer.py.  The code is self_agreement's; the instruction is
the difference.

VERSION 2 differs from 1: the instruction has no line break inside its paragraph.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import ask_to_aggregate, check_calls, sample_paths

VERSION = "2"

WRITE_ANEW = """
With these replies as context, write a new and complete solution of your own that is better than \
each of them. Take up what is useful in any of them. Do not grade them, do not choose among them, \
and do not speak about them: solve the question.
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


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question, the last included.

    Raises StudyError below three.
    """
    check_calls(calls, 3, "self_aggregation needs two paths and one more call")
    return {"paths": calls - 1}
