"""Run one query that a user wrote, within limits, and return its rows or the bytes of a file.

The query runs on a connection from which nothing but the store can be reached: no file, no
network, no extension and no setting.  The store is attached read-only, and only statements that
read are run.  Limits of time, rows and memory are for queries that come from a browser;
`arena/web/query_worker.py` adds those of a process of its own.  A researcher's own query has no
limits.  A text of several statements runs whole and returns the last result only.
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
from duckdb import DuckDBPyConnection as Connection
from duckdb import StatementType

from arena.errors import StoreError
from arena.store.migrations import quote_sql

FORMATS = {
    "csv": "format csv, header",
    "json": "format json, array true",
    "parquet": "format parquet, compression zstd",
}
# Numbers that JSON does not have, as DuckDB writes them, and the strings that may contain them.
NAN_OR_INFINITY = re.compile(rb"[:\[,]-?(?:NaN|Infinity)")
TEXT_OR_NAN = re.compile(rb'("(?:[^"\\]|\\.)*")|-?(?:NaN|Infinity)')
MB = 2**20
MAX_BATCH_ROWS = 2048
T = TypeVar("T")
# DuckDB turns `pivot` into MULTI.
READ_STATEMENTS = (StatementType.SELECT, StatementType.EXPLAIN, StatementType.MULTI)


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of a query; None: no limit.

    A query that takes more than `seconds`, or `memory_mb` megabytes in DuckDB, is stopped.  A
    result of more than `rows` rows or `cells_mb` megabytes of values is cut off.
    """

    seconds: float | None = None
    rows: int | None = None
    memory_mb: int | None = None
    cells_mb: int | None = None


UNLIMITED = QueryLimits()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query: column names, and rows as tuples.

    `cut` says whether the limits cut off rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries by column name.

        Further columns of the same name are called name_1, name_2, as DuckDB does in files.
        """
        names = unique_names(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __str__(self) -> str:
        lines = (self.columns, *self.rows)
        cells = [["" if value is None else str(value) for value in row] for row in lines]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )


def answer(
    con: Connection, sql: str, parameters: Sequence[Any], limits: QueryLimits
) -> QueryResult:
    """Run a user's query on a connection that serves nothing else, and return its result.

    Raises duckdb.Error as DuckDB does, and StoreError if a limit is exceeded, the text holds no
    query, or it holds one that does more than read.
    """
    if not read_only_statements(sql):
        raise StoreError("there is no query to run")
    lock_down(con, limits)
    return read_result(con, sql, parameters, limits)


def read_result(
    con: Connection, sql: str, parameters: Sequence[Any], limits: QueryLimits = UNLIMITED
) -> QueryResult:
    """Run a query and return its result.  Raises as `answer` if a limit is exceeded."""

    def read() -> QueryResult:
        """Run the query and fetch its rows."""
        cursor = con.execute(sql, list(parameters))
        unlimited = limits == UNLIMITED
        rows, cut = (cursor.fetchall(), False) if unlimited else fetch_rows(cursor, limits)
        columns = tuple(column[0] for column in cursor.description or ())
        return QueryResult(columns, tuple(rows), cut)

    return run_within_limits(con, limits, read)


def fetch_rows(cursor: Connection, limits: QueryLimits) -> tuple[list[tuple[Any, ...]], bool]:
    """Return the rows within the limits of rows, values and time, and whether there are more."""
    until = None if limits.seconds is None else time.monotonic() + limits.seconds
    room = sys.maxsize if limits.cells_mb is None else limits.cells_mb * MB
    rows: list[tuple[Any, ...]] = []
    # Nothing can stop Python while it makes the values of a batch: large rows come a few at a time.
    batch_rows = 1
    while batch := cursor.fetchmany(batch_rows):
        batch_bytes = 0
        for row in batch:
            size = row_size(row)
            if len(rows) == limits.rows or size > room:
                return rows, True
            rows.append(row)
            room -= size
            batch_bytes += size
        if until is not None and time.monotonic() > until:
            break  # run_within_limits has given up on this query already
        batch_rows = max(1, min(2 * batch_rows, MAX_BATCH_ROWS, MB * len(batch) // batch_bytes))
    return rows, False


def row_size(row: tuple[Any, ...]) -> int:
    """Return about how many bytes a row takes in memory, its lists and structs included."""
    total = sys.getsizeof(row)
    todo = [row]
    while todo:
        values = todo.pop()
        for value in values:
            total += sys.getsizeof(value)
            if isinstance(value, list | tuple):
                todo.append(tuple(value))
            elif isinstance(value, dict):
                todo.append((*value.keys(), *value.values()))
    return total


def unique_names(columns: Sequence[str]) -> list[str]:
    """Return column names that differ in more than upper and lower case: a, a_1, a_2."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name = column
        number = 0
        while name.lower() in taken:
            number += 1
            name = f"{column}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def file_bytes(con: Connection, sql: str, kind: str, limits: QueryLimits) -> bytes:
    """Return the result of one query as a file of the kind csv, json (one array) or parquet.

    It holds at most `limits.rows` rows.  Raises as `answer`, and StoreError for another kind.
    """
    if kind not in FORMATS:
        raise StoreError(f"a result can be written as {', '.join(FORMATS)}, not as {kind!r}")
    if [statement.type for statement in read_only_statements(sql)] != [StatementType.SELECT]:
        raise StoreError(
            "one query alone can be written to a file, found none or several, or one that explains"
            " or pivots: put it in from (...)"
        )
    # The only folder that the connection may touch.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder).resolve() / f"result.{kind}"
        lock_down(con, limits, str(file.parent))
        limit = "" if limits.rows is None else f" limit {limits.rows}"

        def write() -> bytes:
            """Write the file and read it."""
            # As a view: a text that ends in a comment or a semicolon cannot stand in parentheses.
            con.execute(f'create temp view "the result" as {sql}')
            target = quote_sql(str(file))
            con.execute(f'copy (from "the result"{limit}) to {target} ({FORMATS[kind]})')
            return without_nan(file.read_bytes()) if kind == "json" else file.read_bytes()

        return run_within_limits(con, limits, write)


def without_nan(content: bytes) -> bytes:
    """Return JSON with null in place of DuckDB's NaN and Infinity, which JSON does not have.

    Strings keep these words.
    """
    if not NAN_OR_INFINITY.search(content):
        return content
    return TEXT_OR_NAN.sub(lambda match: match[1] or b"null", content)


def read_only_statements(sql: str) -> list[duckdb.Statement]:
    """Return the statements of a text.  Raises StoreError if one could do more than read."""
    # A read-only store is not enough: a query that may detach it can attach it again to write.
    statements = duckdb.extract_statements(sql)
    for statement in statements:
        try:
            kind = statement.type
        except ValueError:  # a kind that DuckDB has and its Python module does not
            kind = StatementType.INVALID
        if kind not in READ_STATEMENTS:
            raise StoreError(
                f"the query failed: it can only read, and {kind.name.replace('_', ' ')} is not"
                " allowed; use select, from, with, pivot, describe, show or explain"
            )
    return statements


def lock_down(con: Connection, limits: QueryLimits, folder: str | None = None) -> None:
    """Close off files outside `folder`, the network and all settings, and limit the memory."""
    if limits.memory_mb is not None:
        con.execute(f"set memory_limit = '{limits.memory_mb}MB'; set temp_directory = ''")
    if folder is not None:
        con.execute(f"set allowed_directories = [{quote_sql(folder)}]")
    # The last of these makes all settings final.
    con.execute(
        "set python_enable_replacements = false;"
        " set enable_external_access = false;"
        " set lock_configuration = true"
    )


def run_within_limits(con: Connection, limits: QueryLimits, work: Callable[[], T]) -> T:
    """Return the result of `work` on this connection; stop it on Ctrl-C.

    Raises StoreError if it exceeds the limit of time or of memory.
    """
    # In a thread of its own: DuckDB does not react to Ctrl-C while it runs in the main one.
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        try:
            return future.result(limits.seconds)
        except TimeoutError as error:
            raise StoreError(
                f"the query took longer than {limits.seconds:g} s and was stopped; narrow it, or"
                " run it with arena sql"
            ) from error
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            if limits.memory_mb is None:
                raise
            raise StoreError(
                f"the query needs more than {limits.memory_mb} MB of memory and was stopped; narrow"
                " it, or run it with arena sql"
            ) from error
        finally:
            # Again and again: a query that has not begun yet misses an interrupt.
            while not future.done():
                con.interrupt()
                time.sleep(0.01)
