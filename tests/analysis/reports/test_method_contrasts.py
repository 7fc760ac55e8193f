"""Arms of a method that differ in one option have a contrast with its name."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.contrasts import contrast_rows
from analysis.reports.debates import study_reports
from analysis.reports.method_contrasts import BUDGET, LIMIT, OWN_START, method_contrasts
from arena import Arena, Arm, Study
from protocols.iterative_deepening import iterative_deepening
from protocols.own_demonstrations import own_demonstrations
from tests.analysis.reports.test_contrasts import record


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


def options_of(label: str) -> dict[str, object]:
    """Return options of iterative deepening as a study records them."""
    same: dict[str, object] = {"samples": 3, "limit": 160}
    if label == "plain":
        return {**same, "budget": 160}
    growth = {} if label.endswith("2") else {"growth": 4.0}
    cuts = {"trigger": ""} if label == "cuts 2" else {}
    return {**same, "budget": 20, **growth, **cuts}


def test_deepening_has_a_contrast_with_the_plain_arm_and_with_cuts_of_its_own_growth() -> None:
    labels = ["plain", "cuts 2", "deepening 2", "deepening 4"]
    found = record({each: options_of(each) for each in labels}, ["iterative_deepening"] * 4)
    pairs = {(name, labels[one], labels[other]) for name, one, other in method_contrasts(found)}
    assert pairs == {
        ("the triggers", "deepening 2", "cuts 2"),
        ("the stops", "cuts 2", "plain"),
        ("stops and triggers", "deepening 2", "plain"),
        ("stops and triggers", "deepening 4", "plain"),
    }
    defaults = inspect.signature(iterative_deepening).parameters
    assert (defaults["budget"].default, defaults["limit"].default) == (BUDGET, LIMIT)


def test_the_gap_of_a_wrong_start_is_a_contrast_of_paths() -> None:
    alone = {"communication": "never"}
    arms = {
        "own start": alone,
        "trapped": {**alone, "starts": "all"},
        "own start, peers": {},
        "trapped, peers": {"starts": "all"},
        "one trapped, peers": {"starts": "first"},
    }
    right = {"own start": (2, 2, 2, 1), "trapped": (1, 0, 1, 0)}
    gaps = [row for row in contrast_rows(record(arms, right=right)) if row.isolates == OWN_START]
    assert {(row.arm, row.against) for row in gaps} == {
        ("own start", "trapped"),
        ("own start, peers", "trapped, peers"),
    }
    [gap] = [row for row in gaps if row.arm == "own start"]
    assert gap.paths.mean == pytest.approx(5 / 8)
