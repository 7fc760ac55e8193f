"""One query by somebody who is not to be trusted: what it may take, and its result as rows or as the bytes of a file.

A query runs on a connection from which nothing but the store can be reached: no file, no network, no extension, no setting.  The store is
attached read-only, and nothing but statements that read is run.  Limits of time, rows and memory are for queries that come from a browser
(`arena/web/query_worker.py` sets the hardest ones, on a process of its own); a researcher's own may take what they take.  Left out: more than one
result.  A text of several statements runs whole, and the last result is given.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from arena.errors import StoreError
from arena.store.migrations import quote_sql

FORMATS = {
    "csv": "format csv, header",
    "json": "format json, array true",
    "parquet": "format parquet, compression zstd",
}
# Numbers that JSON does not know, as DuckDB writes them, and the texts that they may stand in.
NAN_OR_INFINITY = re.compile(rb"[:\[,]-?(?:NaN|Infinity)")
TEXT_OR_NAN = re.compile(rb'("(?:[^"\\]|\\.)*")|-?(?:NaN|Infinity)')
MB = 2**20
MOST_ROWS_AT_ONCE = 2048
T = TypeVar("Result")
# MULTI is what pivot is made of.
READ_STATEMENTS = (
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.MULTI,
)


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What a query may take: seconds, rows of its result and megabytes of its cells (more are cut off), and of memory; None: no limit."""

    seconds: float | None = None
    rows: int | None = None
    memory_mb: int | None = None
    cells_mb: int | None = None


UNLIMITED = QueryLimits()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query: column names, rows as tuples, and whether there were more rows than the limits let through."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name; of columns that share one, a further one is name_1, name_2, as DuckDB names them."""
        names = unique_names(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __str__(self) -> str:
        cells = [[str(c) for c in self.columns]] + [
            ["" if v is None else str(v) for v in row] for row in self.rows
        ]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )


def answer(
    con: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any], limits: QueryLimits
) -> QueryResult:
    """Run a query on a connection that serves nothing else, and read its result.

    Raises duckdb.Error as DuckDB does, and StoreError where a limit is met, there is no query, or it is one that does more than read.
    """
    if not read_only_statements(sql):
        raise StoreError("there is no query to run")
    lock_down(con, limits)

    def read() -> QueryResult:
        """Run it."""
        cursor = con.execute(sql, list(parameters))
        rows, cut = (
            (cursor.fetchall(), False) if limits == UNLIMITED else fetch_rows(cursor, limits)
        )
        return QueryResult(
            tuple(column[0] for column in cursor.description or ()), tuple(rows), cut
        )

    return run_within_limits(con, limits, read)


def fetch_rows(
    cursor: duckdb.DuckDBPyConnection, limits: QueryLimits
) -> tuple[list[tuple[Any, ...]], bool]:
    """(rows, whether there are more), within the limits of rows, of cells and of time.

    Few at a time, fewer the larger they are: nothing can stop Python while it makes the values of one batch.
    """
    until = None if limits.seconds is None else time.monotonic() + limits.seconds
    room = sys.maxsize if limits.cells_mb is None else limits.cells_mb * MB
    rows: list[tuple[Any, ...]] = []
    at_once = 1
    while batch := cursor.fetchmany(at_once):
        took = 0
        for row in batch:
            size = row_size(row)
            if len(rows) == limits.rows or size > room:
                return rows, True
            rows.append(row)
            room -= size
            took += size
        if until is not None and time.monotonic() > until:
            break  # whoever waits for us has heard it by now
        at_once = max(1, min(2 * at_once, MOST_ROWS_AT_ONCE, MB * len(batch) // took))
    return rows, False


def row_size(row: tuple[Any, ...]) -> int:
    """About how many bytes a row takes in memory, its lists and structs included."""
    total, todo = 0, [row]
    while todo:
        values = todo.pop()
        for value in values:
            total += sys.getsizeof(value)
            if isinstance(value, list | tuple):
                todo.append(tuple(value))
            elif isinstance(value, dict):
                todo.append((*value.keys(), *value.values()))
    return total + sys.getsizeof(row)


def unique_names(columns: Sequence[str]) -> list[str]:
    """Column names that differ in more than capitals: a, a_1, a_2."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name, number = column, 0
        while name.lower() in taken:
            number += 1
            name = f"{column}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def file_bytes(con: duckdb.DuckDBPyConnection, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """The result of one query as a file of this kind: csv, json (one array) or parquet; no more rows than `limits` says.

    It is written to a folder of its own, the only one that the connection may then touch, which is gone afterwards.  Raises as `answer`.
    """
    if kind not in FORMATS:
        raise StoreError(f"a result can be written as {', '.join(FORMATS)}, not as {kind!r}")
    if [statement.type for statement in read_only_statements(sql)] != [duckdb.StatementType.SELECT]:
        raise StoreError(
            "one query alone can be written to a file, found none or several, or one that explains or pivots: put it in from (...)"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder).resolve() / f"result.{kind}"
        lock_down(con, limits, str(file.parent))
        limit = "" if limits.rows is None else f" limit {limits.rows}"

        def write() -> bytes:
            """As a view first, since a text that ends in a comment or a semicolon cannot stand in brackets."""
            con.execute(f'create temp view "the result" as {sql}')
            con.execute(
                f'copy (from "the result"{limit}) to {quote_sql(str(file))} ({FORMATS[kind]})'
            )
            return without_nan(file.read_bytes()) if kind == "json" else file.read_bytes()

        return run_within_limits(con, limits, write)


def without_nan(content: bytes) -> bytes:
    """JSON as everybody reads it: null where DuckDB writes NaN or Infinity, but not where a text holds such a word."""
    if not NAN_OR_INFINITY.search(content):
        return content
    return TEXT_OR_NAN.sub(lambda found: found[1] or b"null", content)


def read_only_statements(sql: str) -> list[duckdb.Statement]:
    """The statements of a text.  Raises StoreError where one of them could do more than read.

    That the store is attached read-only is not enough: who may detach it can attach it again to write.
    """
    statements = duckdb.extract_statements(sql)
    for statement in statements:
        try:
            kind = statement.type
        except ValueError:  # a kind that DuckDB knows and its Python module does not
            kind = duckdb.StatementType.INVALID
        if kind not in READ_STATEMENTS:
            raise StoreError(
                f"the query failed: it can only read, and {kind.name.replace('_', ' ')} is not allowed; use select, from, with, pivot,"
                " describe, show or explain"
            )
    return statements


def lock_down(
    con: duckdb.DuckDBPyConnection, limits: QueryLimits, folder: str | None = None
) -> None:
    """Take from a connection the way to files but for one folder, to the network and to its settings; and bound its memory."""
    if limits.memory_mb is not None:
        con.execute(f"set memory_limit = '{limits.memory_mb}MB'")
        con.execute("set temp_directory = ''")
    if folder is not None:
        con.execute(f"set allowed_directories = [{quote_sql(folder)}]")
    con.execute(
        "set python_enable_replacements = false; set enable_external_access = false; set lock_configuration = true"
    )


def run_within_limits(
    con: duckdb.DuckDBPyConnection, limits: QueryLimits, work: Callable[[], T]
) -> T:
    """What the work on this connection gives; stopped when its time is over, on Ctrl-C, or where its memory is too small.

    It runs in a thread of its own: DuckDB hears no Ctrl-C while it is busy in ours.
    """
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        try:
            return future.result(limits.seconds)
        except TimeoutError as error:
            told = f"the query took longer than {limits.seconds:g} s and was stopped; narrow it, or run it with arena sql"
            raise StoreError(told) from error
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            if limits.memory_mb is None:
                raise
            told = f"the query needs more than {limits.memory_mb} MB of memory and was stopped; narrow it, or run it with arena sql"
            raise StoreError(told) from error
        finally:
            # Again and again, since a query that has not begun yet would not hear it.
            while not future.done():
                con.interrupt()
                time.sleep(0.01)
