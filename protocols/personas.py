"""Give the seats of a table a role each: drawn from a list, or written by a model.

A role that is drawn is text.  One that a model writes is a turn, which the seat is shown: so the
record tells who wrote it, and who read it.  As in MALLM ("Voting or Consensus?", arXiv 2502.19130)
each role is written in view of those before it; the list and all words are ours.
"""

from __future__ import annotations

from typing import Literal

from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.types import Seat, Subject, Turn
from protocols import asking
from protocols.table_talk import list_heard

Personas = Literal["none", "drawn", "generated"]
PERSONAS = (
    "a careful mathematician who checks each step twice",
    "an engineer who estimates first and computes then",
    "a teacher who looks for the usual mistakes of students",
    "a lawyer who reads every word of the question literally",
    "a historian who asks what is known and from where",
    "a physician who rules out the dangerous answer first",
    "a sceptic who looks for the counterexample",
    "a statistician who asks how likely each answer is",
    "a puzzle maker who suspects a trap",
    "a practical worker who asks what would happen in fact",
    "a chemist who follows the quantities and their units",
    "a linguist who weighs what each phrase can mean",
)
WRITE = """
Several experts are to discuss this question. Describe one of them in one or two sentences: a role \
that helps to answer it{other}. Do not answer the question, and write nothing but the description.
"""
OTHER = ", and that differs from those above"
ROLE = "Your role in this discussion: {role}.\n\n"
WRITTEN = "Your role in this discussion stands between the lines with the code {code}.\n"


async def personas(
    episode: Episode, question: Subject, author: Seat, seats: int, kind: Personas
) -> list[Prompt]:
    """Return the words or turns that tell each seat its role; nothing for "none".

    Drawn without replacement, as long as there are enough, from the episode's own stream; generated
    ones take a call a seat of the agent in `author`.
    """
    if kind == "none":
        return [""] * seats
    if kind == "drawn":
        whole, rest = divmod(seats, len(PERSONAS))
        draw = episode.rng("personas")
        drawn = [role for _ in range(whole) for role in draw.sample(PERSONAS, len(PERSONAS))]
        drawn += draw.sample(PERSONAS, rest)
        return [ROLE.format(role=role) for role in drawn]
    writer = Seat("personas", author.agent)
    written: list[Turn] = []
    for number in range(seats):
        earlier = list_heard(episode, written, names(number)) if written else ""
        told = WRITE.format(other=OTHER if written else "")
        prompt = [asking.shown_question(question), earlier, told]
        written.append(await episode.ask(writer, prompt, phase="persona", round=number))
    return [[asking.show_reply(episode, turn, WRITTEN), "\n"] for turn in written]


def with_role(role: Prompt, prompt: Prompt) -> Prompt:
    """Return a prompt after the words of a role, if there are any."""
    return [role, prompt] if role else prompt


def names(count: int) -> list[str]:
    """Return the headings of so many descriptions."""
    return [f"Expert {number + 1}" for number in range(count)]
