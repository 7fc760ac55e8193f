"""Plays of many questions in memory, for tests that compare a share with what was planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.lineups import Lineup
from arena.studies.study import Arm, Protocol, Study, plays
from arena.types import Agent, Subject


def answers_of(
    protocol: Protocol,
    lineup: Agent | Lineup,
    questions: Sequence[Subject],
    options: Mapping[str, object],
) -> list[MemoryJournal]:
    """Play every question once, which must not fail; a journal each."""
    seated: Lineup = {"solver": lineup} if isinstance(lineup, Agent) else lineup
    journals = []
    for play in plays(Study("s", [Arm("a", protocol, [seated], options)], questions)):
        journal = MemoryJournal()
        run_blocking(lambda play=play, journal=journal: play_in_memory(play, journal))
        assert [row["error"] for row in journal.rows("statuses") if row["status"] != "done"] == []
        journals.append(journal)
    return journals


def accuracy_of(
    protocol: Protocol,
    lineup: Agent | Lineup,
    questions: Sequence[Subject],
    options: Mapping[str, object],
) -> float:
    """Return the share of final answers that are right."""
    played = answers_of(protocol, lineup, questions, options)
    final = [row for each in played for row in each.rows("answers") if row["final"]]
    return sum(bool(row["correct"]) for row in final) / len(questions)
