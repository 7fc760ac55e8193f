"""The study that compares any methods on any questions at one budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.reports.debates import study_reports
from arena import Arena
from arena.errors import StudyError
from arena.play.dry_run import estimate_cost
from arena.play.sync import run_blocking
from arena.store.replay import StudyState
from arena.studies.study import Study, plays
from experiments.compare import FOIL, study


def calls(one: Study, label: str) -> int:
    """Return the calls of one play of an arm, at most."""
    [arm] = [arm for arm in one.arms if arm.label == label]
    alone = Study("s", [arm], one.subjects[:1])
    nothing = StudyState(None, {}, {}, {}, {})
    return run_blocking(lambda: estimate_cost(plays(alone), nothing, {})).calls


def test_every_arm_has_the_budget_and_a_table_has_its_controls() -> None:
    one = study(number=2, calls=9, protocols=["self_consistency", "round_table:reconcile"])
    labels = [arm.label for arm in one.arms]
    assert labels == [
        "self_consistency",
        "reconcile",
        *(f"reconcile, {peers}" for peers in ("nobody", "answers", "misplaced")),
    ]
    assert {calls(one, label) for label in labels[:-1]} == {9}
    assert calls(one, labels[-1]) == 12
    asked = {subject.text for subject in one.subjects}
    assert len(asked) == 2
    assert one.arms[-1].options["foil"] not in asked


def test_questions_of_a_file_are_asked_whole_and_have_a_foil_of_their_own() -> None:
    one = study(
        model="http/m@http://127.0.0.1:9/v1",
        questions="material:walks",
        protocols=["round_table:society_of_minds"],
        calls=4,
    )
    assert len(one.subjects) == 15
    assert one.arms[-1].options["foil"] == FOIL


def test_simulated_models_are_asked_no_other_questions() -> None:
    with pytest.raises(StudyError, match="answers simulated questions alone"):
        study(questions="material:walks")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["toy/sum", "sim/panelist"])
def test_paths_of_leap_read_each_other(tmp_path: Path, model: str) -> None:
    one = study(model=model, number=3, calls=8, protocols=["leap"])
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(one).failed == 0
    [(routes,)] = arena.sql("select count(*) from routes").rows
    assert routes > 0


def test_an_unknown_preset_says_which_there_are() -> None:
    with pytest.raises(StudyError, match="round_table has no preset 'mad'; there are society_of"):
        study(protocols=["round_table:mad"])


@pytest.mark.slow
def test_the_comparison_is_one_table_with_costs_and_flips(tmp_path: Path) -> None:
    one = study(number=20, calls=6, protocols=["single", "self_consistency", "round_table:ford"])
    arena = Arena(tmp_path / "a.duckdb")
    summary = arena.run(one)
    assert (summary.failed, summary.done) == (0, 6 * 20)
    [report] = study_reports(arena.path)
    assert report.answers is not None
    assert len(report.answers.arms) == 6
    assert {row.arm for row in report.answers.flips} >= {"ford", "ford, answers"}
    assert len(report.answers.flip_contrasts) == 5


@pytest.mark.slow
def test_every_method_is_played_by_the_toy_and_ways_of_decoding_beside_the_vote(
    tmp_path: Path,
) -> None:
    one = study(model="toy/sum", number=2, calls=8, protocols=["every"])
    assert {"soft thinking", "certainty stop"} <= {arm.label for arm in one.arms}
    summary = Arena(tmp_path / "a.duckdb").run(one)
    assert (summary.failed, summary.done) == (0, 2 * len(one.arms))
