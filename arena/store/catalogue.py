"""The documentation of a store: its tables, views and macros with comments, columns and keys.

It is read from an empty store of this version, so it equals the catalogue that `duckdb` shows.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from arena.errors import StoreError
from arena.store.connection import attach_store
from arena.store.database import empty_store
from arena.store.migrations import column_comment
from arena.store.schema import TABLES
from arena.store.views.base import View
from arena.store.views.registry import ALL_VIEWS, signature

Kind = Literal["table", "view", "macro"]
TYPE_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its DuckDB type, and its comment."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A table, view or macro.

    `call` is its form in a query.  `key` names the columns that tell a table's rows apart, and
    `parameters` holds (name, comment) of a macro's.  `question` is the question that a canned query
    answers, None for anything else.
    """

    name: str
    kind: Kind
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    question: str | None = None
    call: str = ""


@functools.cache
def read_catalogue() -> dict[str, CatalogueEntry]:
    """Return all tables, then views, then macros, by name.

    It takes half a second, once in a process.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.duckdb"
        file.write_bytes(empty_store())
        with attach_store(file) as (con, _):
            con.execute("use store")
            columns = read_columns(con)
    tables = {
        name: CatalogueEntry(name, "table", t.comment, tuple(columns[name]), t.key, call=name)
        for name, t in TABLES.items()
    }
    entries = [view_entry(name, view, tuple(columns[name])) for name, view in ALL_VIEWS.items()]
    # sorted() keeps the order within views and within macros.
    views_first = sorted(entries, key=lambda entry: entry.kind == "macro")
    return tables | {entry.name: entry for entry in views_first}


def read_columns(con: duckdb.DuckDBPyConnection) -> dict[str, list[Column]]:
    """Return the columns of every table, view and macro of the attached store, by its name."""
    rows = con.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns()"
        " where database_name = 'store' order by table_name, column_index"
    ).fetchall()
    columns: dict[str, list[Column]] = {}
    for table, name, kind, comment in rows:
        columns.setdefault(table, []).append(Column(name, kind, comment or ""))
    for name, view in ALL_VIEWS.items():
        if view.parameters:
            columns[name] = macro_columns(con, name, view)
    return columns


def macro_columns(con: duckdb.DuckDBPyConnection, name: str, view: View) -> list[Column]:
    """Return the columns of a table macro's result."""
    # The catalogue does not hold them: they are those of a call with NULL for every argument.
    nulls = ", ".join("null" for _ in view.parameters)
    rows = con.execute(f"describe from {name}({nulls})").fetchall()
    return [Column(row[0], row[1], column_comment(view, row[0])) for row in rows]


def view_entry(name: str, view: View, columns: tuple[Column, ...]) -> CatalogueEntry:
    """Return the documentation of a view or macro."""
    return CatalogueEntry(
        name,
        "macro" if view.parameters else "view",
        view.comment,
        columns,
        parameters=tuple(view.parameters.items()),
        question=view.question or None,
        call=signature(name, view),
    )


def find_entry(name: str) -> CatalogueEntry:
    """Return one table, view or macro, in upper or lower case.

    Raises StoreError that names the nearest ones if there is none of that name.
    """
    entries = read_catalogue()
    lower = name.lower()
    if entry := entries.get(name, entries.get(lower)):
        return entry
    near = difflib.get_close_matches(lower, entries, 3)
    near = near or [other for other in entries if lower in other][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "`arena schema` lists them all"
    raise StoreError(f"there is no table, view or macro {name!r}; {hint}")


def overview_lines(markdown: bool = False) -> list[str]:
    """Return a line with a comment for every table, view and macro, by kind."""
    entries = read_catalogue().values()
    width = max(len(entry.call) for entry in entries)
    lines: list[str] = []
    for kind in ("table", "view", "macro"):
        of_kind = [entry for entry in entries if entry.kind == kind]
        if markdown:
            lines += [f"## {kind}s", "", "| name | what it is |", "|---|---|"]
            lines += [f"| `{entry.call}` | {entry.comment} |" for entry in of_kind]
        else:
            lines.append(f"{kind}s")
            lines += [f"  {entry.call:<{width}}  {entry.comment}" for entry in of_kind]
        lines.append("")
    command = "`arena schema NAME`" if markdown else "arena schema NAME"
    return [*lines, f"{command} shows one in full"]


def detail_lines(entry: CatalogueEntry, markdown: bool = False) -> list[str]:
    """Return one table, view or macro in full: comment, question, key or parameters, columns."""
    heading = f"## {entry.call}" if markdown else f"{entry.call}  ({entry.kind})"
    lines = [heading, *([""] if markdown else []), entry.comment]
    lines += [f"answers: {entry.question}"] if entry.question else []
    lines += [f"key: {', '.join(entry.key)}"] if entry.key else []
    lines += [f"parameter {name}: {comment}" for name, comment in entry.parameters]
    lines.append("")
    if markdown:
        lines += ["| column | type | what it is |", "|---|---|---|"]
        return lines + [f"| `{col.name}` | {col.type} | {col.comment} |" for col in entry.columns]
    name_width = max(len(column.name) for column in entry.columns)
    # The longest types, those of nested columns, would push all comments off the screen.
    types = [
        column.type if len(column.type) <= TYPE_WIDTH else column.type[: TYPE_WIDTH - 1] + "…"
        for column in entry.columns
    ]
    type_width = max(map(len, types))
    return lines + [
        f"  {column.name:<{name_width}}  {kind:<{type_width}}  {column.comment}"
        for column, kind in zip(entry.columns, types, strict=True)
    ]


def as_dict(entry: CatalogueEntry) -> dict[str, object]:
    """Return one table, view or macro as JSON has it."""
    return dataclasses.asdict(entry) | {"parameters": dict(entry.parameters)}
