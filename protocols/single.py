"""One chain of thought, one answer: what every other protocol is compared with.

"Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", Jason Wei et al., arXiv 2201.11903.

Kept: the reasoning is written out before the answer.  Different: no worked examples stand in the prompt; the model is told to think step by
step, in our own words.  Left out: the few-shot exemplars of the paper, since they would have to be made for every task.
"""

from __future__ import annotations

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols.asking import question_prompt, reader

VERSION = "1"


async def single(episode: Episode, question: Subject, solver: Seat) -> Answer:
    """The solver thinks aloud and answers, once."""
    said = await episode.ask(
        solver, question_prompt(question), phase="answer", read=reader(question)
    )
    return Answer(solver.name, said.answer)


def options_for_calls(calls: int) -> dict[str, object]:
    """The options with which at most `calls` calls a question are made: always one.  Raises StudyError for fewer than one."""
    if calls < 1:
        raise StudyError(f"single makes one call a question; {calls} are too few")
    return {}
