"""Lock a study of a store, so that one process at a time plays it or removes parts of it."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.errors import StudyError
from arena.store import database
from arena.store.locks import try_lock
from arena.text import utc_now


@contextmanager
def lock_study(path: Path, study: str) -> Iterator[None]:
    """Lock a study for this process, so that no other one plays it into this store.

    Raises StudyError that names the holder.
    """
    file = lock_file(path, study)
    held = try_lock(file)
    if held is None:
        holder = file.read_text().strip() or "another process"
        raise StudyError(
            f"study {study!r} is being played into {path} already, by {holder};"
            f" follow it with `arena status --db {path}`"
        )
    with held:
        since = f"{utc_now():%Y-%m-%d %H:%M:%S} UTC"
        file.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}")
        yield


def lock_file(path: Path, study: str) -> Path:
    """Return the file that whoever plays a study has locked."""
    return file_of(path, study, ".lock")


def record_file(path: Path, study: str) -> Path:
    """Return the file that says where the record of a study listens, while others play it too."""
    return file_of(path, study, ".record")


def file_of(path: Path, study: str, suffix: str) -> Path:
    """Return a file beside the journals that belongs to a study."""
    return (
        database.journal_folder(path) / f"{hashlib.sha256(study.encode()).hexdigest()[:16]}{suffix}"
    )
