"""Bring files to the disk, so that not even a power cut takes them back, on every system."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from arena.store.locks import lock

try:
    import fcntl
except ImportError:  # Windows
    F_FULLFSYNC = None
else:
    F_FULLFSYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS

WINDOWS = os.name == "nt"
COPIED_BYTES = 2**20
# What some network drives say when a folder is to be synced.
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
# What drives say that have no hard links, such as a memory stick.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


def sync(descriptor: int) -> None:
    """Return when what was written to an open file is on the disk."""
    if F_FULLFSYNC is not None:
        # On macOS, fsync returns when the drive has the bytes, maybe in a cache that loses them.
        with suppress(OSError):  # a file on a network drive may not take it
            fcntl.fcntl(descriptor, F_FULLFSYNC)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk; at once where no folder can be synced."""
    with suppress(PermissionError):  # Windows opens no folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_SYNC:
                raise
        finally:
            os.close(descriptor)


def copy_whole(source: BinaryIO, copy: Path) -> None:
    """Copy an open file; the copy appears complete and durable, or not at all.

    It is open to the same people.  Its owner is the file's where this user may give files away, its
    group always: PermissionError.
    """
    draft = copy.with_name(f"{copy.name}.part")
    try:
        # Before it has any content, nobody can read it who cannot read the file.
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            shutil.copyfileobj(source, file, COPIED_BYTES)
            file.flush()
            sync(file.fileno())
        state = os.fstat(source.fileno())
        try:
            give(draft, state.st_uid, state.st_gid)
        except PermissionError:
            give(draft, draft.stat().st_uid, state.st_gid)
        keep_access(source.fileno(), draft)
        draft.rename(copy)
        sync_folder(copy.parent)
    finally:
        draft.unlink(missing_ok=True)


def free_name(file: Path) -> Path:
    """Return the path of a file if there is none, or else that of <name>-2, <name>-3, ..."""
    others = (file.with_name(f"{file.name}-{number}") for number in count(2))
    return next(one for one in chain([file], others) if not one.exists())


def give(file: Path, owner: int, group: int) -> None:
    """Make a file this owner's and this group's, on systems that have them.

    Raises PermissionError if it is not, and this user may not give it away.
    """
    state = file.stat()
    if hasattr(os, "chown") and (state.st_uid, state.st_gid) != (owner, group):
        os.chown(file, owner, group)


def keep_access(source: Path | int, draft: Path) -> None:
    """Open a draft to whom a file is open, and give it what else users have noted on the file.

    `source` is the file's path or descriptor.  Access lists count among its extended attributes.
    """
    draft.chmod(stat.S_IMODE(os.stat(source).st_mode))
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(source)
    except OSError:
        return  # a drive without attributes
    for name in names:
        # Without the list, the bits of the group would let in the group in place of those on it.
        if name.startswith("user.") or name == "system.posix_acl_access":
            os.setxattr(draft, name, os.getxattr(source, name))


def name_new(draft: Path, path: Path) -> None:
    """Give a finished file its name, durably.

    Raises FileExistsError if there is a file of that name.
    """
    if WINDOWS:
        draft.rename(path)  # which replaces nothing there; not every drive has links
    else:
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            # The others wait here, and then find the file.
            with lock(draft.with_name("new.lock")):
                if path.exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
                draft.rename(path)
        else:
            draft.unlink()
    sync_folder(path.parent)


def replace(draft: Path, path: Path) -> None:
    """Put a finished file in the place of another: a kill or power cut leaves one of them whole."""
    with draft.open("rb+") as file:
        sync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
