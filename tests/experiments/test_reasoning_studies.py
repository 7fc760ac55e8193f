"""The studies of reasoning with oneself, played small: what they find is what was planted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

from analysis.reports.beside_paper import print_beside
from analysis.reports.report import debate_report
from arena import Arena, run_stages
from arena.tournaments.stages import resolve_stage
from arena.tournaments.study_file import load_stages

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
NUMBER = 40
# How many arms have a figure in closed form.
PLANTED = {
    "own_demonstrations": 4,
    "self_questioning": 5,
    "situated_faithfulness": 14,
    "iterative_deepening": 4,
    "self_refine": 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_study_finds_what_was_planted_and_prints_it_beside_its_paper(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    [study] = load_stages(EXPERIMENTS / f"{name}.py", [f"number={NUMBER}"])
    [summary] = run_stages(arena, [study])
    assert summary.failed == 0
    told: dict[str, float] = {}

    def watched(
        path: Path, played: str, planted: Mapping[str, float], *rest: Mapping[str, str] | str
    ) -> None:
        told.update(planted)
        print_beside(path, played, planted, *rest)  # type: ignore[arg-type]

    module = import_module(f"experiments.{name}")
    monkeypatch.setattr(module, "print_beside", watched)
    module.show_results(arena, resolve_stage(study, arena.path))
    assert len(told) == PLANTED[name]
    [report] = debate_report(arena.path, study.name).results
    assert report.answers is not None
    for arm in report.answers.arms:
        planted = told.get(arm.arm, float("nan"))
        # Nothing is compared where nothing is in closed form.
        if planted == planted:
            assert abs(arm.accuracy.share.all.mean - planted) < 4 * 0.5 / NUMBER**0.5
    printed = capsys.readouterr().out
    assert "SIMULATED: found beside planted" in printed
    assert "beside its paper" in printed


@pytest.mark.slow
def test_wrong_own_demonstrations_harm_where_peoples_help(tmp_path: Path) -> None:
    """A study with other parameters fails where its paper says that it does."""
    arena = Arena(tmp_path / "a.duckdb")
    options = [f"number={NUMBER}", "models=sim/reasoner:teaches=0:demonstrates=3"]
    [study] = load_stages(EXPERIMENTS / "own_demonstrations.py", options)
    run_stages(arena, [study])
    [report] = debate_report(arena.path, study.name).results
    assert report.answers is not None
    right = {arm.arm: arm.accuracy.share.all.mean for arm in report.answers.arms}
    assert right["CoT-SEC"] < right["zero-shot"] - 0.1
    assert right["people's"] > right["zero-shot"] + 0.1
