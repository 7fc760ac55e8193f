"""Run the viewer's queries, each in a process of its own that ends when its reader has gone.

Anyone who can make a browser open an address can start one; see arena/store/query_process.py.  How
many run at once is up to the lane in which they run (app.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from arena.store.query import QueryLimits
from arena.store.query_process import QueryJob, run_in_process
from arena.store.result import QueryResult
from arena.web.lanes import stop_when_gone


def query_table(path: Path, sql: str, limits: QueryLimits) -> QueryResult:
    """Return the result of a query.  Raises StoreError as `arena.store.query.answer` does."""
    result = run_in_process(QueryJob(path, sql, "", None, limits), end_with_reader)
    assert isinstance(result, QueryResult)
    return result


def query_file(path: Path, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """Return the result of a query as a file of this kind, of at most 64 MB.

    Raises StoreError as `arena.store.query.file_bytes` does.
    """
    content = run_in_process(QueryJob(path, sql, kind, None, limits), end_with_reader)
    assert isinstance(content, bytes)
    return content


def end_with_reader(process: subprocess.Popen[bytes]) -> None:
    """Let the process be killed when nobody waits any more for its result."""
    stop_when_gone(process.kill)
