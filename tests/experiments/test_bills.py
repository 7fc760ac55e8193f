"""What debates and juries cost, by a server that charges as providers document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BILLS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks" / "bills.py"


@pytest.mark.slow
def test_bills_are_the_least_that_prices_allow_and_never_more_than_before() -> None:
    process = subprocess.run(
        [sys.executable, str(BILLS), "--debates", "1"], capture_output=True, text=True, check=False
    )
    # 85% of what may be cached is read, and dollars are at most 1.05 times the least, by study.
    assert process.returncode == 0, process.stdout + process.stderr
    rows = [line.split("|")[1:-1] for line in process.stdout.splitlines()[2:]]
    assert len(rows) == 8
    assert all(float(row[6]) <= 1.001 for row in rows), process.stdout
