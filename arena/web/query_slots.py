"""Run the viewer's queries, of which only a few may run at once, each in a process of its own.

Anyone who can make a browser open an address can start one; see arena/store/query_process.py.
"""

from __future__ import annotations

import threading
from pathlib import Path

from arena.errors import StoreError
from arena.store.query import QueryLimits
from arena.store.query_process import QueryJob, run_in_process
from arena.store.result import QueryResult

# Each may take the memory of its limits, and all the machine's cores.
MAX_RUNNING = 2
SLOTS = threading.BoundedSemaphore(MAX_RUNNING)
# A query waits this long for a free slot.
SLOT_WAIT_S = 2.0


class BusyError(StoreError):
    """Too many queries are running; the store is fine, and another try may succeed."""


def query_table(path: Path, sql: str, limits: QueryLimits) -> QueryResult:
    """Return the result of a query.

    Raises StoreError as `arena.store.query.answer` does, and BusyError if too many are running.
    """
    result = run_in_slot(QueryJob(path, sql, "", None, limits))
    assert isinstance(result, QueryResult)
    return result


def query_file(path: Path, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """Return the result of a query as a file of this kind, of at most 64 MB.

    Raises StoreError as `arena.store.query.file_bytes` does, and BusyError if too many are running.
    """
    content = run_in_slot(QueryJob(path, sql, kind, None, limits))
    assert isinstance(content, bytes)
    return content


def run_in_slot(job: QueryJob) -> QueryResult | bytes:
    """Return the output of a query once there is a slot for it."""
    if not SLOTS.acquire(timeout=SLOT_WAIT_S):
        raise BusyError("two queries are running; try again when one has ended")
    try:
        return run_in_process(job)
    finally:
        SLOTS.release()
