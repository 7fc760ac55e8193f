"""A folder for the temporary files of this process, removed when it ends.

If the process is killed, the next process that makes such a folder removes it.  The owner holds a
lock on a file in it for as long as it lives.  A process id would not do: containers that share a
folder for temporary files each count their own.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from arena.errors import StoreError
from arena.store.locks import Lock, make_locked, try_lock

PREFIX = "arena-"
LOCK_NAME = "owner.lock"


@functools.cache
def scratch() -> Path:
    """Return this process's folder; the first call makes it and removes those of dead processes."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # A file of this name that nobody has locked belongs to a dead process.
    held = make_locked(folder / LOCK_NAME)
    atexit.register(remove, folder, held)
    return folder


def remove(folder: Path, held: Lock) -> None:
    """Remove a folder, whose lock goes first: Windows keeps a file that is open."""
    held.release()
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of this user's dead processes."""
    for file_name in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK_NAME}"):
        # A folder that another user owns, or that goes at this moment, is left alone.
        with suppress(OSError, StoreError):
            if is_mine(file_name.parent) and (held := try_lock(file_name)) is not None:
                remove(file_name.parent, held)


def is_mine(folder: Path) -> bool:
    """Tell whether this user owns a folder.  On Windows each user has a folder for such files."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
