"""A new answer from many (what it shares with self-agreement is tested there)."""

from __future__ import annotations

from pathlib import Path

from agents.scripted import scripted_model
from arena.types import Agent
from protocols import laws
from protocols.self_aggregation import self_aggregation
from tests.question_agents import CHOICE, QUESTION, box, by_seed, final, paths, play, seats_shown


def test_the_new_answer_may_be_one_that_no_path_gave(tmp_path: Path) -> None:
    arena = play(
        tmp_path / "a.duckdb",
        self_aggregation,
        paths("A", "A", "C", solver=box("B")),
        question=CHOICE,
    )
    assert final(arena) == ("B", True, 0.0)
    assert sorted(seats_shown(arena)) == ["path0", "path1", "path2"]


def test_self_aggregation_obeys_the_laws() -> None:
    laws.check(
        self_aggregation,
        {"solver": Agent("s", scripted_model(by_seed))},
        QUESTION,
        options={"paths": 2},
    )
