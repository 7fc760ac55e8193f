"""Tell whether processes have ended."""

from __future__ import annotations

import time
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    """Wait until processes have ended."""
    until = time.monotonic() + 30
    while any(map(alive, pids)):
        assert time.monotonic() < until, f"{[pid for pid in pids if alive(pid)]} still run"
        time.sleep(0.05)


def pids_in(folder: Path) -> list[int]:
    """The processes of all servers that have served a folder."""
    return [int(pid) for file in folder.glob("*.pids") for pid in file.read_text().split()]
