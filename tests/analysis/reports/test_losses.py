"""What failed and what is missing, by model and side, and how far it could move the headlines."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from analysis.reports.debates import report, study_reports
from analysis.reports.report import rank_report
from analysis.reports.sentences import sentences
from analysis.reports.standings import study_standings
from analysis.reports.tables.debates import print_report
from arena.store import database
from arena.store.journal import line, write_journal
from tests.analysis.conftest import NOW

Add = Callable[..., Path]
MODELS = ("m/a", "m/b", "m/c")


def mirrored(motions: int, declines: int) -> list[dict[str, Any]]:
    """Every pair in both orders on each motion; m/c declines the opposition on some motions."""
    return [
        {
            "ratings": [(60, 70, 80), (50, 60, 75 + motion)],
            "models": pair,
            "subject": f"motion {motion}",
            "repeat": 0,
            "status": "failed" if pair[1] == "m/c" and motion < declines else "done",
        }
        for motion in range(motions)
        for pair in itertools.permutations(MODELS, 2)
    ]


@pytest.mark.slow
def test_a_planted_refusal_is_counted_by_who_it_was_and_moves_no_unmarked_number(add: Add) -> None:
    path = add("s", *mirrored(4, 2))
    # Of one failed debate the call that ended it is known.
    call = {"episode": "s/2", "seat": "opposition", "step": 0, "ask": 0, "run": "r", "attempt": 0}
    entry = line("call_ends", call | {"started_at": NOW, "status": "failed"})
    write_journal(database.journal_folder(path) / "calls.jsonl", [entry])
    [found] = report(path)
    lost = found["losses"]
    rows = {(row["contestant"], row["side"]): row for row in lost["rows"]}
    assert sorted(rows) == [
        ("m/a", "proposition"),
        ("m/b", "proposition"),
        ("m/c", "opposition"),
    ]
    declined = rows["m/c", "opposition"]
    counts = [declined[name] for name in ("debates", "failed", "own", "motions", "missing")]
    assert counts == [8, 4, 1, 2, 0]
    assert lost["rows"][0] == declined
    assert (lost["failed"], lost["half_pairs"]) == (4, 4)
    assert lost["share"] == pytest.approx(8 / 48)
    low, high = lost["bounds"]["last_low"], lost["bounds"]["last_high"]
    mean = found["phases"][-1]["mean"]
    assert (low, high) == pytest.approx((mean * 40 / 48, (mean * 40 + 8) / 48))
    printed = StringIO()
    print_report(study_reports(path), printed)
    text = " ".join(printed.getvalue().split())
    assert "Confidence of debaters, percent, of those played" in text
    assert (
        "OF THOSE PLAYED: 16.7% of the ratings in closing are not there (4 debates failed" in text
    )
    assert "Of 4 mirrored pairs of debates one half is finished and the other is not." in text
    assert any(words.startswith("OF THOSE PLAYED") for words in sentences(study_reports(path)[0]))


def test_what_is_missing_in_few_ratings_is_counted_without_a_headline(add: Add) -> None:
    path = add(
        "s", *mirrored(10, 0)[:-1], mirrored(1, 0)[0] | {"ratings": [(60, 70, "cut"), (50, 60, 75)]}
    )
    lost = report(path)[0]["losses"]
    assert lost["share"] == pytest.approx(1 / 120)
    assert [(row["contestant"], row["side"], row["missing"]) for row in lost["rows"]] == [
        ("m/a", "proposition", 1)
    ]
    printed = StringIO()
    print_report(study_reports(path), printed)
    assert "OF THOSE PLAYED" not in printed.getvalue()


def test_where_all_failed_there_is_nothing_to_bound(add: Add) -> None:
    lost = report(add("s", mirrored(1, 1)[3] | {"status": "failed"}))[0]["losses"]
    assert (lost["failed"], lost["share"], lost["bounds"]) == (1, 1, None)


@pytest.mark.slow
def test_a_planted_refusal_moves_no_strength_and_is_said_in_rank(add: Add) -> None:
    won = {"m/a": 3, "m/b": 2, "m/c": 1}
    judged = [
        debate | {"votes": [("proposition" if won[first] >= won[second] else "opposition", 0.8)]}
        for debate in mirrored(4, 2)
        for first, second in [debate["models"]]
    ]
    # Without the halves that are left where m/c declined the other order.
    whole = [
        debate
        for debate in judged
        if debate["status"] == "done"
        and not (debate["models"][0] == "m/c" and debate["subject"] in ("motion 0", "motion 1"))
    ]
    add("s", *judged)
    path = add("whole", *whole)
    found, others = study_standings(path, "s"), study_standings(path, "whole")
    assert (found.losses.failed, found.losses.without_mirror) == (4, 4)
    assert (others.losses.failed, others.losses.without_mirror) == (0, 0)
    assert [(row.agent, row.strength.mean) for row in found.contestants] == [
        (row.agent, pytest.approx(row.strength.mean)) for row in others.contestants
    ]
    told = " ".join(str(rank_report(path, "s")).split())
    assert "OF THOSE PLAYED: 4 debates failed" in told
    assert "OF THOSE PLAYED" not in str(rank_report(path, "whole"))
