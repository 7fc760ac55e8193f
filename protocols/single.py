"""Ask for one chain of thought and one answer; every other protocol is compared with it.

"Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", Jason Wei et al., arXiv
2201.11903.

Kept: the reasoning is written out before the answer.  Different: no worked examples stand in the
prompt; the model is told to think step by step, in our own words.  Left out: the few-shot exemplars
of the paper, since they would have to be made for every task.
"""

from __future__ import annotations

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import check_calls, question_prompt, reader

VERSION = "1"


async def single(
    episode: Episode, question: Subject, solver: Seat, *, reask: bool = True
) -> Answer:
    """Let the solver think aloud and answer, once.

    `reask` asks once more where no answer can be read.
    """
    read = reader(question, reask)
    turn = await episode.ask(solver, question_prompt(question), phase="answer", read=read)
    return Answer(solver.name, turn.answer)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls, none.  Raises StudyError below one."""
    check_calls(calls, 1, "single makes one call a question")
    return {}
