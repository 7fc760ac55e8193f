"""The append-only record of a run: what makes a reply durable.

One line is one row of a base table, as JSON with the table's name under "t".  A line is handed to the operating system at once, so that
kill -9 loses nothing that was written; `durable()` returns after an fsync, shared by everybody who waits at that moment, so that not even
a power cut takes back what was acknowledged.  A journal is locked for as long as its run lives; whoever finds it unlocked may fold it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import functools
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import orjson

from arena.errors import StoreError
from arena.store.schema import SCHEMA_VERSION

SEGMENT_BYTES = 64 * 2**20
GROUP_S = 0.008
LATER_S = 0.05


def line(table: str, row: Mapping[str, object]) -> bytes:
    """One journal line: a row of a table.  Values are what orjson takes: texts, numbers, dates, lists, dictionaries, dataclasses."""
    return orjson.dumps({"t": table, **row}, option=orjson.OPT_APPEND_NEWLINE)


def first_line() -> bytes:
    """What a journal begins with: the schema that its lines follow."""
    return line("journal", {"schema_version": SCHEMA_VERSION})


def open_segment(path: Path) -> int:
    """Create a journal file, lock it for this process, and say which schema it follows; returns its descriptor."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        # Waits only for somebody who looks, at this very moment, whether the new file is locked.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, first_line())
    except OSError as error:
        raise StoreError(f"cannot write the journal {path}: {error.strerror}") from error
    return descriptor


def write_journal(path: Path, lines: Iterable[bytes]) -> None:
    """Write a whole journal at once, durably, under its final name: for imports and merges."""
    draft = path.with_suffix(".part")
    try:
        with draft.open("wb") as file:
            file.writelines((first_line(), *lines))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write the journal {path}: {error.strerror}") from error


class Journal:
    """The journal of one run: `append` hands rows to the operating system, `await durable()` waits until they are on disk."""

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self.run = run
        self.bytes_written = 0
        self._segment = 0
        self._segment_bytes = 0
        self._broken: StoreError | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._later: list[bytes] = []
        self._descriptor = open_segment(self._path())

    def _path(self) -> Path:
        return self.folder / f"{self.run}-{self._segment:03d}.jsonl"

    def append(self, *lines: bytes) -> None:
        """Write lines, whole or not at all as far as readers can tell: a torn last line is dropped when it is read.

        Raises StoreError where the disk takes no more; from then on nothing is written, so that no line can follow a torn one.
        """
        if self._broken is not None:
            raise self._broken
        block = b"".join((*self._later, *lines))
        self._later.clear()
        try:
            written = os.write(self._descriptor, block)
        except OSError as error:
            raise self._break(error.strerror or str(error)) from error
        if written != len(block):
            raise self._break("the disk is full")
        self.bytes_written += written
        self._segment_bytes += written

    def append_later(self, *lines: bytes) -> None:
        """Write lines with the next ones, or within LATER_S: for rows that a run writes again where a kill has taken them."""
        if not self._later:
            asyncio.get_running_loop().call_later(LATER_S, self._write_later)
        self._later += lines

    def _write_later(self) -> None:
        # Whoever appends next is told that the disk takes no more.
        with suppress(StoreError):
            if self._later:
                self.append()

    def _break(self, why: str) -> StoreError:
        self._broken = StoreError(
            f"the journal {self._path()} takes no more: {why}; free space and run the same command again, what was said so far is kept"
        )
        return self._broken

    async def wait_until_durable(self) -> None:
        """Return when everything written before is on disk, also what was to be written later."""
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
            group, self._waiting = self._waiting, []
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, os.fsync, self._descriptor
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
        """Go on in a new segment; the old one is whole and durable, so anybody may fold it."""
        os.fsync(self._descriptor)
        full, self._segment = self._descriptor, self._segment + 1
        try:
            self._descriptor = open_segment(self._path())
        except StoreError as error:
            self._broken = error
            return
        os.close(full)
        self._segment_bytes = 0

    def close(self) -> None:
        """Write what is left, sync and let go; the journal can be folded from now on."""
        self._thread.shutdown(wait=True)
        self._write_later()
        if self._broken is None:
            os.fsync(self._descriptor)
        os.close(self._descriptor)


def row_of(data: object) -> dict[str, object]:
    """The fields of a frozen dataclass that are set, as a row: None and empty values are left out."""
    return {
        name: value
        for name in field_names(type(data))
        if (value := getattr(data, name)) not in (None, ())
    }


@functools.cache
def field_names(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    return tuple(field.name for field in dataclasses.fields(kind))
