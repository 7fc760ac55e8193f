"""Run `arena` as a process of its own and kill it, for the programs that kill runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Run `arena` with these arguments, and return its process."""
    return subprocess.Popen(
        [sys.executable, "-m", "arena", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def was_killed(arguments: Sequence[str], after_s: float) -> bool:
    """Run `arena` with these arguments; kill it if it still runs after this time, and say so.

    Raises SystemExit with its words if it ended badly by itself.
    """
    run = start(arguments)
    try:
        _, errors = run.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        # SIGKILL cannot be caught: nothing of the process can tidy up.
        run.send_signal(signal.SIGKILL)
        run.communicate()
        return True
    if run.returncode:
        raise SystemExit(f"a run ended with exit status {run.returncode}: {errors}")
    return False
