"""Run a query in a process of its own, bounded in time, memory and disk.

DuckDB hears no interrupt while it makes one value, opens a file once in a process, so that others
would wait as long as a query runs, and its limits do not cover the Python objects of a result.  The
operating system bounds this process (query_worker.py), and it is killed if it does not end.
Starting it takes 0.2 s.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StoreError
from arena.store.query import Parameters, QueryLimits, overtime
from arena.store.result import QueryResult
from arena.store.tempdir import scratch

ROOT = Path(__file__).resolve().parents[2]
# Time that a process has beyond its query's limit, to start and to open the store.
GRACE_S = 10.0
# The exit status of a process that has ended itself after its time, where no signal does it.
OVERTIME_STATUS = 124


@dataclass(frozen=True, slots=True)
class QueryJob:
    """A query with all that its process needs; `kind` is that of a file, empty for a result."""

    path: Path
    sql: str
    kind: str
    parameters: Parameters
    limits: QueryLimits
    spreadsheet: bool = False


def run_in_process(
    job: QueryJob, started: Callable[[subprocess.Popen[bytes]], None] | None = None
) -> QueryResult | bytes:
    """Return the output of the process; kill it after its time, and remove its temporary files.

    `started` is given the process, so that a caller can kill it before its time.  Raises StoreError
    as `answer` and `file_bytes` of arena.store.query do, and if it broke off.
    """
    limits = job.limits
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        # By default glibc reserves 64 MB of addresses for every thread.
        settings = {"PYTHONPATH": paths, "MALLOC_ARENA_MAX": "2"}
        settings |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        environment = {**os.environ, **settings}
        # -P keeps the current folder off the path, in which a duckdb.py may lie.
        command = [sys.executable, "-P", "-m", "arena.store.query_worker"]
        timeout = None if limits.seconds is None else limits.seconds + GRACE_S
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as process:
            try:
                if started:
                    started(process)
                written, _ = process.communicate(pickle.dumps(job), timeout)
            except subprocess.TimeoutExpired as error:
                raise overtime(limits) from error
            finally:
                # Without effect on a process that has ended; leaving the block waits for it.
                process.kill()
    if process.returncode in (OVERTIME_STATUS, -getattr(signal, "SIGALRM", 0) or OVERTIME_STATUS):
        raise overtime(limits)
    if process.returncode != 0:
        raise StoreError(
            "the query broke off, most likely because it ran out of memory;"
            " narrow it, or run it with arena sql"
        )
    # Safe to unpickle: this program wrote it, from values of DuckDB.
    output = pickle.loads(written)
    if isinstance(output, str):
        raise StoreError(output)
    assert isinstance(output, QueryResult | bytes)
    return output
