"""Small protocols and agents for the tests of the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agents.scripted import scripted_model
from arena.play.episode import Episode
from arena.play.prompt import own
from arena.studies.study import Arm, Study
from arena.types import Agent, Reading, Reply, Request, Seat, Subject

VERSION = "1"
MOTION = Subject("This house would test.")


def rating(reply: Reply) -> Reading:
    """Read "words|70" as a public text with a confidence; ask again for a missing number."""
    words, _, number = reply.text.partition("|")
    if not number:
        return Reading(
            words, thoughts=f"secret {words}", confidence_status="no number", reask="the number?"
        )
    return Reading(words or None, f"secret {words}", int(number) / 100, "read")


async def talk(
    episode: Episode, motion: Subject, proposition: Seat, opposition: Seat, *, rounds: int = 3
) -> None:
    """Let both speak in parallel in each round, with all public and their own private words."""
    turns = []
    for round in range(rounds):
        turns += await asyncio.gather(
            *(
                episode.ask(
                    side,
                    [
                        motion.text,
                        [own(turn) if turn.seat == side.name else turn for turn in turns],
                    ],
                    phase=f"phase{round}",
                    round=round,
                    read=rating,
                )
                for side in (proposition, opposition)
            )
        )


def by_seed(request: Request) -> str:
    """A reply that depends on the seed alone."""
    return f"{request.place.seat} says {request.seed}|{request.seed % 101}"


def agent(name: str = "echo", reply: Callable[[Request], object] = by_seed) -> Agent:
    """An agent whose model is a function."""
    return Agent(name, scripted_model(reply, name=name))


def study(*agents: Agent, subjects: int = 2, repeats: int = 1, **options: int) -> Study:
    """A study of `talk`: the first agent against the last, on numbered motions."""
    agents = agents or (agent(),)
    lineup = {"proposition": agents[0], "opposition": agents[-1]}
    motions = [Subject(f"This house would test number {n}.") for n in range(subjects)]
    return Study("talks", [Arm("only", talk, [lineup], options)], motions, repeats)


async def reply_slowly(request: Request) -> str:
    """Half a second for every other reply."""
    await asyncio.sleep(0.5 * (request.place.step % 2))
    return by_seed(request)
