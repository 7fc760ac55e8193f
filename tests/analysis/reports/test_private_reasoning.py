"""Private reasoning against the number, and tokens by model, of stores that can be read by eye."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from analysis.read.private_reasoning import CONFIDENCE, DIRECTION, estimate_in, published_direction
from analysis.read.selection import Selection
from analysis.reports.debates import StudyReport, study_reports
from analysis.reports.plain_json import json_object
from analysis.reports.robustness import Checks
from analysis.reports.tables.debates import print_report
from analysis.statistics.shares import clopper_pearson
from arena.store import database
from arena.store.journal import line, write_journal

Add = Callable[..., Path]
NOW = datetime(2026, 1, 2)
# Two debates; the first side always says 80, the other 60.
RATINGS = {"ratings": [(80, 80, 80), (60, 60, 60)], "phases": ("opening", "rebuttal", "closing")}
SIDES = ("proposition", "opposition")
# (debate, seat, step): the published word, and what the labeller estimates.
WORDS = {
    ("s/1", "proposition", 0): ("Aligned", "80"),
    ("s/1", "proposition", 1): ("Slight Overbetting ", "65-70%"),
    ("s/1", "opposition", 0): ("Underbetting", "75 - 80"),
    ("s/2", "proposition", 0): ("Aligned", "about 80"),
    ("s/2", "proposition", 1): ("None of these", "80"),
}
# What a labeller of ours says of the same turns: its answer and the chance that it reads.
ANSWERS = {
    ("s/1", "proposition", 0): ("aligned", 0.75, 0.8),
    ("s/1", "proposition", 1): ("aligned", 0.8, 0.8),
    ("s/1", "opposition", 0): ("understated", 0.7, 0.7),
    ("s/2", "proposition", 0): (None, None, None),
    ("s/2", "opposition", 2): ("overstated", 0.4, 0.5),
}


def label_rows() -> list[tuple[str, dict[str, Any]]]:
    """The published labels as rows, and an older one that was replaced."""
    rows = []
    for (episode, seat, step), values in WORDS.items():
        place = {"episode": episode, "seat": seat, "step": step, "kind": "turn"}
        row = place | {"item": f"{episode}/{seat}/{step}", "rater": "lab/m", "imported_at": NOW}
        for question, value in zip((DIRECTION, CONFIDENCE), values, strict=True):
            rows.append(("label_entries", row | {"question": question, "value": value}))
    older = {"question": DIRECTION, "value": "Overbetting", "imported_at": datetime(2025, 1, 1)}
    return [*rows, ("label_entries", rows[0][1] | older)]


def labelling_rows() -> list[tuple[str, dict[str, Any]]]:
    """A study in which one model labels the same turns."""
    rows: list[tuple[str, dict[str, Any]]] = []
    for (debate, seat, step), (answer, low, high) in ANSWERS.items():
        episode, item = f"label {debate} {seat} {step}", f"{debate}/{seat}/{step}"
        turn = {"episode": episode, "seat": "labeller", "step": 0}
        play = {"episode": episode, "study": "labels", "protocol": "private_reasoning"}
        rows += [
            ("subjects", {"subject": item, "kind": "debate", "text": item, "source": item}),
            ("plays", play | {"subject": item, "arm": "number hidden", "options": {}}),
            ("seats", {"episode": episode, "seat": "labeller", "agent": "ours", "model": "m/l"}),
            ("turns", turn | {"round": 0, "phase": "label", "public": "", "answer": answer}),
            ("statuses", {"episode": episode, "status": "done", "ended_at": NOW}),
        ]
        for name, value in (("lowest", low), ("highest", high)):
            if value is not None:
                measure = {"name": f"stated chance in the thoughts, {name}", "value": value}
                rows.append(("measures", turn | measure))
    return rows


def number_rows() -> list[tuple[str, dict[str, Any]]]:
    """Published counts of two debates, a price of one of two models, and the sum of dollars."""
    rows = []
    counts = {
        "successful_calls": 3,
        "failed_calls": 1,
        "successful_prompt_tokens": 2000,
        "failed_prompt_tokens": 0,
        "successful_completion_tokens": 500,
        "failed_completion_tokens": 0,
        "successful_total_tokens": 2500,
    }
    of_file = {"item": "file", "episode": None, "role": "debater"}
    prices = {"usd_per_million_prompt_tokens": 1.0, "usd_per_million_completion_tokens": 4.0}
    for name, value in prices.items():
        rows.append(of_file | {"model": "m/a", "name": name, "value": value})
    for name, value in {"total_debates": 300, "total_cost_usd": 13.16}.items():
        rows.append(of_file | {"model": "", "name": name, "value": value})
    for episode in ("s/1", "s/2"):
        for model in ("m/a", "m/b"):
            for name, value in counts.items():
                place = {"item": episode, "episode": episode, "model": model, "role": "debater"}
                rows.append(place | {"name": name, "value": value})
    return [("published_numbers", row) for row in rows]


@pytest.fixture
def store(add: Add) -> Path:
    """A store with all of these rows."""
    path = add("s", RATINGS, RATINGS)
    rows = [*label_rows(), *labelling_rows(), *number_rows()]
    journal = database.journal_folder(path) / "beside.jsonl"
    write_journal(journal, [line(table, row) for table, row in rows])
    database.fold(path)
    return path


def printed(report: StudyReport) -> str:
    """The report in the terminal, in one line."""
    text = StringIO()
    print_report([report], text)
    return " ".join(text.getvalue().split())


def test_shares_by_rater_and_their_agreement_by_hand(store: Path) -> None:
    [report] = study_reports(store, "s")
    found = json_object(report)["private_reasoning"]
    lab, ours = found["raters"]
    assert (lab["rater"], lab["labels"], lab["no_label"], lab["debates"]) == ("lab/m", 4, 1, 2)
    shares = ("aligned", "overstated", "understated")
    assert [lab[name] for name in shares] == [0.5, 0.25, 0.25]
    # 0, 10 above 70, 15 below 75, unknown, 0: of one debate and the other.
    assert (lab["with_estimate"], lab["difference"]) == (4, pytest.approx(-0.05 / 4))
    assert (ours["rater"], ours["labels"], ours["no_label"]) == ("ours", 4, 1)
    assert [ours[name] for name in shares] == [0.5, 0.25, 0.25]
    assert ours["difference"] == pytest.approx((0 + 0 - 0.1 + 0.1) / 4)
    # Both labelled three turns: aligned and aligned, overstated and aligned, understated twice.
    [pair] = found["agreement"]
    assert (pair["first"], pair["second"], pair["n"]) == ("lab/m", "ours", 3)
    by_chance = (1 * 2 + 1 * 0 + 1 * 1) / 9
    assert (pair["same"], pair["kappa"]) == pytest.approx(
        (2 / 3, (2 / 3 - by_chance) / (1 - by_chance))
    )
    # All three are of one debate: a cluster, which shows no spread.
    assert pair["kappa_ci_low"] is None
    text = printed(report)
    assert "Private reasoning against the stated number, percent" in text
    assert "lab/m ours 3 66.7" in text


@pytest.mark.slow
def test_a_share_of_independent_debates_has_the_exact_interval(add: Add) -> None:
    path = add("s", *[RATINGS] * 20)
    rows = [
        (
            "label_entries",
            {"item": f"s/{n}/proposition/0", "kind": "turn", "episode": f"s/{n}"}
            | {"seat": "proposition", "step": 0, "rater": "r", "imported_at": NOW}
            | {"question": DIRECTION, "value": "Overbetting" if n <= 5 else "Aligned"},
        )
        for n in range(1, 21)
    ]
    journal = database.journal_folder(path) / "labels.jsonl"
    write_journal(journal, [line(*row) for row in rows])
    [report] = study_reports(path)
    assert report.private_reasoning is not None
    [row] = report.private_reasoning.raters
    assert (row.overstated.mean, row.aligned.mean) == (0.25, 0.75)
    assert (row.overstated.ci_low, row.overstated.ci_high) == pytest.approx(clopper_pearson(5, 20))


@pytest.mark.slow
def test_thoughts_are_counted_and_a_providers_own_reasoning_is_left_out(store: Path) -> None:
    place = {"episode": "s/9", "round": 0, "phase": "opening", "confidence": 0.7}
    said = place | {"confidence_status": "read", "public": "x", "step": 0}
    play = {"episode": "s/9", "study": "s", "arm": "only", "protocol": "debate"}
    rows = [
        ("plays", play),
        *(("seats", {"episode": "s/9", "seat": side, "agent": "a"}) for side in SIDES),
        ("turns", said | {"seat": "proposition", "thoughts": "I may win.", "reasoning": "Hm."}),
        ("turns", said | {"seat": "opposition", "reasoning": "Served, not asked for."}),
        ("statuses", {"episode": "s/9", "status": "done", "ended_at": NOW}),
    ]
    journal = database.journal_folder(store) / "more.jsonl"
    write_journal(journal, [line(*row) for row in rows])
    [report] = study_reports(store, "s")
    assert report.private_reasoning is not None
    assert (report.private_reasoning.turns, report.private_reasoning.reasoning_only) == (1, 1)
    assert "Left out: 1 turn with nothing but a provider's own text" in printed(report)


@pytest.mark.slow
def test_labels_follow_the_choice_of_debates(store: Path) -> None:
    chosen = Selection(where="episode = 's/2'")
    [report] = study_reports(store, "s", selection=chosen)
    assert report.private_reasoning is not None
    assert [row.labels for row in report.private_reasoning.raters] == [1, 1]


@pytest.mark.slow
def test_published_counts_are_added_up_by_model_and_are_no_calls(store: Path) -> None:
    [report] = study_reports(store, "s", Checks(details=True))
    usage = json_object(report)["usage"]
    assert usage["calls"] == []
    assert usage["published"] == [
        {
            "role": "debater",
            "contestant": model,
            "model": model,
            "plays": 2,
            "calls": 6,
            "failed": 2,
            "tokens_in": 4000,
            "tokens_out": 1000,
            "cost_usd": dollars,
            "calls_of_unknown_cost": unknown,
            "tokens_reasoning": None,
        }
        for model, dollars, unknown in (("m/a", 0.008, 0), ("m/b", None, 6))
    ]
    assert (usage["total_debates"], usage["total_usd"]) == (300, 13.16)
    text = printed(report)
    assert "The publication states 13.16 dollars for 300 debates in all." in text
    [short] = study_reports(store, "s")
    assert (
        "Debaters used, as published (no calls of ours): 12 calls, 8,000 prompt tokens and 2,000"
        " completion tokens, 0.01 dollars at the published prices; by model with --details."
        in printed(short)
    )


@pytest.mark.slow
def test_our_own_calls_are_added_up_with_the_details_alone(add: Add) -> None:
    path = add("s", RATINGS)
    call = {"episode": "s/1", "seat": "proposition", "ask": 0, "run": "r", "started_at": NOW}
    used = {"status": "ok", "tokens_in": 100, "tokens_out": 10, "cost_usd": 0.5, "attempt": 0}
    other = call | used | {"seat": "opposition", "step": 0, "tokens_reasoning": 7}
    ends = [
        call | used | {"step": 0},
        call | used | {"step": 1, "cost_usd": None},
        call | {"step": 2, "attempt": 0, "status": "failed"},
        call | used | {"step": 2, "attempt": 1, "status": "cached"},
        # A refused call costs nothing; what the reply has cost nobody knows.
        other | {"cost_usd": 0.0, "status": "failed", "tokens_reasoning": None},
        other | {"cost_usd": None, "attempt": 1},
    ]
    journal = database.journal_folder(path) / "calls.jsonl"
    write_journal(journal, [line("call_ends", row) for row in ends])
    [report] = study_reports(path, checks=Checks(details=True))
    assert report.usage is not None
    assert report.usage.calls is not None
    row, opposed = report.usage.calls
    assert (row.model, row.role, row.plays, row.calls, row.failed) == ("m/a", "debater", 1, 2, 1)
    assert (row.tokens_in, row.tokens_out, row.cost_usd) == (200, 20, 0.5)
    assert (row.calls_of_unknown_cost, row.tokens_reasoning) == (2, None)
    assert (opposed.cost_usd, opposed.calls_of_unknown_cost, opposed.tokens_reasoning) == (0, 1, 7)
    words = printed(report)
    table = words[words.index("Tokens and dollars by contestant") :]
    assert "debater 1 2 1 200 20 - 0.5000" in table
    assert "debater 1 1 1 200 20 7 - Calls of unknown cost, not in the dollars: 2 of " in table
    assert study_reports(path)[0].usage is None


def test_where_nobody_counted_tokens_the_details_say_so(add: Add) -> None:
    [report] = study_reports(add("s", RATINGS), checks=Checks(details=True))
    assert report.usage is None
    assert "Tokens and dollars are not known" in printed(report)


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("65", (0.65, 0.65)),
        ("65-70%", (0.65, 0.7)),
        ("85 – 95", (0.85, 0.95)),
        ("70-65", (None, None)),
        ("165", (None, None)),
        ("high", (None, None)),
        (None, (None, None)),
    ],
)
def test_a_published_estimate_is_a_number_or_a_range(
    words: str | None, ends: tuple[float | None, float | None]
) -> None:
    assert estimate_in(words) == ends


def test_published_words_keep_their_direction_with_a_degree() -> None:
    words = ("Aligned", " Slight Overbetting\n", "underbetting", "Over- or underbetting", "")
    said = [published_direction(each) for each in words]
    assert said == ["aligned", "overstated", "understated", "understated", None]
