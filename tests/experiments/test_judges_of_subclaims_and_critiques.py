"""The studies of prover-estimator and of critic and judge, played small, and what they print."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from arena import Arena
from experiments import critic_and_judge, prover_estimator


@pytest.mark.slow
@pytest.mark.parametrize("module", [critic_and_judge, prover_estimator])
def test_a_study_prints_its_arms_beside_its_paper(
    module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arena = Arena(tmp_path / "s.duckdb")
    played = module.study(number=4)
    assert arena.run(played).failed == 0
    module.show_results(arena, played)
    shown = capsys.readouterr().out
    assert "SIMULATED" in shown
    assert "not known" in shown
    if module is critic_and_judge:
        assert "judge with the critique" in shown
