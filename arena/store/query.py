"""Run one query that a user wrote, within limits, and return its rows or the bytes of a file.

The query runs on a connection from which nothing but the store can be reached: no file, no
network, no extension and no setting.  The store is attached read-only, and only statements that
read are run.  A query with a limit of time gets a process of its own (query_process.py); a
researcher's own query has no limits.  A text of several statements runs whole and returns the last
result only.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from duckdb import DuckDBPyConnection as Connection
from duckdb import StatementType

from arena.errors import StoreError
from arena.store.migrations import quote_sql
from arena.store.result import HeldRows, QueryResult, copy_rows, quote_name
from arena.text import FORMULA_MARKS

FORMATS = {
    "csv": "format csv, header",
    "json": "format json, array true",
    "parquet": "format parquet, compression zstd",
}
# Numbers that JSON does not have, as DuckDB writes them, and the strings that may contain them.
NAN_OR_INFINITY = re.compile(rb"[:\[,]-?(?:NaN|Infinity)")
TEXT_OR_NAN = re.compile(rb'("(?:[^"\\]|\\.)*")|-?(?:NaN|Infinity)')
# `explain` with its words, up to the statement that it explains; and its options in parentheses.
BLANK = r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
EXPLAIN = re.compile(rf"{BLANK}explain\b{BLANK}(?:analy[sz]e\b{BLANK})?(?:verbose\b)?", re.I | re.S)
EXPLAIN_OPTIONS = re.compile(rf"{BLANK}\([^()]*\)", re.S)
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


# What a caller may give for the parameters of a query: $name by a mapping, ? by a sequence.
Parameters = Mapping[str, Any] | Sequence[Any] | None
Values = Mapping[str, Any] | Sequence[Any]


def answer(
    con: Connection,
    sql: str,
    parameters: Parameters,
    limits: QueryLimits,
    *,
    folders: Sequence[str] = (),
) -> QueryResult:
    """Run a user's query on a connection that serves nothing else, and return its result.

    `folders` are those whose files the query's tables are read from.
    Raises duckdb.Error as DuckDB does, and StoreError if a limit is exceeded, the text holds no
    query, or one that does more than read, or its parameters are others than those given.
    """
    statements = read_only_statements(sql)
    if not statements:
        raise StoreError("there is no query to run")
    values = check_parameters(statements, parameters)
    lock_down(con, limits, folders)
    if limits == UNLIMITED:
        return run_within_limits(con, limits, lambda: hold_result(con, sql, values))
    return read_result(con, sql, values, limits)


def hold_result(con: Connection, sql: str, values: Values) -> QueryResult:
    """Run a query and return its result, with its rows held by DuckDB."""
    relation = con.sql(sql, params=values or None)
    rows = relation.materialize()
    types = [str(kind) for kind in rows.types]
    return QueryResult(relation.columns, types=types, held=HeldRows(copy_rows(rows)))


def read_result(
    con: Connection, sql: str, values: Values = (), limits: QueryLimits = UNLIMITED
) -> QueryResult:
    """Run a query and return its result, its rows as Python values.  Raises as `answer`."""

    def read() -> QueryResult:
        """Run the query and fetch its rows."""
        cursor = con.execute(sql, values)
        unlimited = limits == UNLIMITED
        rows, cut = (cursor.fetchall(), False) if unlimited else fetch_rows(cursor, limits)
        description = cursor.description or ()
        types = [str(column[1]) for column in description]
        return QueryResult([column[0] for column in description], rows, cut, types)

    return run_within_limits(con, limits, read)


def check_parameters(statements: Sequence[duckdb.Statement], parameters: Parameters) -> Values:
    """Return the values for the parameters of a query, which stand in its last statement.

    Raises StoreError if others are given than the query has.
    """
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Mapping | Sequence | None):
        raise StoreError(
            'parameters are a mapping, {"name": value} for $name, or a sequence, [value] for ?;'
            f" found {type(parameters).__name__}"
        )
    *others, last = (set(statement.named_parameters) for statement in statements)
    if any(others):
        raise StoreError(
            "of several statements the last one alone may have parameters; found"
            f" {parameter_names(set().union(*others))} in another"
        )
    values: Values
    if isinstance(parameters, Mapping):
        values = {name: plain_value(value) for name, value in parameters.items()}
    else:
        values = [plain_value(value) for value in parameters or ()]
    # A ? is called by its number.
    given = set(values) if isinstance(values, dict) else {str(n + 1) for n in range(len(values))}
    if given == last:
        return values
    raise StoreError(
        f"the query has {parameter_names(last)}, and {parameter_names(given)} was given; $name"
        " takes a mapping (arena sql: -p name=value), ? a sequence of values"
    )


def plain_value(value: Any) -> Any:
    """Return a number of numpy, which DuckDB does not take, as one of Python."""
    return value.item() if getattr(value, "shape", None) == () else value


def parameter_names(names: Collection[object]) -> str:
    """Return the parameters of a query in words: $a, $b; positions as ?1, ?2."""
    words = sorted((f"?{name}" if str(name).isdecimal() else f"${name}") for name in names)
    return ", ".join(words) or "no parameter"


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


def file_bytes(
    con: Connection,
    sql: str,
    kind: str,
    limits: QueryLimits,
    parameters: Parameters = None,
    *,
    spreadsheet: bool = False,
    folders: Sequence[str] = (),
) -> bytes:
    """Return the result of one query as a file of the kind csv, json (one array) or parquet.

    With `spreadsheet` no text of a csv file is a formula.

    It holds at most `limits.rows` rows.  Raises as `answer`, and StoreError for another kind.
    """
    if kind not in FORMATS:
        raise StoreError(f"a result can be written as {', '.join(FORMATS)}, not as {kind!r}")
    statements = read_only_statements(sql)
    if [statement.type for statement in statements] != [StatementType.SELECT]:
        raise StoreError(
            "one query alone can be written to a file, found none or several, or one that explains"
            " or pivots: put it in from (...)"
        )
    values = check_parameters(statements, parameters)
    # The only folder that the connection may touch, beside those that it reads.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder).resolve() / f"result.{kind}"
        lock_down(con, limits, [*folders, str(file.parent)])
        limit = "" if limits.rows is None else f" limit {limits.rows}"

        def write() -> bytes:
            """Write the file and read it."""
            # As a view: a text that ends in a comment or a semicolon cannot stand in parentheses.
            # A view cannot have parameters, a table takes memory.
            kind_of_result = "table" if values else "view"
            con.execute(f'create temp {kind_of_result} "the result" as {sql}', values or None)
            rows = 'from "the result"'
            if spreadsheet and kind == "csv":
                rows = select_without_formulas(con, '"the result"')
            target = quote_sql(str(file))
            con.execute(f"copy ({rows}{limit}) to {target} ({FORMATS[kind]})")
            return without_nan(file.read_bytes()) if kind == "json" else file.read_bytes()

        return run_within_limits(con, limits, write)


def select_without_formulas(con: Connection, source: str) -> str:
    """Return the query of a table or view in which no text is a formula to a spreadsheet."""
    marks = ", ".join(f"chr({ord(mark)})" for mark in FORMULA_MARKS)
    columns = []
    for name, kind, *_ in con.execute(f"describe {source}").fetchall():
        column = quote_name(name)
        if kind == "VARCHAR":
            quoted = f"case when left({column}, 1) in ({marks}) then chr(39) || {column}"
            columns.append(f"{quoted} else {column} end as {column}")
        else:
            columns.append(column)
    return f"select {', '.join(columns)} from {source}"


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
        kind = kind_of(statement)
        if kind == StatementType.EXPLAIN:
            # `explain analyze` runs what it explains.
            kind = kind_of_explained(statement.query)
        if kind not in READ_STATEMENTS:
            raise StoreError(
                f"the query failed: it can only read, and {kind.name.replace('_', ' ')} is not"
                " allowed; use select, from, with, pivot, describe, show or explain"
            )
    return statements


def kind_of(statement: duckdb.Statement) -> StatementType:
    """Return the kind of a statement, INVALID where DuckDB's Python module has no word for it."""
    try:
        return statement.type
    except ValueError:
        return StatementType.INVALID


def kind_of_explained(sql: str) -> StatementType:
    """Return the kind of the statement that an `explain` explains, INVALID if it is not seen."""
    start = EXPLAIN.match(sql)
    inner = sql[start.end() :] if start else ""
    # Parentheses hold options, or the query itself.
    options = EXPLAIN_OPTIONS.match(inner)
    for text in (inner, inner[options.end() :] if options else ""):
        with suppress(duckdb.Error):
            statements = duckdb.extract_statements(text)
            if len(statements) == 1:
                return kind_of(statements[0])
    return StatementType.INVALID


def lock_down(con: Connection, limits: QueryLimits, folders: Sequence[str] = ()) -> None:
    """Close off files outside these folders, the network and all settings, and limit the memory."""
    if limits.memory_mb is not None:
        con.execute(f"set memory_limit = '{limits.memory_mb}MB'; set temp_directory = ''")
    if folders:
        listed = ", ".join(map(quote_sql, folders))
        con.execute(f"set allowed_directories = [{listed}]")
    # Arrow keeps the types that it has no name for; the last of these makes all settings final.
    con.execute(
        "set arrow_lossless_conversion = true;"
        " set python_enable_replacements = false;"
        " set enable_external_access = false;"
        " set lock_configuration = true"
    )


def overtime(limits: QueryLimits) -> StoreError:
    """Return the error of a query that has taken longer than its limit."""
    return StoreError(
        f"the query took longer than {limits.seconds:g} s and was stopped; narrow it, or"
        " run it with arena sql"
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
            raise overtime(limits) from error
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
