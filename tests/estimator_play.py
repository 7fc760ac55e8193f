"""Run what asks through an episode in memory, for tests of estimators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from arena.play.episode import Episode
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.study import Arm, Study, plays
from arena.types import Agent, Seat, Subject

QUESTION = Subject("What is 2+2?", "question", "4")
VERSION = "1"
Result = TypeVar("Result")


def asked(
    agent: Agent,
    use: Callable[[Episode, Seat], Awaitable[Result]],
    subject: Subject = QUESTION,
) -> tuple[Result, list[dict[str, object]]]:
    """What a function returns that asks an agent in the seat "helper", and the stored turns."""
    results: list[Result] = []

    async def probe(episode: Episode, question: Subject, helper: Seat) -> None:
        results.append(await use(episode, helper))

    journal = MemoryJournal()
    (play,) = plays(Study("probe", [Arm("probe", probe, [{"helper": agent}])], [subject]))
    run_blocking(lambda: play_in_memory(play, journal))
    (status,) = journal.rows("statuses")
    assert status["status"] == "done", status["error"]
    return results[0], [dict(row) for row in journal.rows("turns")]
