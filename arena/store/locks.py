"""Locks on files: how processes tell each other that something is in use.

They are advisory locks of the operating system (flock): they stop nobody from reading or writing.
A lock ends when its file is closed, and so at the latest when its process dies.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any


def lock(file: int | IO[Any]) -> None:
    """Lock an open file for this process alone; wait for whoever holds it."""
    fcntl.flock(file, fcntl.LOCK_EX)


def try_lock(file: int | IO[Any]) -> bool:
    """Lock an open file for this process alone, and return False at once if somebody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds a lock on a file, such as a living run on its journal."""
    with path.open("rb") as file:
        try:
            # A shared lock: two processes that look at the same moment do not find each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
