"""A store's tables and views with their comments: an empty one, and what an older one lacks."""

from __future__ import annotations

import functools
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb

from arena.store.schema import DERIVED, FORMER_TABLE_NAMES, SCHEMA_VERSION, TABLES
from arena.store.views.base import View
from arena.store.views.registry import ALL_VIEWS, statement

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# What DuckDB would choose for texts of some thousand characters takes twice the room of zstd, and more time to fold.
LONG_TEXT_COLUMNS = {"text", "reasoning", "reask_text", "public", "thoughts", "reasons"}
COLUMN_COMMENTS = {
    column: text for table in TABLES.values() for column, (_, text) in table.columns.items()
}


@functools.cache
def empty_store() -> bytes:
    """A store with all tables and views and nothing in them, made once in a process: it takes a quarter of a second."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.duckdb"
        with closing(duckdb.connect(":memory:", config=OFFLINE)) as con:
            con.execute(
                f"attach {quote_sql(str(file))} as store (type duckdb, storage_version 'latest')"
            )
            con.execute("use store")
            make_tables(con)
            con.execute("checkpoint")
        return file.read_bytes()


def bring_up_to_date(con: duckdb.DuckDBPyConnection) -> None:
    """Add to the attached store what it lacks, in one transaction."""
    con.execute("begin")
    tables = {
        row[0]
        for row in con.execute(
            "select table_name from duckdb_tables() where database_name = 'store'"
        ).fetchall()
    }
    for name, table in TABLES.items():
        if name not in tables and FORMER_TABLE_NAMES.get(name) in tables:
            con.execute(f"alter table {FORMER_TABLE_NAMES[name]} rename to {name}")
        there = {row[0] for row in con.execute(f"describe {name}").fetchall()}
        for column, (kind, text) in table.columns.items():
            if column not in there:
                con.execute(f"alter table {name} add column {column} {kind}")
                if column in DERIVED:
                    con.execute(f"update {name} set {column} = {DERIVED[column]}")
                comment(con, "table", name, table.comment, {column: text})
    make_views(con)
    con.execute("update store_info set schema_version = ?", [SCHEMA_VERSION])
    con.execute("commit")


def make_tables(con: duckdb.DuckDBPyConnection) -> None:
    """All base tables and views with their comments, in one transaction."""
    con.execute("begin")
    con.execute("create table store_info (schema_version integer)")
    con.execute("insert into store_info values (?)", [SCHEMA_VERSION])
    for name, table in TABLES.items():
        columns = ", ".join(
            f"{column} {kind}{' using compression zstd' * (column in LONG_TEXT_COLUMNS)}"
            for column, (kind, _) in table.columns.items()
        )
        con.execute(f"create table {name} ({columns})")
        comment(
            con,
            "table",
            name,
            table.comment,
            {column: text for column, (_, text) in table.columns.items()},
        )
    make_views(con)
    con.execute("commit")


def make_views(con: duckdb.DuckDBPyConnection) -> None:
    """All views and table macros with their comments, in place of those that are there."""
    for name, view in ALL_VIEWS.items():
        con.execute(statement(name, view))
    # Asking once is a third of the time of asking for each view.
    found = con.execute(
        "select table_name, list(column_name) from duckdb_columns() where database_name = 'store' group by all"
    ).fetchall()
    columns = dict(found)
    for name, view in ALL_VIEWS.items():
        if view.parameters:
            con.execute(f"comment on macro table {name} is {quote_sql(view.comment)}")
        else:
            comment(
                con,
                "view",
                name,
                view.comment,
                {column: column_comment(view, column) for column in columns[name]},
            )


def column_comment(view: View, column: str) -> str:
    """What is said of a view's column: its own words, or those of the tables' column of that name."""
    return view.columns.get(column) or COLUMN_COMMENTS[column]


def comment(
    con: duckdb.DuckDBPyConnection, kind: str, name: str, text: str, columns: dict[str, str]
) -> None:
    """Attach comments to a table or view and to its columns."""
    said = [
        f"comment on column {name}.{column} is {quote_sql(words)}"
        for column, words in columns.items()
    ]
    con.execute("; ".join([f"comment on {kind} {name} is {quote_sql(text)}", *said]))


def quote_sql(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
