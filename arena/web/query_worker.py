"""A query of the viewer, run in a process of its own, so that it can neither hold up the other pages nor take the machine's memory.

DuckDB opens a file once in a process: beside a query of ten seconds every other page would wait ten seconds.  And what Python makes of a
result heeds no limit of DuckDB's.  The process is bounded by the system and is killed when it does not end; to start it takes 0.2 s.
`python -m arena.web.asked` is that process: it reads what is asked from its standard input and writes what came of it to its output.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from arena.errors import ArenaError, StoreError
from arena.store.database import with_views
from arena.store.query import MB, QueryLimits, QueryResult, answer, file_bytes
from arena.store.tempdir import scratch

ROOT = Path(__file__).resolve().parents[2]
MAX_RUNNING = 2
SLOTS = threading.BoundedSemaphore(MAX_RUNNING)
# How long a query waits for a place, and how much longer than it may take its process may live: to start, and to open the store.
SLOT_WAIT_S, GRACE_S = 2.0, 10.0
ADDRESSES_MB = 2560
FILE_MB = 64


class BusyError(StoreError):
    """Too many queries are running; it is no property of the store, and another try may succeed."""


def query_table(path: Path, sql: str, limits: QueryLimits) -> QueryResult:
    """The result of a query.  Raises StoreError as `arena.store.query`, or BusyError where too many are running."""
    found = run_in_process(path, sql, "", limits)
    assert isinstance(found, QueryResult)
    return found


def query_file(path: Path, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """The result of a query as a file of this kind, of at most FILE_MB.  Raises StoreError as `arena.store.download`, or BusyError."""
    found = run_in_process(path, sql, kind, limits)
    assert isinstance(found, bytes)
    return found


def run_in_process(path: Path, sql: str, kind: str, limits: QueryLimits) -> QueryResult | bytes:
    """What the process gives back; it is killed where it does not end, and what it has left on the disk goes with it."""
    if not SLOTS.acquire(timeout=SLOT_WAIT_S):
        raise BusyError("two queries are running; try again when one has ended")
    try:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            # glibc sets 64 MB of addresses aside for every thread, unless it is told.
            environment = {
                **os.environ,
                "PYTHONPATH": paths,
                "TMPDIR": folder,
                "MALLOC_ARENA_MAX": "2",
            }
            done = subprocess.run(
                [sys.executable, "-P", "-m", "arena.web.query_worker"],
                input=pickle.dumps((path, sql, kind, limits)),
                stdout=subprocess.PIPE,
                env=environment,
                timeout=None if limits.seconds is None else limits.seconds + GRACE_S,
            )
    except subprocess.TimeoutExpired as error:
        told = f"the query took longer than {limits.seconds:g} s and was stopped; narrow it, or run it with arena sql"
        raise StoreError(told) from error
    finally:
        SLOTS.release()
    if done.returncode != 0:
        raise StoreError(
            "the query broke off, most likely for want of memory; narrow it, or run it with arena sql"
        )
    found = pickle.loads(done.stdout)
    if isinstance(found, str):
        raise StoreError(found)
    assert isinstance(found, QueryResult | bytes)
    return found


def main() -> None:
    """The process: one query, its result or what is wrong with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    path, sql, kind, limits = pickle.loads(sys.stdin.buffer.read())
    if limits.seconds is not None:
        # Where nobody is left to kill us.
        signal.alarm(int(limits.seconds + 2 * GRACE_S))
    with suppress(ValueError, OSError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MB * MB, ADDRESSES_MB * MB))

    def run(con: duckdb.DuckDBPyConnection) -> QueryResult | bytes:
        """A result of the kind that is asked for."""
        if not kind:
            return answer(con, sql, (), limits)
        with limit_file_size(FILE_MB):
            return file_bytes(con, sql, kind, limits)

    try:
        written = pickle.dumps(with_views(path, sql, run))
    except ArenaError as error:
        told = str(error)
        if kind and "File too large" in told:
            told = f"the file would be larger than {FILE_MB} MB; narrow the query, or write it with arena sql --output"
        written = pickle.dumps(told)
    except RecursionError:
        written = pickle.dumps("the values of this result are nested too deeply to be shown")
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()


@contextmanager
def limit_file_size(most_mb: int) -> Iterator[None]:
    """No file grows larger than this within the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_mb * MB, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


if __name__ == "__main__":
    main()
