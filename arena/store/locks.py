"""Locks on files: how processes tell each other that something is in use.

They are advisory: they stop nobody from reading or writing.  On POSIX systems a lock is one of the
operating system on the file itself (flock), as in every earlier version.  Windows lets nobody read
a part of a file that another process has locked, so there the file `<name>.held` beside it is
locked instead, by filelock: it has no dependencies, and half of the packages that this project
meets (torch, huggingface_hub, virtualenv) rely on it.  Either lock ends with its process, however
that dies.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from arena.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows
    HAS_FLOCK = False
else:
    HAS_FLOCK = True


class Lock:
    """A lock that this process holds, until `release` or the end of a `with` block."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.release = release

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def lock(path: Path) -> Lock:
    """Lock a file for this process alone; wait for whoever holds it.

    The file is made if there is none.
    """
    held = acquire(path, wait=True)
    assert held is not None
    return held


def try_lock(path: Path) -> Lock | None:
    """Lock a file for this process alone, and return None at once if somebody holds it.

    The file is made if there is none.
    """
    return acquire(path, wait=False)


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds a lock on a file, such as a living run on its journal.

    Nobody does on one that is gone.  Raises StoreError if its drive has no locks.
    """
    if not HAS_FLOCK:
        if not beside(path).exists():
            return False
        if (held := acquire_beside(path, wait=False)) is not None:
            held.release()
        return held is None
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            # A shared lock: two processes that look at the same moment do not find each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            raise no_locks(path, error) from error
    return False


def make_locked(path: Path) -> Lock:
    """Make a file that nobody ever finds unlocked while this process holds the lock."""
    if not HAS_FLOCK:
        return lock(path)
    draft = path.with_name(f"{path.name}.draft")
    held = lock(draft)
    draft.rename(path)
    return held


def acquire(path: Path, *, wait: bool) -> Lock | None:
    """Lock a file that is made if there is none; None: somebody else holds it.

    Raises StoreError if its drive has no locks, as some network drives.
    """
    if not HAS_FLOCK:
        held = acquire_beside(path, wait=wait)
        if held is not None:
            path.touch()
        return held
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        if isinstance(error, OSError):
            raise no_locks(path, error) from error
        raise
    return Lock(lambda: os.close(descriptor))


def no_locks(path: Path, error: OSError) -> StoreError:
    """Return the error for a file that can be locked by nobody."""
    return StoreError(
        f"cannot lock {path}: {error.strerror or error}; keep the store on a drive that has file"
        " locks, such as one of this machine"
    )


def beside(path: Path) -> Path:
    """Return the file that is locked in place of another."""
    return path.with_name(f"{path.name}.held")


def acquire_beside(path: Path, *, wait: bool) -> Lock | None:
    """Lock the file beside `path`; None: somebody else holds it."""
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise StoreError(
            "this system has no flock: stores need the package filelock (pip install filelock)"
        ) from error
    # The thread that ends a run may be another than the one that began it.
    held = FileLock(beside(path), timeout=-1 if wait else 0, thread_local=False)
    try:
        held.acquire()
    except Timeout:
        return None
    return Lock(held.release)
