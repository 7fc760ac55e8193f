"""Run a query of the viewer in a process of its own, bounded in time, memory and disk.

DuckDB opens a file once in a process, so other pages would wait as long as a query runs; and
DuckDB's limits do not cover the Python objects of a result.  The operating system bounds this
process, and it is killed if it does not end.  Starting it takes 0.2 s.  `python -m
arena.web.query_worker` is that process: it reads a pickled query from its standard input and
writes the pickled result, or an error as a string, to its standard output.
"""

from __future__ import annotations

import os
import pickle
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
from arena.store.query import MB, QueryLimits, answer, file_bytes
from arena.store.result import QueryResult
from arena.store.tempdir import scratch

try:
    import resource
except ImportError:  # Windows
    HAS_LIMITS = False
else:
    HAS_LIMITS = True

ROOT = Path(__file__).resolve().parents[2]
# Each may take the memory of its limits, and all the machine's cores.
MAX_RUNNING = 2
SLOTS = threading.BoundedSemaphore(MAX_RUNNING)
# A query waits this long for a free slot.
SLOT_WAIT_S = 2.0
# Time that a process has beyond its query's limit, to start and to open the store.
GRACE_S = 10.0
ADDRESSES_MB = 2560
FILE_MB = 64


class BusyError(StoreError):
    """Too many queries are running; the store is fine, and another try may succeed."""


def query_table(path: Path, sql: str, limits: QueryLimits) -> QueryResult:
    """Return the result of a query.

    Raises StoreError as `arena.store.query.answer` does, and BusyError if too many are running.
    """
    result = run_in_process(path, sql, "", limits)
    assert isinstance(result, QueryResult)
    return result


def query_file(path: Path, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """Return the result of a query as a file of this kind, of at most FILE_MB.

    Raises StoreError as `arena.store.query.file_bytes` does, and BusyError if too many are running.
    """
    content = run_in_process(path, sql, kind, limits)
    assert isinstance(content, bytes)
    return content


def run_in_process(path: Path, sql: str, kind: str, limits: QueryLimits) -> QueryResult | bytes:
    """Return the output of the process; kill it after its time, and remove its temporary files."""
    if not SLOTS.acquire(timeout=SLOT_WAIT_S):
        raise BusyError("two queries are running; try again when one has ended")
    try:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            # By default glibc reserves 64 MB of addresses for every thread.
            settings = {"PYTHONPATH": paths, "MALLOC_ARENA_MAX": "2"}
            settings |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
            environment = {**os.environ, **settings}
            # -P keeps the current folder off the path, in which a duckdb.py may lie.
            command = [sys.executable, "-P", "-m", "arena.web.query_worker"]
            query = pickle.dumps((path, sql, kind, limits))
            timeout = None if limits.seconds is None else limits.seconds + GRACE_S
            process = subprocess.run(
                command, input=query, stdout=subprocess.PIPE, env=environment, timeout=timeout
            )
    except subprocess.TimeoutExpired as error:
        raise StoreError(
            f"the query took longer than {limits.seconds:g} s and was stopped;"
            " narrow it, or run it with arena sql"
        ) from error
    finally:
        SLOTS.release()
    if process.returncode != 0:
        raise StoreError(
            "the query broke off, most likely because it ran out of memory;"
            " narrow it, or run it with arena sql"
        )
    # Safe to unpickle: this program wrote it, from values of DuckDB.
    output = pickle.loads(process.stdout)
    if isinstance(output, str):
        raise StoreError(output)
    assert isinstance(output, QueryResult | bytes)
    return output


def main() -> None:
    """Run the process: read one query, write its result or its error."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    path, sql, kind, limits = pickle.loads(sys.stdin.buffer.read())
    if limits.seconds is not None:
        # The last resort, in case the parent has died and nobody is left to kill this process.
        end_after(limits.seconds + 2 * GRACE_S)
    if HAS_LIMITS:
        with suppress(ValueError, OSError):  # macOS does not take this one
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MB * MB, ADDRESSES_MB * MB))

    def run(con: duckdb.DuckDBPyConnection) -> QueryResult | bytes:
        if not kind:
            return answer(con, sql, (), limits)
        with limit_file_size(FILE_MB):
            return file_bytes(con, sql, kind, limits)

    try:
        output = pickle.dumps(with_views(path, sql, run))
    except ArenaError as error:
        message = str(error)
        if kind and "File too large" in message:
            message = (
                f"the file would be larger than {FILE_MB} MB;"
                " narrow the query, or write it with arena sql --output"
            )
        output = pickle.dumps(message)
    except RecursionError:
        output = pickle.dumps("the values of this result are nested too deeply to be shown")
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()


def missing_limits() -> str | None:
    """Return what this system lets a query of the viewer do that others do not; None: nothing."""
    if not HAS_LIMITS:
        return (
            "this system bounds neither the memory nor the files of a process: a query in the"
            f" viewer may take more than {ADDRESSES_MB:,} MB of memory, its file more than"
            f" {FILE_MB} MB"
        )
    if sys.platform == "darwin":
        return (
            "macOS does not bound the memory of a process: a query in the viewer may take more"
            f" than {ADDRESSES_MB:,} MB"
        )
    return None


def end_after(seconds: float) -> None:
    """End this process after a time, whatever it does then."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds))
        return
    # Where there is no such signal, a thread does it as soon as it gets to run.
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()


@contextmanager
def limit_file_size(max_mb: int) -> Iterator[None]:
    """Let no file grow larger than this within the block, where the system can."""
    if not HAS_LIMITS:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_mb * MB, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


if __name__ == "__main__":
    main()
