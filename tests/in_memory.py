"""Plays of one episode without a store, for tests that look at single turns and answers."""

from __future__ import annotations

from collections.abc import Mapping

from agents.scripted import scripted_model
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.study import Arm, Protocol, Study, plays
from arena.types import Agent, Subject
from tests.question_agents import QUESTION, Script


def rows_of_play(
    protocol: Protocol,
    speaker: Script | Agent | list[Agent],
    options: Mapping[str, object] | None = None,
    subject: Subject = QUESTION,
    *,
    seat: str = "solver",
) -> MemoryJournal:
    """Play an episode, which must not fail; `.rows("turns")` are its turns.

    The lineup has one seat, of an agent or a list of them.
    """
    given = isinstance(speaker, Agent | list)
    agent = speaker if given else Agent("s", scripted_model(speaker))
    study = Study("s", [Arm("a", protocol, [{seat: agent}], options or {})], [subject])
    journal = MemoryJournal()
    run_blocking(lambda: play_in_memory(plays(study)[0], journal))
    failed = [row["error"] for row in journal.rows("statuses") if row["status"] != "done"]
    assert failed == [], failed
    return journal


def final_of(journal: MemoryJournal) -> tuple[object, ...]:
    """(answer, correct, confidence) of the one final answer."""
    [row] = [row for row in journal.rows("answers") if row["final"]]
    return row["answer"], row["correct"], row["confidence"]


def others_of(journal: MemoryJournal) -> list[tuple[object, ...]]:
    """(seat, stage, answer, correct) of the answers that are not final, by stage and seat."""
    rows = [row for row in journal.rows("answers") if not row["final"]]
    rows.sort(key=lambda row: (row["stage"], row["seat"]))
    return [(row["seat"], row["stage"], row["answer"], row["correct"]) for row in rows]
