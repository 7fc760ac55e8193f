"""The folder of a publication: which files it may hold, and how new ones take their place.

Pages are written into a draft beside the folder and moved in when all are complete.  The marker
lists them, and only listed files are ever replaced or removed.
"""

from __future__ import annotations

import filecmp
import glob
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from arena.errors import StudyError
from arena.store.database import journal_folder
from arena.store.saved_queries import saved_folder
from arena.text import printable

MARKER = ".arena-published"
OWNER = ".owner"
STALE_DRAFT_S = 24 * 3600.0
# On Windows, to ask for a process as is_alive does would end it.
CAN_SEE_PROCESSES = os.name != "nt"
MAX_FILES_NAMED = 3


def check_folder(folder: Path, db: Path) -> set[str]:
    """Return the files of a folder that an earlier publication wrote, by their paths in it.

    Raises StudyError if the folder holds other files, or holds the store, or lies in its folders.
    Names that begin with a dot (.git), and CNAME, belong to the host: they are allowed and stay.
    """
    for own in (db.resolve(), journal_folder(db), saved_folder(db)):
        if folder == own or folder in own.parents or own in folder.parents:
            raise StudyError(
                f"{folder} holds files of the store, or lies among them ({own});"
                " name a separate folder for the pages"
            )
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder} is a file; name a folder that is new, or was published before")
    here = list_files(folder)
    ours = here & read_marker(folder)
    foreign = sorted(
        path
        for path in here - ours
        if path != "CNAME" and not any(part.startswith(".") for part in path.split("/"))
    )
    if foreign:
        more = len(foreign) - MAX_FILES_NAMED
        some = ", ".join(map(printable, foreign[:MAX_FILES_NAMED]))
        some += f" and {more:,} more" if more > 0 else ""
        raise StudyError(
            f"{folder} holds files that arena publish has not written: {some};"
            " move them away, or name another folder"
        )
    return ours


def list_files(folder: Path) -> set[str]:
    """Return all files below a folder, by their paths in it; a symbolic link counts as a file."""
    paths = set()
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        paths |= {Path(parent, name).relative_to(folder).as_posix() for name in [*files, *links]}
    return paths


def read_marker(folder: Path) -> set[str]:
    """Return the files that the marker of a folder lists, and the marker; empty if unreadable."""
    try:
        files = json.loads((folder / MARKER).read_text("utf-8"))["files"]
        return {MARKER, *(file for file in files if isinstance(file, str))}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextmanager
def draft_of(folder: Path, db: Path) -> Iterator[Path]:
    """Yield a draft folder; move its files in after the block, or remove it after an error."""
    clear_drafts(folder)
    # Beside the folder, hence on the same file system: moving in is a rename.
    draft = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        (draft / OWNER).write_text(socket.gethostname())
        yield draft
        (draft / OWNER).unlink()
        move_in(draft, folder, check_folder(folder, db))
    except OSError as error:
        raise StudyError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def clear_drafts(folder: Path) -> None:
    """Remove the drafts that killed publications into this folder have left beside it.

    Drafts of dead processes of this machine go at once, where one can ask whether a process lives;
    others go after a day.
    """
    for draft in folder.parent.glob(f".{glob.escape(folder.name)}.new-*"):
        pid = draft.name.rpartition("-")[2]
        owner = draft / OWNER
        if not pid.isascii() or not pid.isdecimal() or draft.is_symlink() or not draft.is_dir():
            continue
        here = not owner.exists() or owner.read_text("utf-8", "replace") == socket.gethostname()
        here = here and CAN_SEE_PROCESSES
        if not is_alive(int(pid)) if here else time.time() - draft.stat().st_mtime > STALE_DRAFT_S:
            shutil.rmtree(draft, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Return whether another process of this machine has this id."""
    if pid == os.getpid():
        return False  # an earlier process with our id left it: our draft does not exist yet
    try:
        # Signal 0 is not delivered: it only tells whether the process exists.
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def move_in(draft: Path, folder: Path, old: set[str]) -> None:
    """Move the files of a draft into the folder, and remove `old` files that are not rewritten.

    The marker lists all files of the folder at every moment, so that a publication that was killed
    halfway can be repeated.
    """
    new = list_files(draft)
    marker = json.loads((draft / MARKER).read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    write_marker(folder, marker | {"files": sorted((old | new) - {MARKER})})
    gone = old - new
    for file in gone:
        (folder / file).unlink(missing_ok=True)
    for file in new - {MARKER}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        # A file that has not changed keeps its time: what copies the folder on can pass it over.
        if file not in old or not filecmp.cmp(draft / file, folder / file, shallow=False):
            shutil.move(draft / file, folder / file)
    # A folder of a kind that is no longer published; rmdir refuses one that is not empty.
    for parent in {(folder / file).parent for file in gone} - {folder}:
        with suppress(OSError):
            parent.rmdir()
    write_marker(folder, marker | {"files": sorted(new - {MARKER})})


def write_marker(folder: Path, marker: Mapping[str, object]) -> None:
    """Write the marker in one step, so that no half of it can be read."""
    # A rename is atomic: a reader finds the old marker or the new one.
    half = folder / f"{MARKER}.new"
    half.write_text(json.dumps(marker, indent=0) + "\n", "utf-8")
    half.replace(folder / MARKER)
