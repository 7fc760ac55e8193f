"""Read the tables of a store from a folder of Parquet files, as `arena export` writes it.

    FOLDER/store_info.json              the version of the tables, and all files
    FOLDER/turns/study=NAME/0.parquet   a table, in files by study
    FOLDER/subjects/0.parquet           a table that studies share

Each file has all columns of its table, so that a query needs nothing of the names of folders.
DuckDB reads the files where they lie: a column that a query does not name is not read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store.migrations import quote_sql
from arena.store.schema import JOURNALED, SCHEMA_VERSION, TABLES

INFO = "store_info.json"


def is_parquet_folder(path: Path) -> bool:
    """Tell whether a path is a folder of exported tables."""
    return (path / INFO).is_file()


def write_info(folder: Path) -> None:
    """Write the version of the tables and the size of each file, by which a lost one is missed."""
    info = {"schema_version": SCHEMA_VERSION, "files": sizes_of(folder)}
    (folder / INFO).write_text(json.dumps(info, indent=1) + "\n")


def sizes_of(folder: Path) -> dict[str, int]:
    """Return the bytes of each file of the tables, by its path within the folder."""
    files = (file for name in JOURNALED for file in (folder / name).rglob("*.parquet"))
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(files)}


def check_folder(folder: Path) -> None:
    """Raise StoreError unless the folder holds whole tables that this program can read."""
    try:
        info = json.loads((folder / INFO).read_bytes())
        version, files = info["schema_version"], dict(info.get("files", {}))
        here = sizes_of(folder)
    except FileNotFoundError:
        raise StoreError(
            f"{folder} is a folder without {INFO}: name a store, or a folder of tables that `arena"
            " export FOLDER --format parquet` has written to its end"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder / INFO} cannot be read: export the tables anew") from error
    if type(version) is not int or version < 1:
        raise StoreError(f"{folder / INFO} names no schema version: export the tables anew")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{folder} has schema version {version}, this program reads {SCHEMA_VERSION}: it was"
            " written by a newer arena; update"
        )
    # Folders of older programs do not list their files.
    if files and files != here:
        name = min(name for name in files.keys() | here.keys() if files.get(name) != here.get(name))
        wrong = "lacks" if name not in here else "holds more than was exported:"
        wrong = "holds in another size than was exported" if name in files.keys() & here else wrong
        raise StoreError(f"{folder} {wrong} {name}: copy the whole folder anew, or export it again")


def rows_of_folder(con: Connection, folder: Path, name: str) -> str:
    """Return SQL for the rows of a table of the folder, with all columns of this version.

    A table that the folder lacks has no rows; a column that it lacks is NULL.
    """
    columns = {column: kind for column, (kind, _) in TABLES[name].columns.items()}
    if not any((folder / name).rglob("*.parquet")):
        return f"{select_columns(columns, {})} where false"
    source = files_of(folder / name)
    try:
        found = {row[0]: row[1] for row in con.execute(f"describe from {source}").fetchall()}
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"the table {name} in {folder} cannot be read: {reason}") from error
    return f"{select_columns(columns, found)} from {source}"


def files_of(folder: Path) -> str:
    """Return SQL that reads all Parquet files below a folder as one table."""
    # Characters that a pattern of DuckDB gives a meaning stand for themselves in brackets.
    literal = "".join(f"[{mark}]" if mark in "*?[" else mark for mark in str(folder))
    files = quote_sql(f"{literal}/**/*.parquet")
    return f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"


def select_columns(columns: dict[str, str], found: dict[str, str]) -> str:
    """Return a SELECT of these columns with their types, NULL for those that are not found."""
    words = []
    for column, kind in columns.items():
        if column not in found:
            words.append(f"null::{kind} as {column}")
        elif kind == "JSON" and found[column] != kind:
            words.append(f"{column}::json as {column}")
        else:
            words.append(column)
    return f"select {', '.join(words)}"


def show_folder(
    con: Connection, folder: Path, database: str, tables: Sequence[str] = JOURNALED
) -> None:
    """Make a view in an attached database for each of these tables of the folder."""
    check_folder(folder)
    for name in tables:
        con.execute(f"create view {database}.{name} as {rows_of_folder(con, folder, name)}")
