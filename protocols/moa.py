"""Let layers of proposers each read the layer before, and one aggregator answer (MoA).

"Mixture-of-Agents Enhances Large Language Model Capabilities", Junlin Wang, Jue Wang, Ben
Athiwaratkun, Ce Zhang and James Zou, arXiv 2406.04692; in the form in which LeaP (arXiv 2505.07787)
compares with it.

Kept from LeaP's code: one model in all places, 4 layers of 3 proposers of which the last is a
single aggregator, a fixed instruction (which says, as the paper's does, that different models wrote
the replies), and nothing but the replies of the layer before in the prompt.  Different: the words;
a reply that was cut off is shown as it is, while LeaP's code closes the thought and asks for 256
tokens more.  Ours: the confidence (the share of the last proposers that give the final answer).
Left out: different models as proposers.

VERSION 2 differs from 1: the instruction has no line break inside its paragraph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking

VERSION = "2"

COMBINE = """
Different models wrote these replies, and some of them may be biased or wrong. Examine them \
critically, and combine what holds into one accurate, well-ordered and complete reply of your own. \
Do not merely repeat one of them.
"""
MAX_LAYERS = 4


async def moa(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    layers: Annotated[int, Ge(2)] = MAX_LAYERS,
    width: Annotated[int, Ge(1)] = 3,
    reask: bool = True,
) -> list[Answer]:
    """Answer after `layers` - 1 layers of `width` proposers.

    The proposers' answers of layer l have the stage l, from 0.  `reask` asks once more where no
    answer can be read.
    """
    proposers = [Seat(f"proposer{i}", solver.agent) for i in range(width)]
    read = asking.reader(question, reask)
    layers_of_turns: list[list[Turn]] = []
    for layer in range(layers - 1):
        prompt = (
            combination_prompt(episode, question, layers_of_turns[-1])
            if layers_of_turns
            else asking.question_prompt(question)
        )
        # A layer is complete before the next begins: its prompt shows every reply of the layer
        # before.
        proposals = [
            episode.ask(seat, prompt, phase="proposal", round=layer, read=read)
            for seat in proposers
        ]
        layers_of_turns.append(await asyncio.gather(*proposals))
    prompt = combination_prompt(episode, question, layers_of_turns[-1])
    last = await episode.ask(solver, prompt, phase="aggregation", round=layers - 1, read=read)
    # Agreement among the last proposers alone; earlier layers were corrected by later ones.
    share = asking.agreement(last.answer, layers_of_turns[-1], question)
    final = asking.voted_answer(solver, last.answer, share)
    return [*(each for turns in layers_of_turns for each in asking.answers(turns)), final]


def combination_prompt(episode: Episode, question: Subject, before: Sequence[Turn]) -> Prompt:
    """Return the prompt of later layers: question, replies of the layer before, instruction."""
    names = [f"Model {k}" for k in range(1, len(before) + 1)]
    replies = asking.list_replies(episode, before, names)
    return [asking.shown_question(question), replies, COMBINE, asking.form(question)]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls a question.

    As many layers, up to four, as can have two proposers each.  Raises StudyError below three
    calls.
    """
    asking.check_calls(calls, 3, "moa needs two proposers and an aggregator")
    layers = min(MAX_LAYERS, 1 + (calls - 1) // 2)
    return {"layers": layers, "width": (calls - 1) // (layers - 1)}
