"""Flips: how many answers change, and how many of them others' answers and reasons bring about."""

from __future__ import annotations

import re

import pytest

from agents.scripted import scripted_model
from analysis.reports.debates import study_reports
from arena import Agent, Arena, Arm, Study, Subject
from arena.types import Request
from protocols.round_table import round_table

FOIL = "What is 100 plus 1?"
# Of three seats those that change from the wrong answer 3 to another, by what they read of others.
FLIPS = {
    "nobody": {0: 4},
    "answers": {0: 4, 1: 4},
    "replies": {0: 4, 1: 4, 2: 5},
    "misplaced": {0: 4},
}


def flipping(request: Request) -> str:
    """Answer 3, and change the answer in the second round as FLIPS has it."""
    words = request.messages[-1].content
    if FOIL in words:
        return "\\boxed{101}"
    if request.place.round == 0:
        return "At first.\n\\boxed{3}"
    read = (
        "misplaced"
        if "to another question" in words
        else "replies"
        if "replies to this question" in words
        else "answers"
        if "Agent 2: 3" in words
        else "nobody"
    )
    seat = int(re.sub(r"\D", "", request.place.seat))
    return f"Then.\n\\boxed{{{FLIPS[read].get(seat, 3)}}}"


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Play a table and its controls on four questions whose answer is 4."""
    arena = Arena(tmp_path_factory.mktemp("flips") / "a.duckdb")
    agent = Agent("s", scripted_model(flipping))
    arms = [
        Arm(peers, round_table, [{"solvers": [agent]}], {"peers": peers, "agents": 3})
        for peers in ("replies", "answers", "nobody")
    ]
    options = {"peers": "misplaced", "foil": FOIL, "agents": 3}
    arms.append(Arm("misplaced", round_table, [{"solvers": [agent]}], options))
    questions = [Subject(f"What is 2+2, the {n}th time?", "question", "4") for n in range(4)]
    assert arena.run(Study("s", arms, questions)).failed == 0
    return arena


def test_flips_are_those_that_were_planted(arena: Arena) -> None:
    [report] = study_reports(arena.path)
    assert report.answers is not None
    rows = {row.arm: row for row in report.answers.flips}
    for name, flips in FLIPS.items():
        row = rows[name]
        assert (row.seats, row.unreadable) == (12, 0)
        assert row.flipped.mean == pytest.approx(len(flips) / 3)
        right = sum(answer == 4 for answer in flips.values())
        assert row.to_right.mean == pytest.approx(right / 3)
        assert row.to_wrong.mean == 0


def test_flips_are_split_by_what_others_show(arena: Arena) -> None:
    [report] = study_reports(arena.path)
    assert report.answers is not None
    found = {
        row.isolates: (row.arm, row.against, round(row.difference.mean, 3))
        for row in report.answers.flip_contrasts
    }
    assert found == {
        "peers": ("replies", "nobody", 0.667),
        "their answers": ("answers", "nobody", 0.333),
        "their reasons": ("replies", "answers", 0.333),
        "reasons to the point": ("replies", "misplaced", 0.667),
        "more words": ("misplaced", "nobody", 0.0),
    }


def test_the_report_shows_both(arena: Arena) -> None:
    text = str(arena.report("s"))
    assert "Another answer at the end than at the beginning" in text
    assert "What makes seats change their answers" in text
