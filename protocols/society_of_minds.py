"""Let several agents answer, read each other's answers, revise their own, and vote.

"Improving Factuality and Reasoning in Language Models through Multiagent Debate", Yilun Du, Shuang
Li, Antonio Torralba, Joshua B. Tenenbaum and Igor Mordatch, arXiv 2305.14325.

Kept: copies of one agent, a first round alone, then rounds in which each reads the whole latest
replies of all the others beside its own, and the majority of the last round as the answer.
Different: an agent is shown its own latest reply among the others, in one order for all agents, and
told which it is, rather than as a conversation; equal counts go to the agent of the lowest index,
and an unreadable agent casts no vote.  Ours: the numbers of agents and rounds, the words, and the
confidence (the winner's share of all agents).  Left out: summaries of the others' replies, and
different models in one society.

VERSION 2 differs from 1: all agents are shown the same list of replies, word for word, so that a
provider's cache holds it (each had its own reply first, under a code of its own); the instruction
says which reply is the agent's own, and has no line break inside its paragraph.
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

REVISE = """
The reply of {name} is your own from the round before, the others are from other agents. Weigh \
them: check where they differ from yours, keep what holds, and correct what does not. Then give \
your reply, with its reasoning, as it stands now.
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

    for round in range(rounds):
        phase = "revision" if round else "answer"
        prompts: list[Prompt] = [asking.question_prompt(question)] * agents
        if round:
            prompts = revisions(episode, question, rounds_of_turns[-1])
        # A round is appended when all have spoken, so that nobody reads a reply of the same round.
        replies = [
            episode.ask(seat, prompt, phase=phase, round=round, read=read)
            for seat, prompt in zip(seats, prompts, strict=True)
        ]
        rounds_of_turns.append(await asyncio.gather(*replies))
    final = asking.majority(solver, rounds_of_turns[-1], question)
    return [*(each for turns in rounds_of_turns for each in asking.answers(turns)), final]


def revisions(episode: Episode, question: Subject, before: Sequence[Turn]) -> list[Prompt]:
    """Return the prompts of a later round by agent: question, all replies, and which is its own."""
    names = [f"Agent {k}" for k in range(1, len(before) + 1)]
    shared = [asking.shown_question(question), asking.list_replies(episode, before, names)]
    return [[*shared, REVISE.format(name=name), asking.form(question)] for name in names]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: two rounds of half as many agents.

    Raises StudyError below four calls.
    """
    asking.check_calls(calls, 4, "society_of_minds needs two agents in two rounds")
    return {"agents": calls // 2, "rounds": 2}
