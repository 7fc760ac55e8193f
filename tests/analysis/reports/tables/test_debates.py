"""The report in the terminal: narrow enough, loud about simulations, and open about what is
missing.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report

Add = Callable[..., Path]
PLAYED = {"ratings": [(60, 70, 80), (50, 60, 76)], "votes": [("proposition", 0.8)]}
OTHER = {
    "ratings": [(70, "no rating tag", 90), (55, 65, 95)],
    "models": ("m/a", "m/a"),
    "votes": [("opposition", 0.6)],
}


def printed(path: Path, *, rules: bool = False) -> str:
    out = io.StringIO()
    print_report(study_reports(path), out, rules=rules)
    return out.getvalue()


def test_the_tables_hold_the_numbers(add: Add) -> None:
    text = printed(add("s", PLAYED, OTHER))
    assert text.startswith("s: 2 debates, played\n")
    for words in (
        "58.75",
        "From opening to closing",
        "2 (100.0)",
        "m/b",
        "Confidence against the jury",
        "no rating tag",
    ):
        assert words in text


@pytest.mark.slow
def test_rules_stand_at_the_end_on_request_and_else_the_command_that_prints_them(add: Add) -> None:
    text = printed(add("s", PLAYED, OTHER))
    assert text.endswith("\nRules behind these numbers: arena report --rules\n")
    assert "closed on the right" not in text
    whole = printed(add("t", PLAYED, OTHER), rules=True)
    tables, _, stated = whole.partition("\nRules\n")
    assert "arena report --rules" not in whole
    assert "closed on the right" in stated
    assert "closed on the right" not in tables
    # Two studies, and each rule once.
    assert stated.count("\n  ece: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s", "a study with a very long name " * 8])
def test_no_line_is_wider_than_100_columns(add: Add, name: str) -> None:
    long = OTHER | {
        "models": ("provider/" + "long-model-name" * 8, "m/b"),
        "arm": "an arm " * 20,
        "flags": ["a doubt in many words " * 8],
    }
    text = printed(add(name.strip(), PLAYED, long))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


def test_simulated_studies_say_so_loudly(add: Add) -> None:
    add("played", PLAYED)
    text = printed(add("dry run", PLAYED, simulated=True))
    assert text.count("SIMULATED") == 1
    assert text.index("dry run") < text.index("SIMULATED")


def test_unfinished_debates_stand_in_the_heading(add: Add) -> None:
    text = printed(add("s", PLAYED, PLAYED | {"status": "failed"}, PLAYED | {"status": "open"}))
    assert text.startswith("s: 1 of 3 debates (1 failed, 1 open), played\n")


def test_a_study_without_ratings_says_so(add: Add) -> None:
    text = printed(add("s", {"ratings": [("none",) * 3] * 2}))
    assert "No finished debate with a rating." in text
    assert "Nothing is missing." in text


def test_one_debate_prints_dashes_for_what_is_undefined(add: Add) -> None:
    text = printed(add("s", PLAYED))
    assert "None" not in text
    assert "nan" not in text.split("Rules")[0].replace("Finished", "")


def test_names_cannot_steer_the_terminal(add: Add) -> None:
    text = printed(
        add("s", PLAYED | {"models": ("\x1b[31mred", "[bold]b"), "flags": ["\x1b]0;title\x07"]})
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]b" in text


def test_an_empty_store_says_so() -> None:
    out = io.StringIO()
    print_report([], out)
    assert out.getvalue() == "There are no debates in this store yet.\n"
