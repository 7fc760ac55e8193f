"""Let several agents revise their answers and vote, with the prompts of version 1.

Kept for one release; protocols/society_of_minds.py has the protocol of today.
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

VERSION = "1"

REVISE = """
One of these replies is your own from the round before, the others are from other agents. Weigh \
them: check where they differ from yours, keep
what holds, and correct what does not. Then give your reply, with its reasoning, as it stands now.
"""


async def society_of_minds(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    agents: Annotated[int, Ge(2)] = 3,
    rounds: Annotated[int, Ge(1)] = 2,
    reask: bool = True,
) -> list[Answer]:
    """Return the majority of `agents` copies of the solver after `rounds` rounds, the first alone.

    The agents' answers of round r have the stage r.  `reask` asks once more where no answer can be
    read.
    """
    seats = [Seat(f"agent{i}", solver.agent) for i in range(agents)]
    read = asking.reader(question, reask)
    rounds_of_turns: list[list[Turn]] = []

    async def speak(seat: Seat, round: int) -> Turn:
        """Ask one agent in one round, after all replies of the round before."""
        prompt = (
            asking.question_prompt(question)
            if round == 0
            else revision(episode, question, seat, rounds_of_turns[-1])
        )
        phase = "revision" if round else "answer"
        return await episode.ask(seat, prompt, phase=phase, round=round, read=read)

    for round in range(rounds):
        # A round is appended when all have spoken, so that nobody reads a reply of the same round.
        rounds_of_turns.append(await asyncio.gather(*(speak(seat, round) for seat in seats)))
    final = asking.majority(solver, rounds_of_turns[-1], question)
    return [*(each for turns in rounds_of_turns for each in asking.answers(turns)), final]


def revision(episode: Episode, question: Subject, seat: Seat, before: Sequence[Turn]) -> Prompt:
    """Return the prompt of a later round: question, own reply first, the others', and to revise."""
    mine = [turn for turn in before if turn.seat == seat.name]
    others = [turn for turn in before if turn.seat != seat.name]
    # The others are numbered without gaps: the number says nothing about who they are.
    names = ["Your own reply", *(f"Agent {k}" for k in range(1, len(others) + 1))]
    replies = asking.list_replies(episode, mine + others, names)
    return [asking.question_text(question), replies, REVISE, asking.form(question)]
