"""What a report says where nothing could be read, or arms share no question: nothing made up."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from pathlib import Path

from analysis.reports.answers import AnswerFindings
from analysis.reports.debates import report, study_reports
from analysis.reports.tables.answers import NONE_READ, answer_blocks

Add = Callable[..., Path]
RIGHT, WRONG, LOST = ("4", True, 0.9), ("5", False, 0.6), (None, None, None)


def found(path: Path) -> AnswerFindings:
    """Return the answers of the one study of a store."""
    [whole] = study_reports(path)
    assert whole.answers is not None
    return whole.answers


def printed(of: AnswerFindings) -> str:
    """Return all blocks as text."""
    return "\n".join(map(str, answer_blocks(of, simulated=False)))


def test_nobody_corrects_an_answer_that_nobody_could_read(solve: Add) -> None:
    rounds = [("a", 0, *LOST), ("a", 1, *RIGHT)]
    plays = [{"paths": rounds, "question": each} for each in range(3)]
    path = solve("s", *plays)
    [arm] = found(path).arms
    row = next(each for each in arm.changes if each.what == "first to last")
    assert (row.pairs, row.unreadable, row.all.n, row.all.wrong_to_right) == (3, 3, 0, 0)
    assert all(isnan(each.mean) for each in (row.all.cl, row.all.cs, row.all.acc1, row.all.acc2))
    assert row.all.reason == "no first answer can be read, so no change is known"
    assert report(path)[0]["answers"]["arms"][0]["changes"][0]["cs"]["mean"] is None


def test_pairs_that_can_be_read_stand_beside_all_of_them(solve: Add) -> None:
    rounds = [[("a", 0, *first), ("a", 1, *RIGHT)] for first in (LOST, RIGHT, WRONG)]
    plays = [{"paths": each, "question": number} for number, each in enumerate(rounds)]
    assert "without them Acc1 50.0, Acc2 100.0, CL 100.0, CS 100.0" in printed(
        found(solve("s", *plays))
    )


def test_an_arm_without_a_readable_answer_is_compared_with_nothing(solve: Add) -> None:
    plays = [{"question": each, "final": RIGHT} for each in range(3)]
    lost = [{"arm": "lost", "question": each, "paths": [LOST], "final": LOST} for each in range(3)]
    answers = found(solve("s", *plays, *lost))
    [row] = answers.differences
    assert row.difference.questions == 3
    assert all(isnan(each) for each in (row.difference.all.mean, row.difference.p, row.p_holm))
    text = printed(answers)
    assert NONE_READ in text
    assert "'lost', '1', '-', '-', '-'" in text


def test_arms_on_questions_of_their_own_have_budgets_and_no_empty_rows(solve: Add) -> None:
    one, eight = [(50, 100, 0.001)], [(50, 100, 0.001)] * 8
    answers = found(
        solve(
            "s",
            {"calls": one, "final": RIGHT},
            {"arm": "other", "question": 1, "calls": eight, "final": RIGHT},
        )
    )
    assert answers.budget is not None
    assert (answers.budget.questions, answers.budget.answered.equal) == (0, False)
    assert answers.budget.notes[0].startswith("NOT THE SAME BUDGET: calls with a reply")
    assert answers.budget.notes[-1].startswith("No question is common to all arms")
    assert "Left out: 1 pair of arms without a common question." in printed(answers)
