"""Answers to questions from before and after a model's release."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from scipy import stats

from agents.scripted import scripted_model
from analysis.reports.publication import is_before
from analysis.reports.report import publication_report
from arena import Agent, Arena, Arm, Study, Subject
from arena.cli.main import main
from arena.errors import StudyError
from arena.types import Request
from protocols.single import single

MODEL = "scripted/parrot"
DAY = "2025-06-01"


def remembers(request: Request) -> str:
    """Know the answers to old questions, and to every third of the new ones."""
    words = request.messages[-1].content
    return "\\boxed{4}" if "old" in words or " 0 " in words or " 3 " in words else "\\boxed{5}"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play six old questions, six new ones and one without a day."""
    path = tmp_path_factory.mktemp("days") / "a.duckdb"
    ask = [Subject(f"An old sum, {n} : 2+2?", "question", "4") for n in range(6)]
    subjects = [replace(each, published="2024-12-31") for each in ask]
    subjects += [
        Subject(f"A new sum, {n} : 2+2?", "question", "4", published=DAY) for n in range(6)
    ]
    subjects.append(Subject("A sum without a day: 2+2?", "question", "4"))
    lineup = [{"solver": Agent("p", scripted_model(remembers, "parrot"))}]
    assert Arena(path).run(Study("s", [Arm("a", single, lineup)], subjects)).failed == 0
    return path


def test_what_was_learned_by_heart_is_right_more_often_before_the_release(path: Path) -> None:
    [found] = publication_report(path, {MODEL: DAY})
    [row] = found.rows
    assert (row.before.n, row.before.mean) == (6, 1.0)
    assert (row.after.n, row.after.mean) == (6, pytest.approx(1 / 3))
    assert row.undated == 1
    test = stats.ttest_ind([1] * 6, [1, 0, 0, 1, 0, 0], equal_var=False)
    assert row.difference == pytest.approx(2 / 3)
    assert row.p == pytest.approx(test.pvalue)
    assert (row.ci_low, row.ci_high) == pytest.approx((test.confidence_interval().low, 1.0))


@pytest.mark.parametrize(
    ("published", "released", "before"),
    [
        (None, "2025-08-07", None),
        ("2025", "2025-08-07", None),
        ("2025-08", "2025-08-07", None),
        ("2025-08", "2025-08-01", False),
        ("2025", "2025-01-01", False),
        ("2025-07", "2025-08-07", True),
        ("2024", "2025-08-07", True),
        ("2025-09", "2025-08-07", False),
        ("2025-08-06", "2025-08-07", True),
        ("2025-08-07", "2025-08-07", False),
    ],
)
def test_a_question_of_the_month_of_a_release_is_on_no_side_of_it(
    published: str | None, released: str, before: bool | None
) -> None:
    assert is_before(published, date.fromisoformat(released)) is before


def test_a_model_that_came_out_last_has_no_later_questions(path: Path) -> None:
    [found] = publication_report(path, {MODEL: "2026-01-01"})
    assert (found.rows[0].before.n, found.rows[0].after.n) == (12, 0)
    assert found.rows[0].p != found.rows[0].p


def test_the_command_prints_the_table(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--db", str(path), "--released", f"{MODEL}={DAY}"]) == 0
    text = capsys.readouterr().out
    assert "before and after a model came out" in text
    assert "100.0" in text


@pytest.mark.parametrize(
    ("released", "words"),
    [
        ({"openai/gpt": DAY}, "openai/gpt has answered no question here; those who have: scripted"),
        ({MODEL: "June"}, "must read like 2025-08-07, found 'June'"),
    ],
)
def test_bad_input_is_one_sentence(path: Path, released: dict[str, str], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        publication_report(path, released)
