"""Studies of how models assess answers, played small: what was planted is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.reports.assessments import read_assessments
from analysis.reports.debates import study_reports
from arena import Arena
from arena.tournaments.study_file import load_study

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.mark.slow
def test_the_planted_confidence_level_and_critique_score_are_found(tmp_path: Path) -> None:
    options = ["models=sim/solver:stays=0.85:corrects=0.25", "number=150", "prompts=question"]
    study = load_study(EXPERIMENTS / "ask_again.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 150
    [report] = study_reports(arena.path, study.name)
    assert report.answers is not None
    found = report.answers.arms[0].changes[0]
    assert (found.what, found.pairs) == ("first to last", 600)
    assert found.all.cl.ci_low < 0.85 < found.all.cl.ci_high
    assert found.all.cs.ci_low < 0.25 < found.all.cs.ci_high
    acc1, acc2, cl, cs = (
        each.mean for each in (found.all.acc1, found.all.acc2, found.all.cl, found.all.cs)
    )
    assert acc2 == pytest.approx(acc1 * cl + (1 - acc1) * cs)


@pytest.mark.slow
def test_the_toy_is_surer_of_its_option_after_reasoning(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    study = load_study(EXPERIMENTS / "option_probability.py", ["number=16"])
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 16
    found = read_assessments(arena.path, study.name)[study.name]
    assert found.reasoning is not None
    rows = {(row.kind, row.items): row for row in found.reasoning}
    # It was made to add digit by digit: at once it is near chance, afterwards nearly sure.
    assert rows["raw", "all"].change.ci_low > 0
    assert rows["share", "right at each time"].after > 0.9
