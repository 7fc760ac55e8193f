"""Let a model think on in growing budgets, told at each boundary to look for its mistakes.

"Iterative Deepening Sampling for Large Language Models", Weizhe Chen, Sven Koenig and Bistra
Dilkina, arXiv 2502.05449.

Kept: a reply may grow to `budget` tokens, then to `growth` times as many, and so on to `limit`; at
each boundary a sentence that asks for self-correction is written into it, and it goes on; several
such samples are voted over, or the best is taken.  Different: nothing was published of whether a
reply that has ended is opened again at the next boundary (`reopen`, off); the best of n is the most
certain by its tokens (best_of_n.py), the paper's by a reward model.  Ours: the sentence, budget,
growth and limit, which are not known; a reply that has not ended at the limit is made to answer, as
in LeaP.  In the form "prefill" the reply itself goes on; in the form "turn", for models that cannot
continue one, the sentence is a turn of the user, and the phase says so.  With an empty `trigger`
the reply is only cut: in the form "prefill" a greedy one is that of a single call.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, Spoken, chat, spoken, verbatim
from arena.private import reveal
from arena.types import Answer, Sampling, Seat, Subject, Turn
from protocols import asking, best_of_n, leap, leap_wordings
from protocols.parsing.answers import answer_in_thought
from protocols.routing import PathState

VERSION = "1"

Form = Literal["prefill", "turn"]
Pick = Literal["majority", "certain"]
Count = Annotated[int, Ge(1)]

TRIGGER = (
    "\n\nWait. Let me go over what I have so far, look for mistakes in it, and correct them before"
    " I go on.\n\n"
)
TRIGGER_TURN = (
    "Go over what you have so far, look for mistakes in it, and correct them. Then go on from"
    " there. "
)
NO_TRIGGER_TURN = "Go on. "


async def iterative_deepening(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    budget: Count = 1024,
    growth: Annotated[float, Gt(1)] = 2.0,
    limit: Count = 8192,
    trigger: str | None = None,
    reopen: bool = False,
    samples: Count = 1,
    pick: Pick = "majority",
    form: Form | None = None,
    answer_tokens: Count = 256,
    opens: str = "",
    closes: str = "</think>",
) -> list[Answer]:
    """Return the answer of `samples` replies that grow to `limit` tokens each.

    The answers that a reply has come to at each boundary have its number as their stage.  `trigger`
    replaces the sentence, "" leaves it out; `reopen` goes on with replies that have ended.  `form`
    is "prefill" where the model can continue a reply, else "turn".  `pick` takes the majority, or
    the most certain, which needs token probabilities.  `opens` and `closes` are the marks of a
    thought, as in leap.
    """
    chosen: Form = form or ("prefill" if "prefill" in solver.agent.model.capabilities else "turn")
    score = best_of_n.score_for(solver.agent, None) if pick == "certain" else None
    own = solver.agent.sampling
    if score is not None:
        own = best_of_n.sampling_for(solver.agent, score, 5) or own
    steps = [
        replace(own, max_tokens=tokens) for tokens in pieces_of(boundaries(budget, growth, limit))
    ]
    seats = [solver] if samples == 1 else [Seat(f"path{i}", solver.agent) for i in range(samples)]
    if chosen == "prefill":
        words = TRIGGER if trigger is None else trigger
        last = replace(own, max_tokens=answer_tokens)
        deepen = partial(go_on, trigger=words, opens=opens, closes=closes, last=last)
    else:
        deepen = partial(go_on_by_turns, trigger=TRIGGER_TURN if trigger is None else trigger)
    replies = await asyncio.gather(
        *(deepen(episode, question, seat, steps, reopen=reopen) for seat in seats)
    )
    ends = [answers[-1] for answers, _ in replies]
    earlier = [each for answers, _ in replies for each in answers[:-1]]
    if samples == 1:
        return [*earlier, replace(ends[0], final=True)]
    if score is None:
        return [*earlier, *ends, asking.majority(solver, ends, question)]
    measured = [certainty(turns, best_of_n.MEASURES[score]) for _, turns in replies]
    best = most_certain(ends, measured)
    return [*earlier, *ends, asking.final_answer(solver, ends, best, None)]


def boundaries(budget: int, growth: float, limit: int) -> list[int]:
    """Return the numbers of tokens at which a reply is told to correct itself, then the limit."""
    found: list[int] = []
    size = float(budget)
    while round(size) < limit:
        if not found or round(size) > found[-1]:
            found.append(round(size))
        # A small growth of a small budget rounds to the same number many times, which are left out.
        steps = math.log((found[-1] + 0.5) / size) / math.log(growth)
        size *= growth ** max(1, math.floor(steps))
    return [*found, limit]


def pieces_of(ends: Sequence[int]) -> list[int]:
    """Return the tokens between boundaries."""
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


Deepened = tuple[list[Answer], list[Turn]]


async def go_on(
    episode: Episode,
    question: Subject,
    seat: Seat,
    steps: Sequence[Sampling],
    *,
    reopen: bool,
    trigger: str,
    opens: str,
    closes: str,
    last: Sampling,
) -> Deepened:
    """Return the answers at each boundary of a reply that goes on, the last one of its end."""
    task = leap.task_text(question, leap_wordings.PLAIN)
    letters = LETTERS[: len(question.choices)]
    path = PathState(0, seat, [opens] if opens else [])
    answers: list[Answer] = []
    turns: list[Turn] = []
    for number, sampling in enumerate(steps):
        if number and trigger:
            path.context.append(trigger)
        ends = replace(sampling, stop=(*sampling.stop, closes))
        turn = await episode.ask(
            seat, task, phase="think", round=number, prefill=path.context, sampling=ends
        )
        path.context.append(verbatim(turn))
        turns.append(turn)
        path.finished = turn.finish_reason != "length"
        said = answer_in_thought("".join(reveal(each.text) for each in turns), letters)
        answers.append(Answer(seat.name, said, final=False, stage=number))
        if path.finished and not reopen:
            break
    end = await leap.answer_of_path(episode, task, question, path, last, closes)
    # What it has come to at the last boundary is what it answers, or is made to answer.
    return [*answers[:-1], replace(end, stage=answers[-1].stage)], turns


async def go_on_by_turns(
    episode: Episode,
    question: Subject,
    seat: Seat,
    steps: Sequence[Sampling],
    *,
    reopen: bool,
    trigger: str,
) -> Deepened:
    """Return the answers of each turn of a conversation in which the user tells it to go on."""
    items: list[Prompt | Spoken] = [asking.question_prompt(question)]
    answers: list[Answer] = []
    turns: list[Turn] = []
    for number, sampling in enumerate(steps):
        # A turn that was cut off is read again only where no other follows.
        read = asking.reader(question, reask=number == len(steps) - 1)
        turn = await episode.ask(
            seat, chat(items), phase="turn", round=number, read=read, sampling=sampling
        )
        turns.append(turn)
        answers.append(Answer(seat.name, turn.answer, final=False, stage=number))
        if turn.finish_reason != "length" and not reopen:
            break
        # A reply may be empty, where all its tokens went into reasoning that is not shown.
        mine = verbatim(turn) if reveal(turn.text) else spoken("(nothing yet)")
        items += [mine, (trigger or NO_TRIGGER_TURN) + asking.form(question)]
    return answers, turns


def certainty(turns: Sequence[Turn], measure: str) -> float | None:
    """Return the mean of a measure over the pieces of a reply by their lengths, None without it."""
    known = [(turn.measures or {}).get(measure) for turn in turns]
    sizes = [len(turn.text) for turn in turns]
    pairs = [(value, size) for value, size in zip(known, sizes, strict=True) if value is not None]
    total = sum(size for _, size in pairs)
    return sum(value * size for value, size in pairs) / total if total else None


def most_certain(ends: Sequence[Answer], measured: Sequence[float | None]) -> int | None:
    """Return the index of the most certain answer that can be read, None without any."""
    known = [
        (value, -number)
        for number, (end, value) in enumerate(zip(ends, measured, strict=True))
        if end.answer is not None and value is not None
    ]
    return -max(known)[1] if known else None


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: two boundaries a sample, or one of three.

    A reply that has not ended takes one more call to answer.  Raises StudyError below three.
    """
    asking.check_calls(calls, 3, "iterative_deepening goes on once and answers")
    if calls < 4:
        return {"budget": 1024, "limit": 2048}
    return {"budget": 1024, "limit": 4096, "samples": calls // 4}
