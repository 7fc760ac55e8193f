"""The DBG score and ours: by hand, and for fair judges that are unsure."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.read.preferences import Preferences
from analysis.reports.self_preference import SelfPreferenceRow, self_preference_rows
from analysis.statistics.clustered import Array

NAN = float("nan")
A, B, J, K, L = (("a", "m/a"), ("b", "m/b"), ("j", "m/j"), ("k", "m/k"), ("l", "m/l"))


def row_of(first: Array, second: Array, judges: tuple[tuple[str, str], ...]) -> SelfPreferenceRow:
    """The row of an agent that judged its own pairs."""
    by = ("choices",) * len(judges)
    [row] = self_preference_rows(Preferences("s", "arm", A, B, "c", judges, by, first, second))
    return row


def test_the_rule_of_the_paper_by_hand() -> None:
    """Three votes of six are a tie; of itself the mean over both orders counts."""
    first = np.array([[0.9, 0.6, 0.3, 0.9], [1, 1, 0, NAN], [1, 1, 0, NAN], [1, 0, 0, NAN]])
    second = np.array([[0.4, 0.3, 0.7, NAN], [1, 0, 0, NAN], [0, 0, 0, NAN], [0, 1, 1, NAN]])
    row = row_of(first, second, (A, J, K, L))
    # By itself 0.65, 0.45, 0.5; the panel has 4, 3 and 1 of 6 votes.
    assert (row.questions, row.without, row.panel) == (3, 1, 3)
    assert row.by_itself == pytest.approx((1 + 0 + 0.5) / 3)
    assert row.by_panel == pytest.approx((1 + 0.5 + 0) / 3)
    assert row.dbg.mean == pytest.approx(0)
    # Its own votes: a half, a half, a half; the panel's: 4/6, 3/6, 1/6.
    assert row.share.mean == pytest.approx(1.5 / 3 - 8 / 18)
    # All of its votes changed with the order, two of them for the one that is read first.
    assert [row.flips, row.to_first] == pytest.approx([1.0, 2 / 3])
    assert row.panel_flips == pytest.approx(6 / 9)


def test_a_tie_is_one_whatever_rounding_leaves_of_it() -> None:
    third = np.full((2, 1), 1 / 3)
    row = row_of(third, 1 - third + 1e-16, (A, J))
    assert (row.by_itself, row.by_panel) == (0.5, 0.5)


def test_the_panel_is_who_is_of_neither_model_and_without_one_there_is_no_difference() -> None:
    twin = ("persona", "m/b")
    ones = np.ones((3, 2))
    row = row_of(ones, ones, (A, B, twin))
    assert (row.panel, row.questions) == (0, 0)
    assert np.isnan([row.dbg.mean, row.by_itself]).all()
    unjudged = Preferences("s", "arm", A, B, "c", (J,), ("words",), ones[:1], ones[:1])
    assert self_preference_rows(unjudged) == ()


def test_a_fair_judge_that_is_unsure_loses_by_the_majority_and_not_by_the_share() -> None:
    """All vote for the better answer, the agent's own, in seven of ten readings."""
    rng = np.random.default_rng(7)
    first, second = (rng.random((2, 6, 1000)) < 0.7).astype(float)
    row = row_of(first, second, (A, J, K, L, ("n", "m/n"), ("o", "m/o")))
    assert row.dbg.ci_high < -0.1
    assert row.share.ci_low < 0 < row.share.ci_high
