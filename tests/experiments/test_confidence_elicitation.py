"""The study of confidence elicitation that users copy, as a script and from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.simulated.questions import simulated_questions
from arena.cli.main import main
from arena.play.run import Arena
from arena.studies.study import plays
from arena.tournaments.study_file import load_study

FILE = Path(__file__).resolve().parents[2] / "experiments" / "confidence_elicitation.py"


@pytest.mark.slow
def test_the_script_prints_planted_values_beside_measured_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = subprocess.run(
        [sys.executable, str(FILE), "number=30"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert script.returncode == 0, script.stderr
    table = [line.split() for line in script.stdout.splitlines() if " sim/solver" in line]
    # Five strategies, two solvers.
    assert len(table) == 10
    for _, _, n, missing, accuracy, confidence, _, _, planted, planted_confidence in table:
        assert (n, missing) == ("30", "0")
        # Four standard errors: of a share, and of a confidence that spreads by at most 0.3.
        assert abs(float(accuracy) - float(planted)) < 4 * 0.5 / 30**0.5
        assert abs(float(confidence) - float(planted_confidence)) < 4 * 0.3 / 30**0.5
    assert "SIMULATED" in script.stdout
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(FILE), "-o", "number=30"]) == 0
    assert Arena().sql("select count(distinct run) from runs").rows == ((1,),)


def test_samples_strategies_and_questions_are_one_option_away(tmp_path: Path) -> None:
    question = simulated_questions(1)[0]
    line = json.dumps({"question": question.text, "answer": question.gold})
    (tmp_path / "my.jsonl").write_text(line)
    options = [
        "models=sim/solver",
        f"questions={tmp_path / 'my.jsonl'}",
        "strategies=vanilla,top_k",
        "samples=5",
        "temperature=0.7",
    ]
    study = load_study(FILE, [*options, "aggregation=average_confidence"])
    assert study.name == "confidence_elicitation_5_samples_average_confidence"
    assert [arm.label for arm in study.arms] == ["vanilla", "top_k"]
    assert len(plays(study)) == 2
    assert Arena(tmp_path / "a.duckdb").run(study).done == 2
    rows = (
        Arena(tmp_path / "a.duckdb")
        .sql("select count(*), count(answer), count(*) filter (final) from answers")
        .rows
    )
    # Two strategies on one question: five samples each, and the answer that combines them.
    assert rows == ((12, 12, 2),)
