"""Arms of a method that differ in one option have a contrast with its name."""

from __future__ import annotations

from pathlib import Path

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.debates import study_reports
from arena import Arena, Arm, Study
from protocols.own_demonstrations import own_demonstrations


def test_arms_that_differ_in_one_option_are_named_and_others_are_not(tmp_path: Path) -> None:
    lineup = [{"solver": agent("sim/reasoner:demonstrates=20:teaches=1")}]
    given = ["Question: 1+1?\nAnswer: \\boxed{2}\n"]
    arms = [
        Arm("none", own_demonstrations, lineup, {"source": "none"}),
        Arm("own", own_demonstrations, lineup),
        Arm("given", own_demonstrations, lineup, {"source": "given", "given": given}),
        Arm("vote", own_demonstrations, lineup, {"paths": 3}),
    ]
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", arms, simulated_questions(12))).failed == 0
    [report] = study_reports(arena.path)
    assert report.answers is not None
    rows = {row.isolates: (row.arm, row.against) for row in report.answers.contrasts}
    assert rows == {
        "own demonstrations": ("own", "none"),
        "people's demonstrations": ("given", "none"),
        "own in place of people's": ("own", "given"),
    }
    [gain] = [row for row in report.answers.contrasts if row.isolates == "own demonstrations"]
    assert gain.final.all.mean > 0.2
    assert gain.final.worse == 0
