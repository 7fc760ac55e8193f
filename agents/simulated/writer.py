"""A simulated writer: rewords simulated questions, or changes their right answers.

It answers the prompts that ask for questions between <question> and </question>.  A rewording says
in other words which number is meant; a change has another right answer.  With probability `drift` a
rewording changes the meaning after all, and with probability `unreadable` a reply holds no
question.  What follows from the questions alone is known: a solver whose draws are its own answers
a rewording as it would answer the question again.

This is a model of our own, not one of a paper.  The store and every report mark its words as
simulated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agents.simulated.debater import WRITER, Bounds, parse_profile, stream
from agents.simulated.questions import HIGHEST, SimulatedQuestion, question_in
from arena.errors import RefusedError
from arena.types import BaseModel, Reply, Request

COUNT = re.compile(r"in (\d{1,2}) other ways|Write (\d{1,2}) questions")
REWORDED = (
    "Simulated question {number}. Difficulty {difficulty}. In other words, {words}?"
    " [right answer {right}]"
)
WORDS = (
    "which whole number is it",
    "what number from 0 to 999 is sought",
    "which number do you find",
    "what is the number",
    "which of 1,000 numbers is meant",
)


@dataclass(frozen=True, slots=True)
class WriterProfile:
    """The parameters of a simulated writer: probabilities, and a whole `seed`."""

    drift: float = 0.0
    unreadable: float = 0.0
    seed: int = 0


BOUNDS: Bounds = {"drift": (0.0, 1.0), "unreadable": (0.0, 1.0)}


@dataclass(frozen=True)
class SimulatedWriter(BaseModel):
    """A model that rewrites simulated questions; `simulated_writer` makes one."""

    name: str
    profile: WriterProfile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply", "images"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return the questions that are asked for.

        Raises RefusedError if the request holds no simulated question.
        """
        words = "\n".join(message.content for message in request.messages)
        question, asked = question_in(words), COUNT.search(words)
        if question is None or asked is None:
            raise RefusedError(
                f"{self.name} rewrites simulated questions alone (agents.simulated.questions), and"
                " the request asks for nothing of the kind",
                sent=False,
            )
        draws = stream("writer", self.profile.seed, request.seed)
        if draws.random() < self.profile.unreadable:
            return Reply("No question: no language model said this.", model_served=self.name)
        written = []
        for place in range(int(asked[1] or asked[2])):
            changes = asked[2] is not None or draws.random() < self.profile.drift
            right = (int(question.right) + draws.randint(1, HIGHEST)) % (HIGHEST + 1)
            meant = replace(question, right=str(right)) if changes else question
            written.append(f"<question>{reworded(meant, place)}</question>")
        return Reply("\n".join(written), model_served=self.name, finish_reason="stop")


def reworded(question: SimulatedQuestion, place: int) -> str:
    """Return a simulated question in other words, by the place in a list."""
    words = WORDS[place % len(WORDS)] + " now" * (place // len(WORDS))
    return REWORDED.format(
        number=question.number,
        difficulty=f"{question.difficulty:.3f}",
        words=words,
        right=question.right,
    )


def simulated_writer(profile: str) -> SimulatedWriter:
    """Return the writer that `sim/writer:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {WRITER: WriterProfile()}, BOUNDS)
    return SimulatedWriter(f"sim/{name}", parameters)
