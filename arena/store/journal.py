"""The journal: the append-only file that makes the replies of a run durable.

One line is one row of a base table, as JSON with the table's name under "t".  A line goes to the
operating system at once, so that `kill -9` loses nothing that was written.  `wait_until_durable`
returns after an fsync, shared by all that wait at that moment, so that not even a power cut takes
back what was acknowledged.  A journal is locked for as long as its run lives; any process that
finds it unlocked may fold it.  Each line has a checksum, and a journal that is closed ends with
their count and hash (`arena/store/checksums.py`).
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from arena.errors import StoreError
from arena.private import reveal
from arena.store.checksums import Tally, seal
from arena.store.durable import sync, sync_folder
from arena.store.locks import Lock, lock
from arena.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SEGMENT_BYTES = 64 * 2**20
# How long an fsync waits for others to share it, and how long a line that may wait is held back.
GROUP_S = 0.008
LATER_S = 0.05
# Windows would write each line break as two bytes.
BYTES_AS_THEY_ARE = getattr(os, "O_BINARY", 0)


def line(table: str, row: Mapping[str, object]) -> bytes:
    """Return the journal line of a table's row, with its checksum.

    Values are of the types that orjson takes: texts, numbers, dates, lists, dictionaries and
    dataclasses.
    """
    return seal(orjson.dumps({"t": table, **row}))


def first_line() -> bytes:
    """Return the first line of every journal: the schema version that its lines follow."""
    return line("journal", {"schema_version": SCHEMA_VERSION})


def open_segment(path: Path) -> tuple[int, Lock]:
    """Create a journal file with its first line; return its descriptor and the lock on it.

    Raises StoreError if it cannot be written; then there is no such file.
    """
    with ExitStack() as undo:
        try:
            # O_EXCL: two runs never write one journal.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | BYTES_AS_THEY_ARE
            descriptor = os.open(path, flags, 0o644)
            undo.callback(path.unlink, missing_ok=True)
            undo.callback(os.close, descriptor)
            # Waits only for a process that checks, at this very moment, if the new file is locked.
            held = lock(path)
            undo.callback(held.release)
            if os.write(descriptor, first_line()) != len(first_line()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            # A power cut may take a file whose name is not on the disk, whatever was synced in it.
            sync_folder(path.parent)
        except OSError as error:
            raise StoreError(f"cannot write the journal {path}: {error.strerror}") from error
        undo.pop_all()
        return descriptor, held


def write_journal(path: Path, lines: Iterable[bytes]) -> None:
    """Write a whole journal of an import durably; the file appears complete or not at all."""
    draft = path.with_suffix(".part")
    tally = Tally()
    try:
        with draft.open("wb") as file:
            for text in chain([first_line()], lines):
                tally.add(text.splitlines(keepends=True))
                file.write(text)
            file.write(tally.end_line())
            file.flush()
            sync(file.fileno())
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException as error:
        # Nothing would ever read or remove it.
        draft.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise StoreError(f"cannot write the journal {path}: {error.strerror}") from error


class Journal:
    """The journal of one run.

    `append` hands rows to the operating system; `await wait_until_durable()` returns when they are
    on disk.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self.run = run
        self.bytes_written = 0
        self._segment = 0
        self._segment_bytes = 0
        self._tally = Tally()
        self._broken: StoreError | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._later: list[bytes] = []
        self._descriptor, self._lock = open_segment(self._path())
        self._tally.add([first_line()])

    def _path(self) -> Path:
        return self.folder / f"{self.run}-{self._segment:03d}.jsonl"

    def append(self, *lines: bytes) -> None:
        """Write lines.  Readers see each of them whole or not at all: they drop a torn last line.

        Raises StoreError if the disk takes no more.  From then on nothing is written, so that no
        line can follow a torn one.
        """
        if self._broken is not None:
            raise self._broken
        block = b"".join((*self._later, *lines))
        self._later.clear()
        # One call for all lines: a kill between two of them cannot part what belongs together.
        try:
            written = os.write(self._descriptor, block)
        except OSError as error:
            raise self._break(error.strerror or str(error)) from error
        if written != len(block):
            raise self._break("the disk is full")
        self._tally.add(block.splitlines(keepends=True))
        self.bytes_written += written
        self._segment_bytes += written

    def append_later(self, *lines: bytes) -> None:
        """Write lines with the next ones, or after LATER_S seconds.

        It is for rows that a kill may take, since a later run writes them again.
        """
        if not self._later:
            asyncio.get_running_loop().call_later(LATER_S, self._write_later)
        self._later += lines

    def _write_later(self) -> None:
        # The error is kept, and the next `append` raises it.
        with suppress(StoreError):
            if self._later:
                self.append()

    def _break(self, why: str) -> StoreError:
        self._broken = StoreError(
            f"the journal {self._path()} takes no more: {why}; free space and run the same command"
            " again, what was said so far is kept"
        )
        return self._broken

    async def wait_until_written(self) -> None:
        """Return at once: what was appended outlives this process."""

    async def wait_until_durable(self) -> None:
        """Return when all lines appended so far are on disk, those for later included."""
        if self._broken is not None:
            raise self._broken
        if self._later:
            self.append()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())
        await waiter

    async def _sync(self) -> None:
        while self._waiting:
            await asyncio.sleep(GROUP_S)
            # Taken before the fsync: a line that is written during it needs the next one.
            group = self._waiting
            self._waiting = []
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, sync, self._descriptor
                )
            except OSError as error:
                self._break(error.strerror or str(error))
            for waiter in group:
                if waiter.cancelled():
                    continue
                if self._broken is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(self._broken)
            if self._segment_bytes >= SEGMENT_BYTES and self._broken is None:
                self._rotate()
        self._syncing = None

    def _rotate(self) -> None:
        """Continue in a new segment; the old one is complete and durable, and may be folded."""
        # Another process may fold the old segment as soon as it is unlocked.
        try:
            self._end_segment()
        except OSError as error:
            # Lines behind its end would be damage, so nothing more is written.
            self._break(error.strerror or str(error))
            return
        full = self._descriptor
        unlock = self._lock.release
        self._segment += 1
        try:
            self._descriptor, self._lock = open_segment(self._path())
        except StoreError as error:
            self._broken = error
            return
        os.close(full)
        unlock()
        self._segment_bytes = 0
        self._tally = Tally()
        self._tally.add([first_line()])

    def _end_segment(self) -> None:
        """Write the line that says that the segment is complete, and sync it."""
        # A disk that has no room for it makes it a segment of a killed run, and no more than that.
        with suppress(OSError):
            os.write(self._descriptor, self._tally.end_line())
        sync(self._descriptor)

    def close(self) -> None:
        """Write the lines held back, sync and unlock; the journal can be folded from now on.

        It is called where nobody waits any more, on the thread of the run.  Raises StoreError if
        the last lines cannot be brought to the disk.
        """
        # A stopped run leaves a task behind that would sync a descriptor which is closed by then.
        if self._syncing is not None:
            self._syncing.cancel()
        self._thread.shutdown(wait=True)
        self._write_later()
        try:
            if self._broken is None:
                self._end_segment()
        except OSError as error:
            raise self._break(error.strerror or str(error)) from error
        finally:
            os.close(self._descriptor)
            self._lock.release()


def row_of(data: DataclassInstance) -> dict[str, object]:
    """Return the fields of a dataclass as a row, without those that are None or empty."""
    return {
        name: value
        for name in data.__dataclass_fields__
        if (value := reveal(getattr(data, name))) not in (None, ())
    }
