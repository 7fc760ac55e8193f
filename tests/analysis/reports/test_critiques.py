"""Critique accuracy over right and convincing wrong replies: by hand, and with a planted critic."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.read.assessed_replies import AssessedReplies
from analysis.reports.critiques import critique_row, most_frequent

NAN = float("nan")


def replies(
    question: list[int], answer: list[int], correct: list[float], value: list[float]
) -> AssessedReplies:
    n = len(question)
    words = np.array([""] * n)
    codes = np.array(question), np.array(answer)
    return AssessedReplies(
        *("s", "a", "x", "m", "c", "m"),
        *(codes[0], words, words, np.ones(n), (frozenset[str](),) * n),
        *(np.array(correct), codes[1], np.ones(n), np.array(value), ("scored",) * n),
    )


def test_only_the_most_frequent_wrong_answer_of_a_question_convinces() -> None:
    question = np.array([0, 0, 0, 0, 1, 1, 2])
    answer = np.array([0, 1, 1, 2, 3, 4, -1])
    wrong = np.array([False, True, True, True, True, True, True])
    chosen = most_frequent(question, answer, wrong)
    # In question 1 both wrong answers are equally frequent; the last reply has no answer.
    assert chosen.tolist() == [False, True, True, False, True, True, False]


def test_replies_of_a_kind_weigh_as_one_a_question_and_both_kinds_alike() -> None:
    found = replies(
        [0, 0, 0, 0, 1, 1],
        [0, 0, 1, 2, 3, 4],
        [1, 1, 0, 0, 1, NAN],
        [1, 0, 0.2, 1, 0.9, 1],
    )
    row = critique_row(found)
    assert (row.judged, row.without, row.right, row.convincing, row.questions) == (5, 1, 3, 2, 2)
    # Right: a half in question 0, all in question 1; wrong: one of two, equally frequent.
    assert row.of_right.mean == pytest.approx(0.75)
    assert row.of_convincing.mean == pytest.approx(0.5)
    assert row.accuracy.mean == pytest.approx(0.625)
    assert row.of_all.mean == pytest.approx(3 / 5)


def test_a_planted_critic_is_found_whatever_the_share_of_right_replies() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(40):
        question = np.repeat(np.arange(80), 5)
        right = rng.random(400) < 0.8
        answer = np.where(right, 0, rng.choice([1, 2, 2, 2], 400)) + 3 * question
        # It sees nine of ten right replies, and six of ten wrong ones.
        true = rng.random(400) < np.where(right, 0.9, 0.6)
        value = np.where(true, right, ~right).astype(float)
        row = critique_row(
            replies(
                question.tolist(), answer.tolist(), right.astype(float).tolist(), value.tolist()
            )
        )
        held += row.accuracy.ci_low < 0.75 < row.accuracy.ci_high
    assert held >= 34
