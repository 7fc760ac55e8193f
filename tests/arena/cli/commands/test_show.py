"""`arena show` prints turns as they were played, with what each argued for and its quotes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agents import agent
from agents.simulated.passages import simulated_passages
from arena import Arena, Arm, Study
from arena.cli.commands.status import in_order
from arena.cli.main import main
from protocols.oversight import judged_debate

NOON = datetime(2026, 1, 2, 12)


def test_turns_stand_as_they_were_played_and_those_side_by_side_by_round() -> None:
    def turn(seat: str, round: int, begins: int, ends: int) -> dict[str, object]:
        at = (NOON + timedelta(seconds=each) for each in (begins, ends))
        return {"seat": seat, "round": round, "step": round} | dict(
            zip(("started_at", "ended_at"), at, strict=True)
        )

    played = [
        turn("opposition", 0, 0, 9),
        turn("proposition", 0, 1, 4),
        turn("proposition", 1, 5, 8),
        turn("opposition", 1, 10, 12),
        turn("judge", 0, 12, 13),
    ]
    shown = [(each["seat"], each["round"]) for each in in_order(played)]
    assert shown == [
        ("proposition", 0),
        ("opposition", 0),
        ("proposition", 1),
        ("opposition", 1),
        ("judge", 0),
    ]
    # Imported turns have no times: by round.
    bare = [each | {"started_at": None, "ended_at": None} for each in played]
    assert [each["round"] for each in in_order(bare)] == [0, 0, 0, 1, 1]


def test_a_judged_debate_is_shown_with_claims_quotes_and_readers_of_the_passage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speaker, judge = agent("sim/advocate"), agent("sim/evidence_judge")
    lineup = {"debater": speaker, "opponent": speaker, "judge": judge}
    arena = Arena(tmp_path / "a.duckdb")
    arm = Arm("d", judged_debate, [lineup], {"rounds": 2})
    arena.run(Study("s", [arm], simulated_passages(1)))
    [(episode,)] = arena.sql("select episode from episodes").rows
    capsys.readouterr()
    assert main(["show", episode, "--db", str(arena.path)]) == 0
    out = capsys.readouterr().out
    phases = [line for line in out.splitlines() if line.startswith("===")]
    kinds = [line.rpartition("), ")[2] for line in phases]
    assert kinds == ["speech"] * 2 + ["speech, round 1"] * 2 + ["verdict"] * 2
    assert "characters, shown to debater, opponent" in out
    assert '"rounds":2' in out.replace(" ", "")
    assert out.count("--- answer: ") == 6
    assert "--- quote, verified: " in out
    assert main(["show", episode, "--public", "--db", str(arena.path)]) == 0
    assert "--- answer: " not in capsys.readouterr().out
