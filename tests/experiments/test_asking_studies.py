"""The studies of asking for confidence, played small: what they print holds what was planted."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from arena import Arena, run_stages
from arena.tournaments.stages import resolve_stage
from arena.tournaments.study_file import load_stages

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def module_of(name: str) -> ModuleType:
    """A study file as a module."""
    spec = importlib.util.spec_from_file_location(f"asking_{name}", EXPERIMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def numbers(line: str) -> list[float]:
    """The numbers of a line that have three decimals."""
    return [float(each) for each in re.findall(r"(?<![\w.=:])\d?\.\d{3}(?!\d)", line)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["p_true", "relative_confidence", "self_ensembling"])
def test_a_study_prints_what_was_planted_beside_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    small = {
        "p_true": ["number=40", "samples=2", "replies=3"],
        "relative_confidence": ["number=30", "comparisons=8"],
        "self_ensembling": ["number=40", "variations=2", "draws=3", "held_out=4"],
    }
    arena = Arena(tmp_path / "a.duckdb")
    stages = load_stages(EXPERIMENTS / f"{name}.py", small[name])
    assert all(summary.failed == 0 for summary in run_stages(arena, stages))
    capsys.readouterr()
    module_of(name).show_results(arena, resolve_stage(stages[-1], arena.path))
    lines = capsys.readouterr().out.splitlines()
    if name == "p_true":
        rows = [line for line in lines if " sim/solver:d" in line and not line.startswith("pl")]
        planted = numbers(
            next(line for line in lines if "planted accuracy of sim/solver:d" in line)
        )
        assert len(rows) == 4
        # Accuracy within four standard errors; the levels tell right answers from wrong ones.
        for accuracy, _, _, area in map(numbers, rows):
            assert abs(accuracy - planted[0]) < 4 * 0.5 / 80**0.5
            assert area > 0.75
    elif name == "relative_confidence":
        rows = [line for line in lines if "sim/solver:discrimination" in line]
        areas = {line.split()[1]: numbers(line)[2] for line in rows}
        for method in ("win_share", "elo", "trueskill", "bradley_terry"):
            assert abs(areas[method] - areas["planted"]) < 0.15
    else:
        rows = [line for line in lines if line.startswith("sim/solver")]
        assert len(rows) == 8
        for row in rows:
            accuracy, *_, planted_accuracy = numbers(row)
            assert abs(accuracy - planted_accuracy) < 4 * 0.5 / 40**0.5
