"""What is read of a store's answers, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.read.answers import read_answers
from arena.store.database import journal_folder
from arena.store.journal import line, write_journal

Add = Callable[..., Path]
RIGHT, WRONG, LOST = ("4", True, 0.9), ("5", False, 0.6), (None, None, None)
DEBATE = {"ratings": [(60, 70, 80), (50, 60, 70)]}


def test_plays_lie_by_arm_and_question_with_what_they_took(solve: Add) -> None:
    calls = [(100, 20, 0.5), ("failed", None, None, 0.0), (110, 30, 0.25)]
    path = solve(
        "s",
        {"final": RIGHT, "calls": calls, "routes": 3},
        {"arm": "vote", "question": 1, "final": WRONG},
        {"question": 1},
    )
    [found] = read_answers(path)
    assert (found.arms, found.protocols, found.models, found.questions) == (
        ("single", "vote"),
        ("solve", "solve"),
        ("m/a",),
        2,
    )
    plays = found.plays
    assert plays.arm.tolist() == [0, 0, 1]
    assert plays.question.tolist() == [0, 1, 1]
    assert plays.correct.tolist() == [1, 1, 0]
    assert plays.confidence == pytest.approx([0.9, np.nan, 0.6], nan_ok=True)
    assert [
        getattr(plays, name)[0]
        for name in ("calls", "answered", "tokens_in", "tokens_out", "cost_usd", "routes")
    ] == [3, 2, 210, 50, 0.75, 3]
    assert (plays.calls[1], plays.routes[1]) == (0, 0)
    assert np.isnan(plays.tokens_out[1])


def test_unreadable_answers_are_nan_with_a_reason_and_absent_ones_too(solve: Add) -> None:
    [found] = read_answers(
        solve("s", {"final": LOST}, {"question": 1, "final": None, "paths": [RIGHT]})
    )
    assert np.isnan(found.plays.correct).all()
    assert found.plays.status.tolist() == ["no answer", "no final answer"]


def test_paths_stand_in_the_order_of_their_numbers_and_votes_are_codes(solve: Add) -> None:
    """path10 after path9, not after path1; no value, no vote."""
    paths = [(str(10 - k), k == 6, 0.5) for k in range(11)] + [LOST]
    [found] = read_answers(solve("s", {"paths": paths}))
    given = found.all_answers
    mine = given.path
    assert given.seat[mine].tolist() == list(range(1, 13))
    assert np.flatnonzero(given.correct[mine] == 1).tolist() == [6]
    assert given.vote[mine][-1] == -1
    assert len(set(given.vote[mine].tolist())) == 12
    assert given.vote[mine][6] == given.vote[given.final][0]


def test_stages_say_which_answer_is_first_and_which_is_last(solve: Add) -> None:
    paths = [("p0", 0, *WRONG), ("p0", 1, *RIGHT), ("solver", 0, *WRONG)]
    [found] = read_answers(solve("s", {"paths": paths, "final": ("solver", 1, *RIGHT)}))
    given = found.all_answers
    assert given.path.tolist() == [False, True, True, False]
    assert given.first.tolist() == [True, False, True, False]
    assert given.last.tolist() == [False, True, False, True]
    assert given.final.tolist() == [False, False, False, True]


def test_only_finished_plays_are_read_and_the_others_counted(solve: Add) -> None:
    path = solve("s", {}, {"question": 1, "status": "failed"}, {"arm": "never", "status": "open"})
    [found] = read_answers(path)
    assert found.plays.correct.tolist() == [1]
    assert found.arms == ("never", "single")
    assert {(count.arm, count.what, count.n) for count in found.episodes} == {
        ("single", "done", 1),
        ("single", "failed", 1),
        ("never", "open", 1),
    }
    assert {(count.what, count.reason) for count in found.missing} == {
        ("episode", "failed: Refused"),
        ("episode", "open"),
    }


@pytest.mark.slow
def test_each_study_is_read_by_itself_and_debates_are_none(add: Add, solve: Add) -> None:
    add("debated", DEBATE, DEBATE | {"status": "failed"})
    solve("one", {}, {"question": 1, "paths": [RIGHT]})
    path = solve("two", {"final": WRONG, "model": "m/b", "paths": [WRONG, RIGHT]})
    found = {record.study: record for record in read_answers(path)}
    assert list(found) == ["one", "two"]
    assert found["one"].plays.correct.tolist() == [1, 1]
    assert found["one"].all_answers.play.tolist() == [0, 1, 1]
    assert found["two"].all_answers.play.tolist() == [0, 0, 0]
    assert found["two"].models == ("m/b",)
    assert [record.study for record in read_answers(path, "two")] == ["two"]
    assert (
        read_answers(path, "two")[0].all_answers.correct.tolist()
        == found["two"].all_answers.correct.tolist()
    )
    assert read_answers(path, "debated") == read_answers(path, "nobody") == []


def test_a_study_in_which_nothing_is_finished_is_read_too(solve: Add) -> None:
    [found] = read_answers(solve("s", {"status": "open"}))
    assert (found.questions, found.plays.correct.size, found.all_answers.play.size) == (0, 0, 0)


def test_one_run_with_simulated_models_marks_the_study(solve: Add) -> None:
    assert not read_answers(solve("s", {}))[0].simulated
    assert read_answers(solve("s", {"question": 1}, simulated=True))[0].simulated


@pytest.mark.slow
def test_a_debate_about_a_question_answers_nothing(solve: Add) -> None:
    path = solve("s", {})
    rows: list[tuple[str, dict[str, object]]] = [
        ("plays", {"episode": "e", "study": "open", "arm": "debates", "subject": "question 0"}),
        ("seats", {"episode": "e", "seat": "proposition", "model": "m/a"}),
    ]
    write_journal(journal_folder(path) / "z.jsonl", [line(table, row) for table, row in rows])
    assert [record.study for record in read_answers(path)] == ["s"]
