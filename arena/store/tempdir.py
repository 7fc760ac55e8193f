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

from arena.store.locks import lock, try_lock

PREFIX = "arena-"
LOCK_NAME = "owner.lock"


@functools.cache
def scratch() -> Path:
    """Return this process's folder; the first call makes it and removes those of dead processes."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = folder / "draft"
    # The descriptor stays open to the end, and with it the lock.
    lock(os.open(draft, os.O_WRONLY | os.O_CREAT))
    # Renamed only now: a file of this name that nobody has locked belongs to a dead process.
    draft.rename(folder / LOCK_NAME)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sweep() -> None:
    """Remove the folders of this user's dead processes."""
    for file_name in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK_NAME}"):
        # A folder that another user owns, or that goes at this moment, is left alone.
        with suppress(OSError):
            if file_name.parent.lstat().st_uid == os.getuid():
                with file_name.open("rb") as file:
                    if try_lock(file):
                        shutil.rmtree(file_name.parent, ignore_errors=True)
