"""Several agents answer, read each other's answers, and revise their own over some rounds; then they vote.

"Improving Factuality and Reasoning in Language Models through Multiagent Debate", Yilun Du, Shuang Li, Antonio Torralba, Joshua B.
Tenenbaum and Igor Mordatch, arXiv 2305.14325.

Kept: copies of one agent, a first round alone, then rounds in which each reads the whole latest replies of all the others beside its own, and
the majority of the last round as the answer.  Different: an agent is shown its own latest reply in the prompt rather than as a conversation;
equal counts go to the agent of the lowest index, and who cannot be read casts no vote.  Ours: the numbers of agents and rounds, the words,
and the confidence (the winner's share of all agents).  Left out: summaries of the others' replies, and different models in one society.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.types import Answer, Seat, Subject, Turn
from protocols.asking import (
    answers,
    form,
    list_replies,
    question_prompt,
    question_text,
    reader,
    votes,
    winner,
)

VERSION = "1"

REVISE = """
One of these replies is your own from the round before, the others are from other agents. Weigh them: check where they differ from yours, keep
what holds, and correct what does not. Then give your reply, with its reasoning, as it stands now.
"""


async def society_of_minds(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    agents: Annotated[int, Ge(2)] = 3,
    rounds: Annotated[int, Ge(1)] = 2,
) -> list[Answer]:
    """The majority of `agents` copies of the solver after `rounds` rounds, of which the first is alone.

    The agents' answers of round r have the stage r.
    """
    seats = [Seat(f"agent{i}", solver.agent) for i in range(agents)]
    said: list[list[Turn]] = []

    async def speak(seat: Seat, round: int) -> Turn:
        """One agent's reply in one round, after what all said in the round before."""
        prompt = (
            question_prompt(question) if round == 0 else revision(episode, question, seat, said[-1])
        )
        return await episode.ask(
            seat,
            prompt,
            phase="revision" if round else "answer",
            round=round,
            read=reader(question),
        )

    for round in range(rounds):
        said.append(await asyncio.gather(*(speak(seat, round) for seat in seats)))
    best, share = winner(votes(said[-1], question))
    final = Answer(solver.name, None if best is None else said[-1][best].answer, confidence=share)
    return [*(each for turns in said for each in answers(turns)), final]


def revision(episode: Episode, question: Subject, seat: Seat, before: Sequence[Turn]) -> Prompt:
    """What an agent is asked after a round: the question, its own reply first, then the others' by index, and to revise."""
    mine = [turn for turn in before if turn.seat == seat.name]
    others = [turn for turn in before if turn.seat != seat.name]
    names = ["Your own reply", *(f"Agent {k}" for k in range(1, len(others) + 1))]
    return [
        question_text(question),
        list_replies(episode, mine + others, names),
        REVISE,
        form(question),
    ]


def options_for_calls(calls: int) -> dict[str, object]:
    """The options with which at most `calls` calls a question are made: two rounds of half as many agents.  Raises StudyError under four."""
    if calls < 4:
        raise StudyError(
            f"society_of_minds needs two agents in two rounds; {calls} calls are too few"
        )
    return {"agents": calls // 2, "rounds": 2}
