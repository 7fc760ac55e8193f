"""Let another model read an explanation, and say how sure it is that the answer is right.

"The Calibration Gap between Model and Human Confidence in Large Language Models", Mark Steyvers et
al., arXiv 2401.13835 ("What large language models know and what people think they know", Nature
Machine Intelligence 2025).  A listener is a model in the place of the paper's people, and is called
so wherever its numbers are shown.

Kept: the model's own confidence is private; explanations are written after the answer is fixed, of
several lengths and with certainty in words of several levels; who reads question and explanation
gives a number from 0 to 100 that the answer is right, and sees no number of the model's.  The
tailored wording takes its level from the model's own confidence.  Different: lengths and wordings
are crossed; the own confidence is the probability of the option, or what a second session of the
model states.  Ours: all words, the lengths, and the thresholds of the tailored wording, 0.5 and
0.8, which were not available.  Left out: people.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS, canonical
from arena.play.episode import Episode
from arena.play.reading import Reader
from arena.private import PrivateNumber, reveal
from arena.score import Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import STATED, Answer, Reading, Reply, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.parsing import confidence as readers

VERSION = "1"

NAME = "listener"
Length = Literal["short", "default", "long"]
Wording = Literal["none", "low", "medium", "high", "tailored"]
Own = Literal["stated", "scored"]

LENGTHS: dict[Length, str] = {
    "short": " Write one or two short sentences.",
    "default": "",
    "long": " Write in detail, in at least ten sentences.",
}
WORDINGS: dict[str, str] = {
    "none": " Say nothing about how sure you are.",
    "low": " Let your words say that you are not sure of it, as a person would say it.",
    "medium": " Let your words say that you are fairly sure of it, as a person would say it.",
    "high": " Let your words say that you are very sure of it, as a person would say it.",
}
# The own confidence up to which the tailored wording is low, and medium.
TAILORED = (0.5, 0.8)
EXPLAIN = (
    "\nYour answer to this question is \\boxed{{{answer}}}. Explain to a reader why it is the"
    " answer.{length}{wording} Name no number, percentage or probability of how sure you are. End"
    " with the same answer in \\boxed{{}}.\n"
)
POSSIBLE = "\nPossible answer: \\boxed{{{answer}}}\n"
PROBE = (
    "\nHow likely is it that this possible answer is right? Reply with one line, from 0% (certainly"
    " wrong) to 100% (certainly right):\nConfidence: N%\n"
)
LETTER_ALONE = "\nReply with the letter of one option, and with nothing else.\n"
LISTEN = (
    "\nHow likely is it that the answer of this reply is right? End with one line, from 0%"
    " (certainly wrong) to 100% (certainly right):\nConfidence: N%\n"
)
NUMBER_OF_CONFIDENCE = re.compile(
    r"\b(?:confiden|certain|sure|likel|probab|chance)\w*[^.\n\d]{0,60}\d+(?:\.\d+)?\s?"
    r"(?:%|percent\b|out of\b)"
    r"|\d\s?(?:%|percent)\s(?:confiden|certain|sure|likel|chance|probab)",
    re.IGNORECASE,
)
STATES_A_NUMBER = "states a number"
ANOTHER_ANSWER = "another answer"


async def explain(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    lengths: Sequence[Length] = ("short", "default", "long"),
    wordings: Sequence[Wording] = ("none", "low", "high"),
    own: Own = "stated",
    reask: bool = True,
) -> list[Answer]:
    """Answer, rate the answer in private, then explain it in every length and wording.

    `own` is the model's confidence: stated by a second session of it, or scored, the probability of
    the option among all, for questions with options and models that score them.  The explanations
    come from seats of their own; a flag says if one states a number of how sure it is, or gives
    another answer.  `reask` asks once more for an answer or confidence that cannot be read.  Raises
    ProtocolError if options cannot be scored.
    """
    answered, confidence = await (
        score_answer(episode, question, solver, scoring_of(question, solver))
        if own == "scored"
        else state_answer(episode, question, solver, reask)
    )
    source = "probability" if own == "scored" else STATED
    final = Answer(
        solver.name,
        answered.answer,
        confidence=confidence,
        confidence_source=None if confidence is None else source,
    )
    if answered.answer is None:
        return [final]
    read = partial(
        read_explanation,
        read=asking.reader(question, reask=False),
        fixed=answered.answer,
        choices=question.choices,
    )
    asks = [
        episode.ask(
            Seat(f"explanation{number}", solver.agent),
            asking.with_images(
                question,
                asking.question_text(question)
                + EXPLAIN.format(
                    answer=asking.in_box(answered.answer),
                    length=LENGTHS[length],
                    wording=WORDINGS[level_of(wording, confidence)],
                ),
            ),
            phase=f"explanation: {length}, {wording}",
            round=1,
            read=read,
        )
        for number, (length, wording) in enumerate(
            (length, wording) for length in lengths for wording in wordings
        )
    ]
    return [final, *asking.answers(await asyncio.gather(*asks))]


async def state_answer(
    episode: Episode, question: Subject, solver: Seat, reask: bool
) -> tuple[Turn, float | PrivateNumber | None]:
    """Return the turn with the answer, and the confidence that a second session states in it."""
    read = asking.reader(question, reask)
    said = await episode.ask(solver, asking.question_prompt(question), phase="answer", read=read)
    if said.answer is None:
        return said, None
    possible = POSSIBLE.format(answer=asking.in_box(said.answer))
    probe = await episode.ask(
        Seat("probe", solver.agent),
        asking.with_images(question, asking.question_text(question) + possible + PROBE),
        phase="probe",
        read=readers.confidence_only,
    )
    return said, probe.confidence


def scoring_of(question: Subject, solver: Seat) -> Sampling:
    """Return the sampling that scores the options by their letters.

    Raises ProtocolError if there are none, or the model cannot.
    """
    if not question.choices or "choices" not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"options cannot be scored: {solver.agent.model.name} does not score given texts, or"
            " the question has no options; give own='stated'"
        )
    return Sampling(choices=tuple(LETTERS[: len(question.choices)]))


async def score_answer(
    episode: Episode, question: Subject, solver: Seat, scoring: Sampling
) -> tuple[Turn, float | None]:
    """Return the turn with the likeliest option, and its share of the probability of all."""
    said = await episode.ask(
        solver,
        asking.with_images(question, asking.question_text(question) + LETTER_ALONE),
        phase="options",
        read=asking.reader(question, reask=False),
        sampling=scoring,
    )
    return said, (said.measures or {}).get(f"probability of {said.answer}")


def level_of(wording: Wording, confidence: float | PrivateNumber | None) -> str:
    """Return the level of certainty that an explanation words; "none" without a confidence."""
    if wording != "tailored":
        return wording
    if confidence is None:
        return "none"
    low, medium = TAILORED
    return "low" if confidence <= low else "medium" if confidence <= medium else "high"


def read_explanation(
    reply: Reply, *, read: Reader, fixed: str, choices: Sequence[str] = ()
) -> Reading:
    """Read an explanation; flags say if it states a number of how sure it is, or another answer."""
    reading = read(reply)
    flags = reading.flags
    if NUMBER_OF_CONFIDENCE.search(reading.public or ""):
        flags = (*flags, STATES_A_NUMBER)
    if reading.answer is not None and canonical(reading.answer, choices) != canonical(
        fixed, choices
    ):
        flags = (*flags, ANOTHER_ANSWER)
    return replace(reading, flags=flags)


async def listener(
    episode: Episode, samples: StoredSamples, scorer: Seat, *, reask: bool = True
) -> list[Score]:
    """Return how sure the scorer is that each reply is right, from the reply's public face alone.

    `reask` asks once more for a number that cannot be read.  A reply without an answer is not
    judged.
    """

    async def listen(number: int, reply: StoredReply) -> Score:
        """Return how sure the listener is of one reply."""
        if reply.canonical is None:
            return Score(reply.turn, NAME, None, "probability", "no answer to judge")
        prompt = [
            asking.shown_question(samples.question),
            asking.show_reply(episode, reply.turn),
            LISTEN,
        ]
        seat = Seat(f"listener{number}", scorer.agent)
        read = partial(read_listener, reask=reask)
        said = await episode.ask(seat, prompt, phase="listener", read=read)
        status = f"no confidence: {said.confidence_status}"
        if said.confidence is None:
            return Score(reply.turn, NAME, None, "probability", status)
        return Score(reply.turn, NAME, reveal(said.confidence), "probability")

    listened = (listen(number, reply) for number, reply in enumerate(samples.replies))
    return await asyncio.gather(*listened)


def read_listener(reply: Reply, *, reask: bool) -> Reading:
    """Read the listener's number."""
    reading = readers.confidence_only(reply)
    return reading if reask else replace(reading, reask=None, missing=())
