"""Control arms take a rise apart: by hand, and with effects planted one by one."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import agent
from analysis.figures.registry import figure
from analysis.read.controls import ArmOptions, ControlData, read_controls, role_of
from analysis.read.debates import Debates
from analysis.read.selection import Selection
from analysis.reports.controls import ControlFindings, control_findings
from analysis.reports.debates import report, study_reports
from analysis.reports.standings import study_standings
from analysis.reports.tables.debates import report_document
from arena import Arena, run_stages
from experiments.two_llms_debate import study
from protocols.debate_controls import CONTROLS
from protocols.judging import jury

PHASES = ("before", "opening", "closing")
# By arm: the ratings before, in the opening and in the closing, of both sides of two debates.
RATINGS: dict[str, list[Any]] = {
    "self": [[(nan, 0.5, 0.7), (nan, 0.6, 0.9)], [(nan, 0.5, 0.6), (nan, 0.4, nan)]],
    "before": [[(0.4, nan, nan), (0.5, nan, nan)], [(0.5, nan, nan), (0.4, nan, nan)]],
    "unheard": [[(nan, 0.5, 0.6), (nan, 0.5, 0.6)], [(nan, 0.5, 0.4), (nan, 0.5, 0.6)]],
    "misplaced": [[(nan, 0.5, 0.5), (nan, 0.5, 0.7)], [(nan, 0.4, 0.6), (nan, 0.5, 0.6)]],
    "once": [[(nan, nan, 0.6), (nan, nan, 0.9)], [(nan, nan, 0.6), (nan, nan, 0.7)]],
    "never": [[(nan, nan, nan)] * 2] * 2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "self": {},
    "before": {"phases": ["before"]},
    "unheard": {"opponent": "unheard"},
    "misplaced": {"opponent": "misplaced", "other_motions": ["m"]},
    "once": {"asked": "once"},
    "never": {"confidence": "none"},
}


def made(shared: dict[str, Any] | None = None) -> tuple[Debates, ControlData]:
    """Two debates of two models in each arm, on two motions; each arm has the shared options."""
    ratings = np.array([debate for debates in RATINGS.values() for debate in debates])
    size = len(ratings)
    names = np.array([["a", "b"], ["b", "a"]] * (size // 2), dtype=object)
    winner = ["proposition", "tie", *[None] * (size - 4), "opposition", "opposition"]
    debates = Debates(
        PHASES,
        ratings,
        ~np.isnan(ratings),
        np.zeros(ratings.shape, dtype=bool),
        arm=np.array([arm for arm in RATINGS for _ in range(2)], dtype=object),
        model=names,
        model_code=np.array([[0, 1], [1, 0]] * (size // 2)),
        contestant=names,
        itself=np.zeros(size, dtype=bool),
        winner=np.array(winner, dtype=object),
        by_confidence_sum=np.array(winner, dtype=object),
        votes=np.zeros((size, 4), dtype=np.int64),
        retest=np.zeros((size, 2), dtype=np.int64),
        episode=np.array([f"e{number}" for number in range(size)], dtype=object),
        subject=np.array(["one", "two"] * (size // 2), dtype=object),
        repeat=np.zeros(size, dtype=np.int64),
    )
    arms = [
        ArmOptions(arm, role_of(options), {**options, **(shared or {})})
        for arm, options in OPTIONS.items()
    ]
    asked = {(f"e{debate}", side): 100.0 + 10 * debate for debate in (0, 1) for side in (0, 1)}
    never = {(f"e{debate}", side): 90.0 for debate in (10, 11) for side in (0, 1)}
    return debates, ControlData(tuple(arms), asked | never)


def differences(found: ControlFindings) -> dict[tuple[str, str], float]:
    return {(row.name, row.what): round(row.difference.mean, 9) for row in found.contrasts}


def test_contrasts_are_those_of_the_hand_made_debates() -> None:
    found = control_findings(*made())
    assert found.plain == ("self",)
    assert differences(found) == {
        # 0.1, 0.1, 0.0 and 0.0.
        ("own speech", "opening"): 0.05,
        # -0.1, 0.1, 0.3 and 0.0.
        ("being answered", "rise"): 0.075,
        # 0.2, 0.1 and -0.1; the fourth side did not close.
        ("what is answered", "rise"): round(0.2 / 3, 9),
        # 0.1, 0.2 and 0.2.
        ("the opponent", "rise"): round(0.5 / 3, 9),
        # 0.1, 0.0 and 0.0.
        ("asked before", "closing"): round(0.1 / 3, 9),
        ("asked at all", "words"): 15.0,
        # A win and a tie against two defeats.
        ("asked at all", "wins"): 0.75,
    }
    words = next(row for row in found.contrasts if row.what == "words")
    assert (words.a, words.b, words.difference.clusters) == (105.0, 90.0, 2)
    rise = next(row for row in found.contrasts if row.name == "what is answered")
    # Over what both arms have: rises of 0.2, 0.3 and 0.1, and of 0.0, 0.2 and 0.2.
    assert (round(rise.a, 9), round(rise.b, 9)) == (0.2, round(0.4 / 3, 9))


def test_of_sequential_debates_only_the_proposition_opens_unanswered() -> None:
    found = differences(control_findings(*made({"schedule": "sequential"})))
    # 0.1 and 0.0: the opposition has read the opening that it answers.
    assert found["own speech", "opening"] == 0.05
    debates, data = made({"schedule": "sequential"})
    debates.confidence[:2, 1, 1] = 0.0
    assert differences(control_findings(debates, data))["own speech", "opening"] == 0.05


def test_an_arm_is_compared_only_with_those_that_differ_as_controls_alone() -> None:
    debates, data = made()
    staked = tuple(
        replace(arm, options={**arm.options, "rating": "stake"}) if arm.role == "once" else arm
        for arm in data.arms
    )
    found = control_findings(debates, replace(data, arms=staked))
    assert ("asked before", "closing") not in differences(found)
    two = (*data.arms, ArmOptions("another", "plain", {}))
    found = control_findings(debates, replace(data, arms=two))
    assert found.contrasts == ()
    assert "several arms have the same controls" in found.notes[0]


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ({"rating": "stake", "phases": ["opening", "closing"]}, "plain"),
        ({"phases": ["before", "opening"]}, "plain"),
        ({"confidence": "public"}, "plain"),
        ({"opponent": "unheard", "asked": "once"}, "several"),
        *((OPTIONS[name], name) for name in CONTROLS),
    ],
)
def test_the_role_of_an_arm_is_what_its_options_leave_out(
    options: dict[str, Any], role: str
) -> None:
    assert role_of(options) == role


def planted(path: Path, parameters: str, opponent: str = "", judged: bool = False) -> Path:
    """The study with all its controls, of six debaters with the same planted parameters.

    Each meets itself, or an `opponent` that has none of them.
    """
    names = [f"sim/even:noise=0.03:debate_sd=0.02:seed={n}{parameters}" for n in range(1, 7)]
    played = study(models=names, controls=["all"])
    if opponent:
        other = agent(opponent)
        lineups = [{"proposition": agent(name), "opposition": other} for name in names]
        played = replace(played, arms=[replace(arm, lineups=lineups) for arm in played.arms])
    stages: list[Any] = [played]
    if judged:
        stages.append(jury("jury", played, [agent("sim/judge")]))
    run_stages(Arena(path), stages)
    return path


OPPONENT = ("the opponent", "rise")
PLANTED = {
    "own": (":own=0.08", {("own speech", "opening"): 0.08}),
    # Two speeches of the opponent before the closing one.
    "heard": (":heard=0.04", {("being answered", "rise"): 0.08, OPPONENT: 0.08}),
    "relevant": (":relevant=0.04", {("what is answered", "rise"): 0.08, OPPONENT: 0.08}),
    "asked_before": (":asked_before=0.03", {("asked before", "closing"): 0.06}),
}


@pytest.mark.slow
@pytest.mark.parametrize("effect", PLANTED)
def test_each_planted_effect_is_found_in_its_own_contrast_and_in_no_other(
    effect: str, tmp_path: Path
) -> None:
    parameters, truth = PLANTED[effect]
    [found] = study_reports(planted(tmp_path / "a.duckdb", parameters))
    assert found.controls
    assert len(found.controls.contrasts) == 6
    for row in found.controls.contrasts:
        true = truth.get((row.name, row.what), 0.0)
        assert (row.p_holm < 0.01) == (true > 0)
        assert abs(row.difference.mean - true) < 0.02
        # Speeches are all of one length, so that there is no spread to speak of.
        assert row.claims.speaks_of == "models like these" or row.what == "words"


@pytest.mark.slow
def test_what_being_asked_does_to_speeches_and_verdicts_is_found(tmp_path: Path) -> None:
    asked = ":asked_strength=3:asked_words=30"
    path = planted(tmp_path / "a.duckdb", asked, "sim/even", judged=True)
    found = next(each for each in study_reports(path) if each.controls)
    assert found.controls
    for row in found.controls.contrasts:
        # Of two sides, one has 30 words more, in each debate.
        if row.what == "words":
            assert row.difference.mean == 15
        else:
            assert (row.p_holm < 0.01) == (row.what == "wins")
    wins = next(row for row in found.controls.contrasts if row.what == "wins")
    # The chance of a win is 1 / (1 + exp(-3)) where a rating is asked for, and else one half.
    assert abs(wins.a - 0.953) < 0.1
    assert abs(wins.b - 0.5) < 0.15
    [row] = [each for each in report(path) if "controls" in each]
    assert row["controls"]["contrasts"][-1]["what"] == "wins"


@pytest.mark.slow
def test_headlines_are_of_the_arms_that_are_no_controls(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(models=["sim/even", "sim/modest"], controls=["unheard", "misplaced"]))
    assert [*read_controls(path, ["two_llms_debate_self_controls"])]
    [found] = study_reports(path)
    assert found.debates
    assert found.debates.phases[0].rating.n == 2 * 2 * 6
    assert found.arms is not None
    [plain] = [arm for arm in found.arms if arm.arm == "self"]
    assert found.debates.rise == plain.debates.rise
    # The figure says what the report says.
    drawn = figure(path, found.study, "confidence")
    assert [row["n"] for row in drawn.rows] == [row.rating.n for row in found.debates.phases]
    assert "only arm self" in drawn.caption
    document = report_document(found)
    assert "without control arms: self" in document.blocks[0].title
    [table] = [block for block in document.blocks if block.title.startswith("Controls:")]
    assert [row[0] for row in table.rows] == ["being answered", "what is answered", "the opponent"]
    # An arm that leaves everything as it is has no controls to read.
    assert read_controls(path, ["no such study"]) == {}


@pytest.mark.slow
def test_control_arms_are_ranked_only_where_they_are_named(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    models = ["sim/confident", "sim/modest"]
    controlled = study(preset="cross_model", models=models, controls=["unheard"])
    run_stages(arena, [controlled, jury("jury", controlled, [agent("sim/judge")])])
    plain = study_standings(arena.path, controlled.name)
    named = Selection(arms=("cross_model", "unheard"))
    both = study_standings(arena.path, controlled.name, selection=named)
    assert (plain.outcomes.judged, both.outcomes.judged) == (12, 24)
