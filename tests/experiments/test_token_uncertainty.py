"""The study of token and meaning estimators, as a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "experiments" / "token_uncertainty.py"


@pytest.mark.slow
def test_the_script_prints_what_each_estimator_knows(tmp_path: Path) -> None:
    """An estimator of a whole question knows nothing within it, and the planted chance most."""
    script = subprocess.run(
        [
            *(sys.executable, str(FILE), "number=30", "models=sim/solver:shared=0.0"),
            "estimators=semantic_entropy,semantic_entropy_by_answer,sar,logprob_sum",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert script.returncode == 0, script.stderr
    found = {
        words[1]: words[2:]
        for line in script.stdout.splitlines()
        if line.startswith("sim/solver") and len(words := line.split()) >= 5
    }
    for name in ("semantic_entropy", "semantic_entropy_by_answer", "sar", "kernel_entropy_heat"):
        missing, over, within, *_ = found[name]
        assert (missing, within) == ("0", "0.500"), name
        assert float(over) > 0.6, name
    assert found["semantic_entropy"][3] == "0.790"
    # With an entailment that knows equal answers, meanings are answers.
    assert found["semantic_entropy"][1] == found["semantic_entropy_by_answer"][1]
    for name in ("token_sar", "logprob_sum"):
        assert float(found[name][1]) > float(found["semantic_entropy"][1]) + 0.05, name
    assert "SIMULATED" in script.stdout
