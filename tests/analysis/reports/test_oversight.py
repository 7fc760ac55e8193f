"""Judges' accuracy by format, against a table made by hand, and strengths by a judge."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, log2
from pathlib import Path

import numpy as np
import pytest

from agents import agent
from agents.simulated.passages import simulated_passages
from analysis.read.answers import read_answers
from analysis.read.oversight import Argument, JudgeDecisions, read_oversight
from analysis.read.selection import ALL, open_selected
from analysis.reports.oversight import oversight_findings
from arena import Agent, Arena, Arm, RunSelection, Study
from arena.tournaments.stages import run_stages
from protocols.oversight import consultancy, judged_debate
from protocols.oversight_judges import judge_alone, panel

NAN = float("nan")


def argument(first_right: bool, questions: int, *agents: str) -> Argument:
    """An argument of two sides, each with one quote that stands in the text if it is right."""
    claims = {
        "debater": (agents[0], first_right),
        "opponent": (agents[1], not first_right),
    }
    ratings = ((first_right, 0.7, agents[0]), (not first_right, 0.6, agents[1]))
    return Argument(claims, first_right, ((True, True), (False, False)), ratings, questions)


def made_up() -> JudgeDecisions:
    """Three plays of two decisions each: both right, one right, and one right and one unread."""
    one, two = argument(True, 0, "x", "y"), argument(False, 2, "y", "x")
    return JudgeDecisions(
        "s",
        "debate",
        "judge",
        "judged_debate",
        "{}",
        np.array([0, 0, 1, 1, 2, 2]),
        np.array(["a", "a", "b", "b", "c", "c"]),
        np.array([False, True] * 3),
        np.array([1.0, 1.0, 1.0, 0.0, 1.0, NAN]),
        np.array([0.9, 0.8, 0.7, 0.6, 0.5, NAN]),
        (one, one, two, two, one, one),
    )


def test_the_numbers_are_those_of_the_table_by_hand() -> None:
    found = oversight_findings([made_up()])
    assert found is not None
    (row,) = found.formats
    assert (row.plays, row.missing, row.quotes) == (3, 1, 6)
    assert row.accuracy.mean == pytest.approx(4 / 5)
    assert row.when_right.mean == 1
    assert row.when_wrong.mean == pytest.approx(1 / 2)
    assert (row.in_first, row.in_second) == (1.0, 0.5)
    assert row.confidence == pytest.approx(3.5 / 5)
    assert row.overconfidence.mean == pytest.approx((3.5 - 4) / 5)
    assert row.brier == pytest.approx((0.01 + 0.04 + 0.09 + 0.36 + 0.25) / 5)
    assert (row.verified_right, row.verified_wrong) == (1.0, 0.0)
    chances = [(0.9, 0), (0.8, 0), (0.7, 2), (0.4, 2), (0.5, 0)]
    payoff = sum(log2(p) - 0.05 * n for p, n in chances) / 5
    assert row.payoff == pytest.approx(payoff)
    # The right side wins four of five decisions, the wrong one one.
    won = [0.7 - 1, 0.6 - 0] * 2
    swapped = [0.7 - 0, 0.6 - 1, 0.7 - 1, 0.6 - 0]
    gaps = [*won, *swapped, 0.7 - 1, 0.6 - 0]
    assert row.debaters.mean == pytest.approx(sum(gaps) / 10)


def test_consultants_for_both_answers_are_one_row_beside_their_two() -> None:
    right, wrong = (
        replace(
            made_up(),
            arm=f"consultancy, {side}",
            protocol="consultancy",
            options=options,
            episode=np.array([f"{side}{each}" for each in "aabbcc"]),
        )
        for side, options in (("right", "{}"), ("wrong", '{"argues": "wrong"}'))
    )
    wrong = replace(wrong, correct=np.array([0.0, 0.0, 1.0, 0.0, 0.0, NAN]))
    found = oversight_findings([right, wrong])
    assert found is not None
    one, two, both = found.formats
    assert (both.arm, both.plays, both.missing) == ("consultancy, both", 6, 2)
    assert both.accuracy.mean == pytest.approx((4 + 1) / 10)
    assert both.accuracy.mean == pytest.approx((one.accuracy.mean + two.accuracy.mean) / 2)
    # A question of both arms is one cluster.
    assert both.accuracy.clusters == 3
    other = replace(wrong, options='{"argues": "wrong", "rounds": 1}')
    assert len(getattr(oversight_findings([right, other]), "formats", ())) == 2


def test_two_orders_of_a_judge_are_neither_paths_nor_changes(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "n.duckdb")
    judge = agent("sim/evidence_judge")
    arena.run(
        Study("alone", [Arm("naive", judge_alone, [{"judge": judge}])], simulated_passages(4))
    )
    [report] = arena.report("alone").results
    assert report.answers is not None
    [arm] = report.answers.arms
    assert (arm.paths, arm.changes, [row.what for row in arm.calibration]) == (None, (), ["final"])
    text = str(arena.report("alone"))
    assert "Single decisions" in text
    assert "Pass@1" not in text


def test_a_judge_of_one_agent_rates_nobody() -> None:
    found = oversight_findings([made_up()])
    assert found is not None
    assert {row.agent for row in found.debaters} == {"x", "y"}
    assert oversight_findings([]) is None


def test_judges_of_several_debates_of_one_question_are_one_cluster(tmp_path: Path) -> None:
    one, two = (
        Agent(name, agent(f"sim/advocate:seed={seed}").model) for seed, name in enumerate("ab")
    )
    judge = agent("sim/evidence_judge")
    pairs = [{"debater": a, "opponent": b, "judge": judge} for a, b in ((one, two), (two, one))]
    study = Study(
        "argued", [Arm("debate", judged_debate, pairs, {"rounds": 1})], simulated_passages(3)
    )
    arena = Arena(tmp_path / "p.duckdb")
    run_stages(arena, [study, panel("panel", study, [judge])], selection=RunSelection())
    with open_selected(arena.path, ALL) as (con, _):
        [found] = read_oversight(con, "panel")["panel"]
    assert (np.unique(found.episode).size, np.unique(found.question).size) == (6, 3)
    [record] = read_answers(arena.path, "panel")
    assert (record.plays.correct.size, record.questions) == (6, 3)


@pytest.mark.slow
def test_a_report_shows_what_was_planted(tmp_path: Path) -> None:
    weak, strong = (
        Agent(name, agent(f"sim/advocate:{words}").model)
        for name, words in (("weak", "skill=0.2:invents=0"), ("strong", "strength=2"))
    )
    judge = agent("sim/evidence_judge:trust=1")
    arms = [
        Arm("naive", judge_alone, [{"judge": judge}]),
        Arm(
            "debate",
            judged_debate,
            [
                {"debater": one, "opponent": other, "judge": judge}
                for one in (weak, strong)
                for other in (weak, strong)
            ],
            {"rounds": 1},
        ),
        *(
            Arm(
                f"consultancy, {side}",
                consultancy,
                [{"consultant": strong, "judge": judge}],
                {"argues": side, "quotes": "unchecked", "rounds": 1},
            )
            for side in ("right", "wrong")
        ),
    ]
    arena = Arena(tmp_path / "o.duckdb")
    arena.run(Study("oversight", arms, simulated_passages(40)))
    report = arena.report("oversight")
    (findings,) = (each.assessments.oversight for each in report.results)
    by_arm = {row.arm: row for row in findings.formats}
    assert 0.3 < by_arm["naive"].accuracy.mean < 0.7
    assert isnan(by_arm["naive"].when_right.mean)
    assert by_arm["consultancy, right"].accuracy.mean > 0.9
    assert by_arm["consultancy, wrong"].when_wrong.mean < 0.1
    assert by_arm["debate"].verified_right > by_arm["debate"].verified_wrong
    ratings = {row.agent: row for row in findings.debaters}
    assert ratings["strong"].rating > ratings["weak"].rating + 100
    assert "Strength of debaters by judge" in str(report)
