"""The documentation of a store: every table, view and table macro with its comment, its columns with types and comments, and its key.

It is read from an empty store of this version, so that it is what `duckdb` itself shows, and needs no store of the user's.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from arena.errors import StoreError
from arena.store.migrations import OFFLINE, column_comment, empty_store, quote_sql
from arena.store.schema import TABLES
from arena.store.views.base import View
from arena.store.views.registry import ALL_VIEWS, CANNED, signature

Kind = Literal["table", "view", "macro"]
TYPE_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, DuckDB's type of it, and its comment."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A table, view or macro.

    `call` is how it is written in a query; `key` the columns that tell rows apart (tables); `parameters` {name: comment} (macros);
    `question` what it answers, None where it is no canned query.
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
    """All tables, views and macros by name: tables first, then views, then macros; takes half a second, once in a process."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(duckdb.connect(":memory:", config=OFFLINE)) as con,
    ):
        file = Path(folder) / "empty.duckdb"
        file.write_bytes(empty_store())
        con.execute(f"attach {quote_sql(str(file))} as store (type duckdb, read_only); use store")
        rows = con.execute(
            "select table_name, column_name, data_type, comment from duckdb_columns() where database_name = 'store'"
            " order by table_name, column_index"
        ).fetchall()
        columns: dict[str, list[Column]] = {}
        for table, name, kind, comment in rows:
            columns.setdefault(table, []).append(Column(name, kind, comment or ""))
        for name, view in ALL_VIEWS.items():
            if view.parameters:
                columns[name] = macro_columns(con, name, view)
    tables = {
        name: CatalogueEntry(name, "table", t.comment, tuple(columns[name]), t.key, call=name)
        for name, t in TABLES.items()
    }
    made = {name: view_entry(name, view, tuple(columns[name])) for name, view in ALL_VIEWS.items()}
    ordered = sorted(made.values(), key=lambda item: item.kind == "macro")
    return tables | {item.name: item for item in ordered}


def macro_columns(con: duckdb.DuckDBPyConnection, name: str, view: View) -> list[Column]:
    """What a table macro gives, with arguments of NULL: the catalogue does not say."""
    nothing = ", ".join("null" for _ in view.parameters)
    rows = con.execute(f"describe from {name}({nothing})").fetchall()
    return [Column(row[0], row[1], column_comment(view, row[0])) for row in rows]


def view_entry(name: str, view: View, columns: tuple[Column, ...]) -> CatalogueEntry:
    """The documentation of a view or macro."""
    question = CANNED[name].question if name in CANNED else None
    kind: Kind = "macro" if view.parameters else "view"
    parameters = tuple(view.parameters.items())
    return CatalogueEntry(
        name,
        kind,
        view.comment,
        columns,
        parameters=parameters,
        question=question,
        call=signature(name, view),
    )


def find_entry(name: str) -> CatalogueEntry:
    """One table, view or macro.  Raises StoreError that names the nearest ones where there is none of that name."""
    found = read_catalogue()
    if name in found:
        return found[name]
    if name.lower() in found:
        return found[name.lower()]
    near = difflib.get_close_matches(name.lower(), found, 3)
    near = near or [other for other in found if name.lower() in other][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "`arena schema` lists them all"
    raise StoreError(f"there is no table, view or macro {name!r}; {hint}")


def overview_lines(markdown: bool = False) -> list[str]:
    """Every table, view and macro with its comment, one a line, by kind."""
    found = list(read_catalogue().values())
    width = max(len(item.call) for item in found)
    lines: list[str] = []
    for kind in ("table", "view", "macro"):
        some = [item for item in found if item.kind == kind]
        if markdown:
            lines += [
                f"## {kind}s",
                "",
                "| name | what it is |",
                "|---|---|",
                *(f"| `{item.call}` | {item.comment} |" for item in some),
                "",
            ]
        else:
            lines += [f"{kind}s", *(f"  {item.call:<{width}}  {item.comment}" for item in some), ""]
    return [
        *lines,
        "arena schema NAME shows one in full"
        if not markdown
        else "`arena schema NAME` shows one in full",
    ]


def detail_lines(item: CatalogueEntry, markdown: bool = False) -> list[str]:
    """One table, view or macro in full: its comment, its question, its key or parameters, and its columns."""
    heading = f"## {item.call}" if markdown else f"{item.call}  ({item.kind})"
    lines = [heading, *([""] if markdown else []), item.comment]
    lines += [f"answers: {item.question}"] if item.question else []
    lines += [f"key: {', '.join(item.key)}"] if item.key else []
    lines += [f"parameter {name}: {comment}" for name, comment in item.parameters]
    lines.append("")
    if markdown:
        lines += ["| column | type | what it is |", "|---|---|---|"]
        return lines + [
            f"| `{column.name}` | {column.type} | {column.comment} |" for column in item.columns
        ]
    width = max(len(column.name) for column in item.columns)
    # The longest types are those of nested columns, which would push all comments off the screen.
    types = [
        column.type if len(column.type) <= TYPE_WIDTH else column.type[: TYPE_WIDTH - 1] + "…"
        for column in item.columns
    ]
    wide = max(map(len, types))
    return lines + [
        f"  {column.name:<{width}}  {kind:<{wide}}  {column.comment}"
        for column, kind in zip(item.columns, types, strict=True)
    ]


def as_dict(item: CatalogueEntry) -> dict[str, object]:
    """One table, view or macro as JSON has it."""
    return dataclasses.asdict(item) | {"parameters": dict(item.parameters)}
