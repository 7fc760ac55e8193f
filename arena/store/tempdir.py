"""A folder for what this process needs only for a while: gone when it ends, or, where it was killed, when the next one wants such a folder.

Its owner holds a lock on a file in it for as long as it lives.  Process ids would not do: containers that share a folder for temporary
files each count their own.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "arena-"
LOCK = "owner.lock"


@functools.cache
def scratch() -> Path:
    """This process's folder, made when it is first asked for; what dead processes of the same user have left is removed then."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Under its name there is never a lock that nobody holds yet; the descriptor is kept open to the end.
    draft = folder / "draft"
    fcntl.flock(os.open(draft, os.O_WRONLY | os.O_CREAT), fcntl.LOCK_EX)
    draft.rename(folder / LOCK)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sweep() -> None:
    """Remove the folders whose owners have died."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        # Somebody else's folder, or one that goes at this moment, is none of our business.
        with suppress(OSError):
            if lock.parent.lstat().st_uid == os.getuid():
                with lock.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
