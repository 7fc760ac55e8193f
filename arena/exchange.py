"""Rows in and out of a store: taking in what other machines have played, and writing the tables to files."""

from __future__ import annotations

from pathlib import Path

import duckdb

from arena.errors import StoreError
from arena.making import quoted
from arena.pending import by_table, new_rows, rows_of
from arena.schema import JOURNALED, TABLES
from arena.store import journals, live, reading, unfolded, up_to_date, writing
from arena.views import VIEWS

INTERNAL = ("plays", "statuses", "call_starts", "call_ends", "unfinished_turns", "rulings")
EXPORTED = (*(name for name in JOURNALED if name not in INTERNAL), *VIEWS)
FORMATS = {"parquet": "format parquet, compression zstd", "jsonl": "format json", "csv": "format csv, header"}


DISPUTED = """
    create temp table disputed as
    with theirs as (
        {theirs}),
    pairs as (
        select episode, seat, step, h.text as here, o.text as there, h.episode is not null as is_here, o.episode is not null as is_there
        from store.turns h full join theirs o using (episode, seat, step) where episode in (select episode from theirs))
    select episode from pairs group by episode
    having bool_or(is_here and is_there and here is distinct from there) or (bool_or(not is_here) and bool_or(not is_there))
"""


def merge(path: Path, other: Path) -> tuple[int, int]:
    """Take in another store with its journals: every row whose key is new here.  Returns (new rows, disputed episodes).

    An episode that both stores have played on in their own way is disputed: it stays as it is here, since a transcript made of both would
    be one that never took place.
    Raises StoreError where either cannot be opened, or `other` was written by a newer program.
    """
    if path.resolve() == other.resolve():
        raise StoreError(f"{other} cannot be merged into itself")
    with reading(other) as con:
        pending = unfolded(con, journals(other))
    with up_to_date(other) as theirs, by_table(pending) as (parts, _), writing(path, wait_s=10) as con:
        con.execute(f"attach {quoted(str(theirs))} as other (read_only)")
        con.execute("begin")
        said = ["from other.turns", *(f"from ({rows_of(name, part)})" for name, part in parts.items() if name == "turns")]
        con.execute(DISPUTED.format(theirs=" union ".join(f"select episode, seat, step, text {rows}" for rows in said)))
        new = 0
        for name in JOURNALED:
            columns, key = ", ".join(TABLES[name].columns), ", ".join(TABLES[name].key)
            agreed = "where episode not in (from disputed)" if "episode" in TABLES[name].columns else ""
            found = [f"select {columns} from other.{name} anti join store.{name} using ({key})"]
            if name in parts:
                found.append(new_rows(name, parts[name]))
            for rows in found:
                new += con.execute(f"insert into store.{name} by name from ({rows}) {agreed}").fetchall()[0][0]
        disputed = con.execute("select count(*) from disputed").fetchall()[0][0]
        con.execute("commit")
        return new, disputed


def export(path: Path, folder: Path, kind: str) -> list[tuple[str, int]]:
    """Write every table and view that users read, one file each, into a new folder; returns (file name, rows).

    `kind` is parquet, jsonl or csv.  Raises StoreError where the folder is not empty or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} exists and is not empty; name a new folder")
    written = []
    with live(path) as con:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in EXPORTED:
                file = folder / f"{name}.{kind}"
                rows = con.execute(f"copy (from {name}) to {quoted(str(file))} ({FORMATS[kind]})").fetchall()[0][0]
                written.append((file.name, rows))
        except (OSError, duckdb.IOException) as error:
            raise StoreError(f"cannot write to {folder}: {error}") from error
    return written
