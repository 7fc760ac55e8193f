"""Sample many chains of thought, and take the answer that most of them give.

"Self-Consistency Improves Chain of Thought Reasoning in Language Models", Xuezhi Wang et al., arXiv
2203.11171.

Kept: independent paths from one prompt at the agent's temperature, and a majority of their answers.
Different: answers are counted by their value ("025" and "25" are one), equal counts go to the
answer that came first, and a path whose answer cannot be read casts no vote.  The confidence, the
share of all paths that give the answer, is the consistency of "Can LLMs Express Their Uncertainty?"
(Xiong et al.).  Left out: votes weighted by the probability of the path.  The number of paths is
ours.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import answers, check_calls, majority, sample_paths

VERSION = "1"


async def self_consistency(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 16,
    reask: bool = True,
) -> list[Answer]:
    """Return the majority of `paths` answers, with its share as confidence.

    `reask` asks a path once more where no answer can be read.
    """
    turns = await sample_paths(episode, question, solver, paths, reask=reask)
    return [*answers(turns), majority(solver, turns, question)]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question.  Raises StudyError below one."""
    check_calls(calls, 1, "self_consistency needs a path")
    return {"paths": calls}
