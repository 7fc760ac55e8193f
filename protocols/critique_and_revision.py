"""Let a critic look for flaws in a reply, and its author revise what is judged wrong.

The critic is that of CriticBench ("Critique Ability of Large Language Models", Liangchen Luo et
al., arXiv 2310.04815; critique.py): it is shown the question and a reply, goes through its steps
after examples that do so, and ends with a verdict.  What it judges wrong goes back to the author
with the critique, as in Self-Refine (arXiv 2303.17651; self_refine.py).  Ours: the two together, of
which no paper is meant; the critic may be another model, or the same as the author.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols import asking
from protocols.critique import EXAMPLES, criticise
from protocols.parsing.critiques import WRONG
from protocols.self_refine import conversation

VERSION = "1"


async def critique_and_revision(
    episode: Episode,
    question: Subject,
    solver: Seat,
    critic: Seat,
    *,
    rounds: Annotated[int, Ge(1)] = 1,
    shots: Annotated[int, Ge(0), Le(len(EXAMPLES))] = len(EXAMPLES),
    reask: bool = True,
) -> list[Answer]:
    """Return the solver's answer, revised after each critique that calls it wrong.

    The answer of reply r has the stage r.  It ends after `rounds` critiques, or with one that finds
    no fault or gives no verdict.  `shots` examples stand before the critic's task; `reask` asks
    once more where no answer or verdict can be read.
    """
    task, read = asking.question_prompt(question), asking.reader(question, reask)
    replies = [await episode.ask(solver, task, phase="answer", read=read)]
    critiques = []
    for number in range(1, rounds + 1):
        said = await criticise(episode, question, critic, replies[-1], shots, reask)
        if said.answer != WRONG:
            break
        critiques.append(said)
        prompt = conversation(episode, task, replies, critiques)
        replies.append(await episode.ask(solver, prompt, phase="revision", round=number, read=read))
    *earlier, last = replies
    return [*asking.answers(earlier), Answer(solver.name, last.answer, stage=last.round)]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: a reply, and two calls a round.

    Raises StudyError below three.
    """
    asking.check_calls(calls, 3, "critique_and_revision answers, criticises and revises")
    return {"rounds": (calls - 1) // 2}
