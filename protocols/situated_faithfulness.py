"""Let a model weigh what it knows against a text that it is given, or against what a peer says.

"Enhancing Large Language Models' Situated Faithfulness to External Contexts", Yukun Huang,
Sanxing Chen, Hongyi Cai and Bhuwan Dhingra, arXiv 2410.14675.

Kept: the answer without a text ("closed"), with it ("direct"), and two ways to decide between
both.  SCR, by the model itself: "implicit", in one prompt with its own answer and the text;
"explicit", where it first reasons about how far each is to be trusted.  RCR, by a rule: its own
answer if it is surer of that than of the answer that the text gives, by more than `threshold`; sure
by the mean log probability of its tokens ("token"), by a confidence that it states ("stated"), or
by the share of `samples` that agree ("sampled").  Different: an answer without a confidence cannot
win by the rule.  Ours: the words, and that the threshold is tuned on stored answers without another
call (analysis/reports/contexts.py).  Left out: CR-DPO, which trains weights.

`situated_faithfulness` shows the passage of the subject; in weigh_peer.py the reply of a peer takes
its place.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.calls.token_measures import SERVED_LOGPROB
from arena.errors import ProtocolError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, passage
from arena.private import PrivateNumber
from arena.types import STATED, Answer, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.parsing.confidence import answer_and_confidence
from protocols.thinking_out_loud import FORM as CONFIDENCE_FORM

VERSION = "1"

Method = Literal["closed", "direct", "implicit", "explicit", "token", "stated", "sampled"]
Signal = Literal["token", "stated", "sampled"]
SIGNALS: tuple[Signal, ...] = ("token", "stated", "sampled")
SOURCES: dict[Signal, str] = {
    "token": "probability",
    "stated": STATED,
    "sampled": asking.VOTE_SHARE,
}

TEXT = "\nHere is a text about it. It may be right or wrong:\n\n"
SAID = "\nYour own answer, given without it, was \\boxed{{{answer}}}.\n"
SAID_NOTHING = "\nWithout it you gave no answer that could be read.\n"
IMPLICIT = (
    "Weigh what you know against what you are told, and say which answer is right, without an"
    " explanation.\n"
)
EXPLICIT = (
    "First say how sure you are of your own answer, and why: what do you know, and from where? Then"
    " say how far what you are told is to be trusted: does it fit what you know, and is it likely?"
    " Then decide which answer is right; if you are surer of your own, keep it.\n"
)
ALONE = "\nGive your answer alone.\n"
STEPS = "\nThink step by step, and show your reasoning.\n"


@dataclass(frozen=True, slots=True)
class Side:
    """An answer and how sure the model is of it: its own, or that with a text."""

    answers: tuple[Answer, ...]
    answer: str | None
    confidence: float | PrivateNumber | None


async def situated_faithfulness(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    method: Method = "explicit",
    samples: Annotated[int, Ge(1)] = 5,
    threshold: Annotated[float, Ge(-1), Le(1)] = 0.0,
    reask: bool = True,
) -> list[Answer]:
    """Return the answer of a solver that may be told otherwise by the passage of the subject.

    Own answers (seat "alone") and those with the text ("reader") have the stage 0, decisions the
    stage 1.  `threshold` is of the rules alone, `samples` of "sampled".  `reask` asks once more
    where nothing can be read.  Raises StudyError for a subject without a passage, unless closed,
    and ProtocolError for "token" with a model that gives no log probabilities.
    """
    context: Prompt = [] if method == "closed" else [TEXT, passage(question), "\n"]
    return await weigh(episode, question, solver, context, method, samples, threshold, reask)


async def weigh(
    episode: Episode,
    question: Subject,
    solver: Seat,
    context: Prompt,
    method: Method,
    samples: int,
    threshold: float,
    reask: bool,
) -> list[Answer]:
    """Return all answers of a solver that is told something, the final one last."""
    if method in ("closed", "direct"):
        told = [] if method == "closed" else context
        prompt = [asking.shown_question(question), told, STEPS, asking.form(question)]
        read = asking.reader(question, reask)
        turn = await episode.ask(solver, prompt, phase=method, read=read)
        return [Answer(solver.name, turn.answer)]
    if method in ("implicit", "explicit"):
        return await weigh_itself(episode, question, solver, context, method, reask)
    signal: Signal = next(each for each in SIGNALS if each == method)
    if signal == "token" and "logprobs" not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"{solver.agent.model.name} gives no log probabilities, by which method='token' tells"
            " how sure it is; use 'stated' or 'sampled'"
        )
    sides = [("alone", []), ("reader", context)]
    asks = (
        side(episode, question, Seat(name, solver.agent), told, signal, samples, reask)
        for name, told in sides
    )
    own, other = await asyncio.gather(*asks)
    chosen = by_rule(own, other, threshold)
    answer = Answer(
        solver.name,
        chosen.answer if chosen else None,
        confidence=chosen.confidence if chosen else None,
        stage=1,
        confidence_source=SOURCES[signal] if chosen else None,
    )
    return [*own.answers, *other.answers, answer]


async def weigh_itself(
    episode: Episode,
    question: Subject,
    solver: Seat,
    context: Prompt,
    method: Literal["implicit", "explicit"],
    reask: bool,
) -> list[Answer]:
    """Let the solver answer alone, and decide between that and what it is told (SCR)."""
    alone = Seat("alone", solver.agent)
    read = asking.reader(question, reask)
    own = await episode.ask(alone, asking.question_prompt(question), phase="alone", read=read)
    said = SAID_NOTHING
    if own.answer is not None:
        said = SAID.format(answer=asking.in_box(own.answer))
    how = IMPLICIT if method == "implicit" else EXPLICIT
    prompt = [asking.shown_question(question), context, said, how, asking.form(question)]
    turn = await episode.ask(solver, prompt, phase=method, round=1, read=read)
    return [*asking.answers([own]), Answer(solver.name, turn.answer, stage=1)]


async def side(
    episode: Episode,
    question: Subject,
    seat: Seat,
    context: Prompt,
    signal: Signal,
    samples: int,
    reask: bool,
) -> Side:
    """Return an answer with what is told in `context`, nothing if it is empty, and how sure it is.

    Several samples have seats of their own, and the answer that most give is that of `seat`.
    """
    shown = [asking.shown_question(question), context]
    ask = partial(episode.ask, phase=signal, read=asking.reader(question, reask))
    if signal == "sampled":
        seats = [Seat(f"{seat.name}{number}", seat.agent) for number in range(samples)]
        prompt = [*shown, STEPS, asking.form(question)]
        turns = await asyncio.gather(*(ask(each, prompt) for each in seats))
        # Each sample with the share that agrees with it, so that the record has all that the rule
        # goes by.
        given = tuple(
            replace(
                asking.voted_answer(
                    each, turn.answer, asking.agreement(turn.answer, turns, question)
                ),
                final=False,
            )
            for each, turn in zip(seats, turns, strict=True)
        )
        vote = asking.majority(seat, turns, question)
        return Side(given, vote.answer, vote.confidence)
    if signal == "stated":
        letters = LETTERS[: len(question.choices)]
        answer = "the letter of the option that you choose," if letters else "your answer"
        reader = partial(
            answer_and_confidence, letters=letters, options=question.choices, reask=reask
        )
        form = CONFIDENCE_FORM.format(answer=answer)
        turn = await episode.ask(seat, [*shown, STEPS, form], phase=signal, read=reader)
        confidence = turn.confidence
    else:
        with_tokens: Sampling = replace(seat.agent.sampling, logprobs=0)
        turn = await ask(seat, [*shown, ALONE, asking.form(question)], sampling=with_tokens)
        confidence = mean_probability(turn)
    source = None if confidence is None else SOURCES[signal]
    answered = Answer(
        seat.name, turn.answer, confidence=confidence, final=False, confidence_source=source
    )
    return Side((answered,), turn.answer, confidence)


def mean_probability(turn: Turn) -> float | None:
    """Return the geometric mean of the probabilities of a reply's tokens, None without them."""
    logprob = (turn.measures or {}).get(SERVED_LOGPROB)
    return None if logprob is None else min(1.0, math.exp(logprob))


def by_rule(own: Side, other: Side, threshold: float) -> Side | None:
    """Return the side that wins: the own one if it is surer by more than the threshold.

    A side without an answer or a confidence cannot win; None if neither can.
    """
    able: Sequence[Side] = [
        each for each in (own, other) if each.answer is not None and each.confidence is not None
    ]
    if len(able) < 2:
        return able[0] if able else None
    assert own.confidence is not None
    assert other.confidence is not None
    return own if own.confidence - other.confidence > threshold else other


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: the rule by samples from four on.

    Raises StudyError below two.
    """
    asking.check_calls(calls, 2, "situated_faithfulness answers alone and decides")
    return {"method": "sampled", "samples": calls // 2} if calls > 3 else {}
