"""Rules that decide between an own answer and one with a text, on hand-made numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents import agent
from agents.simulated.documents import simulated_documents
from analysis.read.contexts import Sides, Told
from analysis.reports.contexts import best_threshold, faithfulness_rows, lead, weighing_row
from analysis.reports.report import debate_report
from arena import Arena, Arm, Study
from protocols.situated_faithfulness import situated_faithfulness


def sides(own: list[float], sure: list[float], told: list[float], told_sure: list[float]) -> Sides:
    """Pairs of answers to questions of their own."""
    numbers = (np.array(each) for each in (own, sure, told, told_sure))
    return Sides("s", "stated", np.arange(len(own)), *numbers)


def test_the_surer_side_is_taken_and_one_without_a_confidence_never() -> None:
    nan = float("nan")
    found = sides([1, 0, 1, 0], [0.9, 0.9, nan, 0.5], [0, 1, 0, 1], [0.2, nan, 0.1, 0.5])
    assert lead(found).tolist() == pytest.approx([0.7, np.inf, -np.inf, 0.0])
    row = weighing_row(found)
    # Right, wrong, wrong, and right since equals go to the text.
    assert (row.at_zero.mean, row.own.mean, row.told.mean) == (0.5, 0.5, 0.5)
    assert row.either.mean == 1.0


def test_a_threshold_is_judged_on_questions_that_did_not_choose_it() -> None:
    # Surer by 0.1 is wrong, surer by 0.3 right: the best threshold lies between.
    own = [1.0, 0.0] * 20
    own = [own[number // 2] for number in range(40)]
    lead_of = [0.3 if right else 0.1 for right in own]
    row = weighing_row(sides(own, lead_of, [1 - right for right in own], [0.0] * 40))
    assert (row.at_zero.mean, row.tuned.mean) == (0.5, 1.0)
    assert row.thresholds == pytest.approx((0.2, 0.2))
    assert best_threshold(np.array([]), np.array([]), np.array([])) == 0.0


def test_the_report_pools_right_and_wrong_texts_by_signal(tmp_path: Path) -> None:
    lineup = [{"solver": agent("sim/reasoner:noise=0:peer_weight=4")}]
    kinds = [simulated_documents(8, right=right) for right in (True, False)]
    arms = [
        Arm(f"{method} {number}", situated_faithfulness, lineup, {"method": method}, subjects)
        for method in ("stated", "sampled", "explicit")
        for number, subjects in enumerate(kinds)
    ]
    arena = Arena(tmp_path / "a.duckdb")
    study = Study("s", arms, [each for some in kinds for each in some])
    assert arena.run(study).failed == 0
    whole = debate_report(arena.path, "s")
    assert whole.results[0].assessments is not None
    rows = whole.results[0].assessments.weighing
    assert rows is not None
    assert [(row.signal, row.pairs, row.questions) for row in rows] == [
        ("sampled", 16, 8),
        ("stated", 16, 8),
    ]
    for row in rows:
        assert row.either.mean >= max(row.own.mean, row.told.mean, row.tuned.mean)
    assert "Own answer or what it is told" in str(whole)
    means = whole.results[0].assessments.faithfulness
    assert means is not None
    # The mean of both arms of a method, as the table of right answers has them.
    by_arm = {arm.arm: arm.accuracy.share.all.mean for arm in whole.results[0].answers.arms}
    assert [row.method for row in means] == ["explicit", "stated", "sampled"]
    for row in means:
        both = (by_arm[f"{row.method} {number}"] for number in (0, 1))
        assert row.right.mean == pytest.approx(sum(both) / 2)
    assert "the gain over direct input" in str(whole)


def test_the_gain_over_direct_input_is_by_question() -> None:
    direct = Told("direct", "a", ("x", "y", "z"), np.array([0.5, 0.0, 0.5]))
    explicit = Told("explicit", "a", ("x", "y", "w"), np.array([1.0, 0.5, 0.0]))
    first, second = faithfulness_rows([explicit, direct])
    assert (first.method, second.method, first.gain.n) == ("direct", "explicit", 0)
    assert (second.gain.n, second.gain.mean) == (2, 0.5)
    assert second.right.mean == pytest.approx(0.5)
