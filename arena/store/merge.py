"""Merge stores: take in the rows of another store that are new here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store import connection, database
from arena.store.connection import retry_locked, writing
from arena.store.damage import describe_damage
from arena.store.dependants import dependants
from arena.store.journal_reader import JournalReader
from arena.store.migrations import quote_sql
from arena.store.schema import JOURNALED, TABLES
from arena.store.unfolded import new_rows, rows_of, split_by_table

# Episodes in which a turn has two texts, or each store has a turn that the other has not.
DISPUTED = """
    create temp table disputed as
    with theirs as (
        {theirs}),
    pairs as (
        select episode, seat, step, h.text as here, o.text as there,
               h.episode is not null as is_here, o.episode is not null as is_there
        from store.turns h full join theirs o using (episode, seat, step)
        where episode in (select episode from theirs))
    select episode from pairs group by episode
    having bool_or(is_here and is_there and here is distinct from there)
        or (bool_or(not is_here) and bool_or(not is_there))
"""
# What was judged, scored or asked there of a disputed episode, and so on of that, is about words
# that were not spoken here.
LEFT_OUT = """
    create temp table left_out as
    with recursive hanging as materialized ({dependants}),
    found as (
        select episode from disputed
        union select h.episode from hanging h join found f on h.parent = f.episode)
    from found
"""


def merge(path: Path, other: Path) -> tuple[int, int]:
    """Take in the rows of another store and its journals; return (new rows, disputed episodes).

    Every row is taken whose key is new here.  An episode that both stores have played on in their
    own way is disputed, and stays as it is here: a transcript made of both never took place.  What
    judges, scores or asks about the other play of it is left out too.
    Raises StoreError if either cannot be opened, a newer program wrote `other`, or a line of its
    journals is damaged.
    """
    if path.resolve() == other.resolve():
        raise StoreError(f"{other} cannot be merged into itself")
    try:
        with database.up_to_date_path(other) as theirs, writing(path, wait_s=10) as con:
            with database.translated_errors(other):
                # As long as it is attached, nobody else folds and removes its journals.
                attach = f"attach {quote_sql(str(theirs))} as other (read_only)"
                retry_locked(lambda: con.execute(attach), other, wait_s=10)
                pending = database.unfolded_journals(con, database.journals(other), "other")
            return take_in(con, path, other, pending)
    except (duckdb.Error, OSError) as error:
        reason = database.reason_of(error, path)
        raise StoreError(f"{other} cannot be merged into {path}: {reason}") from error


def take_in(con: Connection, path: Path, other: Path, pending: Sequence[Path]) -> tuple[int, int]:
    """Insert the new rows of the attached `other` and of its journals, in one transaction.

    Returns as `merge`.
    """
    # Merging changes nothing in `other`: its journals are read as they are, and not folded.
    readers = [JournalReader(journal) for journal in pending]
    with split_by_table(readers) as (parts, _):
        if damaged := [damage for reader in readers for damage in reader.damaged]:
            raise StoreError(f"{other} cannot be merged: {describe_damage(damaged)}")
        con.execute("begin")
        connection.refresh_views(con, path)

        def theirs(name: str, columns: str) -> str:
            """Return SQL for these columns of a table of the other store and its journals."""
            tables = [f"other.{name}"]
            if name in parts:
                tables.append(f"({rows_of(name, parts[name])})")
            return " union ".join(f"select {columns} from {table}" for table in tables)

        con.execute(DISPUTED.format(theirs=theirs("turns", "episode, seat, step, text")))
        hanging = dependants(
            plays=f"({theirs('plays', 'episode, subject, parent')})",
            subjects=f"({theirs('subjects', 'subject, kind, source')})",
            rulings=f"({theirs('rulings', 'episode, debate')})",
            scores=f"({theirs('scores', 'scoring, episode')})",
        )
        con.execute(LEFT_OUT.format(dependants=hanging))
        new = 0
        for name in JOURNALED:
            columns = ", ".join(TABLES[name].columns)
            key = ", ".join(TABLES[name].key)
            plays = [column for column in ("episode", "scoring") if column in TABLES[name].columns]
            where = " and ".join(f"{column} not in (from left_out)" for column in plays) or "true"
            sources = [f"select {columns} from other.{name} anti join store.{name} using ({key})"]
            if name in parts:
                sources.append(new_rows(name, parts[name]))
            # One after the other: the second is compared with what the first has inserted.
            for rows in sources:
                insert = f"insert into store.{name} by name from ({rows}) where {where}"
                new += con.execute(insert).fetchall()[0][0]
        disputed = con.execute("select count(*) from disputed").fetchall()[0][0]
        con.execute("commit")
        return new, disputed
