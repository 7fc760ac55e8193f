"""The process of one query: `python -m arena.store.query_worker`, started by query_process.py.

It reads a pickled QueryJob from its standard input and writes the pickled result, or an error as a
string, to its standard output.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from arena.errors import ArenaError
from arena.store.database import with_views
from arena.store.query import MB, answer, file_bytes
from arena.store.query_process import GRACE_S, OVERTIME_STATUS, QueryJob
from arena.store.result import QueryResult

try:
    import resource
except ImportError:  # Windows
    HAS_LIMITS = False
else:
    HAS_LIMITS = True

# Of a query whose memory is limited; DuckDB's own limit does not cover the values of Python.
ADDRESSES_MB = 2560
FILE_MB = 64
LOWER_PRIORITY = 10
# A query that is told to stop has this long before its process ends.
STOP_S = 1.0
# Where there is no alarm signal: the thread that ends the process.
TIMERS: list[threading.Timer] = []


def main() -> None:
    """Run the process: read one query, write its result or its error."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    job: QueryJob = pickle.loads(sys.stdin.buffer.read())
    seconds = job.limits.seconds
    if seconds is not None:
        # In case the parent has died and nobody is left to kill this process.
        end_after(seconds + 2 * GRACE_S)
    if job.limits.memory_mb is not None and hasattr(os, "nice"):
        # It takes all cores; the pages of the viewer come first.
        os.nice(LOWER_PRIORITY)
    if HAS_LIMITS and job.limits.memory_mb is not None:
        with suppress(ValueError, OSError):  # macOS does not take this one
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MB * MB, ADDRESSES_MB * MB))

    def run(con: duckdb.DuckDBPyConnection) -> QueryResult | bytes:
        """Run the query, which ends the process if it does not stop when it is told to."""
        if seconds is not None:
            end_after(seconds + STOP_S)
        try:
            if not job.kind:
                return answer(con, job.sql, job.parameters, job.limits)
            with limit_file_size(FILE_MB):
                return file_bytes(
                    con,
                    job.sql,
                    job.kind,
                    job.limits,
                    job.parameters,
                    spreadsheet=job.spreadsheet,
                )
        finally:
            if seconds is not None:
                end_after(2 * GRACE_S)

    try:
        output = pickle.dumps(with_views(job.path, job.sql, run))
    except ArenaError as error:
        message = str(error)
        if job.kind and "File too large" in message:
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
    """End this process after a time, whatever it does then, in place of an earlier such time."""
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(seconds))
        return
    # Where there is no such signal, a thread does it as soon as it gets to run.
    while TIMERS:
        TIMERS.pop().cancel()
    timer = threading.Timer(seconds, os._exit, [OVERTIME_STATUS])
    timer.daemon = True
    timer.start()
    TIMERS.append(timer)


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
