"""Make the tables and views of a store with their comments, and bring older stores up to date.

Each function works on a connection whose default database is the store.
"""

from __future__ import annotations

import functools
import hashlib

import duckdb
import orjson

from arena.store.schema import DERIVED, FORMER_TABLE_NAMES, SCHEMA_VERSION, TABLES
from arena.store.views.base import SHARED_COMMENTS, View
from arena.store.views.registry import ALL_VIEWS, statement

# DuckDB's own choice of a compression for long texts takes twice the room of zstd, and is slower.
LONG_TEXT_COLUMNS = {"text", "reasoning", "reask_text", "public", "thoughts", "reasons", "passage"}
COLUMN_COMMENTS = {
    column: text for table in TABLES.values() for column, (_, text) in table.columns.items()
} | SHARED_COMMENTS


@functools.cache
def views_hash() -> str:
    """Return the sha256 of all view texts with their comments, as `store_info` holds it."""
    texts = [
        (statement(name, view), view.comment, sorted(view.columns.items()))
        for name, view in ALL_VIEWS.items()
    ]
    return hashlib.sha256(orjson.dumps([texts, COLUMN_COMMENTS])).hexdigest()


def make_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make all base tables and views with their comments, in one transaction."""
    con.execute("begin")
    con.execute("create table store_info (schema_version integer, views varchar)")
    con.execute("insert into store_info values (?, null)", [SCHEMA_VERSION])
    for name in TABLES:
        make_table(con, name)
    make_views(con)
    con.execute("commit")


def make_table(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make one base table with its comments."""
    table = TABLES[name]
    columns = ", ".join(
        f"{column} {kind}{' using compression zstd' * (column in LONG_TEXT_COLUMNS)}"
        for column, (kind, _) in table.columns.items()
    )
    con.execute(f"create table {name} ({columns})")
    comments = {column: text for column, (_, text) in table.columns.items()}
    add_comments(con, "table", name, table.comment, comments)


def bring_up_to_date(con: duckdb.DuckDBPyConnection) -> None:
    """Add the tables, columns and views that an older store lacks, in one transaction."""
    con.execute("begin")
    tables = table_names(con)
    for name, table in TABLES.items():
        if name not in tables:
            if FORMER_TABLE_NAMES.get(name) not in tables:
                make_table(con, name)
                continue
            con.execute(f"alter table {FORMER_TABLE_NAMES[name]} rename to {name}")
        # New columns come last, in whatever order; rows are inserted by name.
        present = {row[0] for row in con.execute(f"describe {name}").fetchall()}
        for column, (kind, text) in table.columns.items():
            if column not in present:
                con.execute(f"alter table {name} add column {column} {kind}")
                if column in DERIVED:
                    con.execute(f"update {name} set {column} = {DERIVED[column]}")
                add_comments(con, "table", name, table.comment, {column: text})
    make_views(con)
    con.execute("update store_info set schema_version = ?", [SCHEMA_VERSION])
    con.execute("commit")


def table_names(con: duckdb.DuckDBPyConnection, database: str = "store") -> set[str]:
    """Return the names of the tables of an attached store."""
    all_tables = "select table_name from duckdb_tables() where database_name = ?"
    return {row[0] for row in con.execute(all_tables, [database]).fetchall()}


def make_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make or replace all views and table macros with their comments, and store their hash."""
    for name, view in ALL_VIEWS.items():
        con.execute(statement(name, view))
    # One look at the catalogue takes a third of the time of one for each view.
    all_columns = (
        "select table_name, list(column_name) from duckdb_columns()"
        " where database_name = 'store' group by all"
    )
    columns = dict(con.execute(all_columns).fetchall())
    for name, view in ALL_VIEWS.items():
        if view.parameters:
            con.execute(f"comment on macro table {name} is {quote_sql(view.comment)}")
        else:
            comments = {column: column_comment(view, column) for column in columns[name]}
            add_comments(con, "view", name, view.comment, comments)
    # Stores of version 0.1.0 do not have this column.
    con.execute("alter table store_info add column if not exists views varchar")
    con.execute("update store_info set views = ?", [views_hash()])


def column_comment(view: View, column: str) -> str:
    """Return the comment of a view's column: its own, or that of all columns of its name."""
    return view.columns.get(column) or COLUMN_COMMENTS[column]


def add_comments(
    con: duckdb.DuckDBPyConnection, kind: str, name: str, comment: str, columns: dict[str, str]
) -> None:
    """Comment on a table or view and on its columns, {column: comment}."""
    statements = [f"comment on {kind} {name} is {quote_sql(comment)}"]
    for column, text in columns.items():
        statements.append(f"comment on column {name}.{column} is {quote_sql(text)}")
    con.execute("; ".join(statements))


def quote_sql(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
