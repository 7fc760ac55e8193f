"""Answer from a text and from knowledge, weighed token by token where the text confuses the model.

CK-PLUG, "Parameters vs. Context: Fine-Grained Control of Knowledge Reliance in Language Models",
Baolong Bi et al., arXiv 2503.15888.

Kept: the passage of the question as the context of one of two passes, the confidence gain, the
weights by alpha or by the entropies, the rule as stated or as released.  The engine does it
(arena/decoding.py), so that only local models can take this seat.  Ours: the words of the prompt,
and the two arms beside it, with the text alone ("context") and without it ("closed").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.decoding import CkPlug
from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Prompt, passage, passage_of
from arena.types import Answer, Seat, Subject
from protocols import asking

VERSION = "1"

Method = Literal["ck_plug", "context", "closed"]
HEADING = "Background:\n"
END = "\n\n"


async def ck_plug(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    method: Method = "ck_plug",
    alpha: Annotated[float, Ge(0), Le(1)] = 0.5,
    adaptive: bool = False,
    epsilon: float = 0.0,
    rule: Literal["stated", "released"] = "stated",
    reask: bool = True,
) -> Answer:
    """Return the answer of a solver that reads the passage of the question.

    `alpha` is 1 for its own knowledge and 0 for the passage; `adaptive` takes the weights of the
    entropies in its place.  Raises StudyError for a subject without a passage, unless closed, for a
    model that has no ways of decoding, and for an agent with a way of its own that would be
    replaced, or that lacks its context.
    """
    own = solver.agent.sampling.decoding
    if own is not None and (method == "ck_plug" or isinstance(own, CkPlug)):
        raise StudyError(
            f"{solver.agent.name} has a way of decoding of its own, {own.by}; ck_plug goes by its"
            " options alpha, adaptive, epsilon and rule: leave `decoding` out of the agent's"
            " sampling"
        )
    told: Prompt = [] if method == "closed" else [HEADING, passage(question), END]
    sampling = solver.agent.sampling
    if method == "ck_plug":
        way = CkPlug(
            HEADING + passage_of(question) + END, None if adaptive else alpha, epsilon, rule
        )
        sampling = replace(sampling, decoding=way)
    prompt = [told, asking.shown_question(question), asking.STEPS, asking.form(question)]
    read = asking.reader(question, reask)
    turn = await episode.ask(solver, prompt, phase=method, read=read, sampling=sampling)
    return Answer(solver.name, turn.answer)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: one, and one more where it is unread."""
    asking.check_calls(calls, 1, "ck_plug asks once")
    return {"reask": calls > 1}
