"""Layers of proposers: each reads the layer before, whole and alone, and the last is one
aggregator.
"""

from __future__ import annotations

from pathlib import Path

from agents.scripted import scripted_model
from arena.types import Agent, Request
from protocols import laws
from protocols.moa import moa
from tests.question_agents import QUESTION, box, by_seed, final, others, play


def script(request: Request) -> str:
    return (
        box(4)
        if request.place.seat == "solver"
        else box(f"{request.place.round}{request.place.seat[-1]}")
    )


def test_a_layer_reads_the_layer_before_and_nothing_else(tmp_path: Path) -> None:
    arena = play(tmp_path / "a.duckdb", moa, script, {"layers": 4, "width": 2})
    seen = arena.sql("select seat, step, seen_seat, seen_step from saw order by all").rows
    both = ["proposer0", "proposer1"]
    layers = [
        (reader, layer, author, layer - 1) for reader in both for layer in (1, 2) for author in both
    ]
    assert list(seen) == layers + [("solver", 0, author, 2) for author in both]
    assert len(arena.sql("from calls")) == 7


def test_the_aggregator_answers_and_each_layer_is_a_stage(tmp_path: Path) -> None:
    arena = play(tmp_path / "a.duckdb", moa, script, {"layers": 3, "width": 2})
    assert final(arena) == ("4", True, 0.0)
    assert [row[1:3] for row in others(arena)] == [(0, "00"), (0, "01"), (1, "10"), (1, "11")]


def test_a_box_of_a_proposer_is_not_the_aggregators_own(tmp_path: Path) -> None:
    def mute(request: Request) -> str:
        return "They said it." if request.place.seat == "solver" else box(4)

    assert final(play(tmp_path / "a.duckdb", moa, mute)) == (None, None, None)


def test_moa_obeys_the_laws() -> None:
    laws.check(
        moa,
        {"solver": Agent("s", scripted_model(by_seed))},
        QUESTION,
        options={"layers": 3, "width": 2},
    )
