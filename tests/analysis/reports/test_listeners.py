"""Listener gaps by kind of explanation, and what convinces: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.read.assessed_replies import AssessedReplies
from analysis.reports.listeners import listener_findings

# By answer: an explanation of each length, and one that states a number.
PHASES = [f"explanation: {length}, none" for length in ("short", "long")] + ["answer"]
UNFAIR = frozenset({"states a number"})


def heard(name: str, value: list[float]) -> AssessedReplies:
    """Two answers, the first right: short, long and bare; the last bare one states a number."""
    n = len(value)
    return AssessedReplies(
        *("s", "a", "x", "m", name, name),
        np.repeat([0, 1], 3),
        np.repeat(np.array(["e0", "e1"]), 3),
        np.array(PHASES * 2),
        np.array([100.0, 1000, 10] * 2),
        (*(frozenset[str](),) * (n - 1), UNFAIR),
        np.repeat([1.0, 0.0], 3),
        np.repeat([0, 1], 3),
        np.repeat([0.9, 0.4], 3),
        np.array(value),
        ("scored",) * n,
    )


def test_gaps_are_by_kind_of_reply_and_unfair_ones_are_left_out_and_counted() -> None:
    found = listener_findings([heard("l", [0.6, 0.8, 0.7, 0.5, 0.9, 1.0])])
    assert found is not None
    rows = {row.reply: row for row in found.gaps}
    assert list(rows) == ["short, none", "long, none", "answer"]
    assert (rows["answer"].gap.n, rows["answer"].unfair) == (1, 1)
    long = rows["long, none"].gap
    assert (long.model, long.listener) == pytest.approx((0.65, 0.85))
    assert (long.auroc_model, long.auroc_listener) == (1, 0)
    assert long.auroc_gap.mean == 1
    assert long.overconfidence.mean == pytest.approx(0.35)


def test_longer_explanations_are_paired_by_answer() -> None:
    found = listener_findings([heard("l", [0.6, 0.8, 0.7, 0.5, 0.9, 1.0])])
    assert found is not None
    [row] = found.convincing
    assert (row.more, row.less, row.n, row.questions) == ("long", "short", 2, 2)
    assert row.change.mean == pytest.approx(0.3)
    assert (row.of_right.mean, row.of_wrong.mean) == pytest.approx((0.2, 0.4))
    [slope] = found.slopes
    # One decade of length within each answer: the mean rise of the logit by ln 10.
    logits = np.log(np.array([0.8 / 0.2, 0.9 / 0.1])) - np.log(np.array([0.6 / 0.4, 1.0]))
    assert slope.slope.mean == pytest.approx(logits.mean() / np.log(10))


def test_several_listeners_of_the_same_replies_are_averaged_by_reply_too() -> None:
    one, other = [0.6, 0.8, 0.7, 0.5, 0.9, 1.0], [0.8, 0.8, 0.7, 0.1, 0.1, 1.0]
    found = listener_findings([heard("one", one), heard("other", other)])
    assert found is not None
    assert {row.listener for row in found.gaps} == {"one", "other", "all listeners, averaged"}
    [row] = [
        row for row in found.gaps if row.listener.startswith("all") and row.reply == "short, none"
    ]
    assert row.gap.listener == pytest.approx((0.7 + 0.3) / 2)
    assert listener_findings([]) is None
