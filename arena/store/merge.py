"""Merge stores: take in the rows of another store that are new here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from arena.store.parquet_folder import check_folder, show_folder
from arena.store.schema import JOURNALED, TABLES
from arena.store.unfolded import new_rows, rows_of, split_by_table

# What a merge may keep in DuckDB's log before it writes it into the file.
CHECKPOINT_BYTES = 512 * 2**20
# Episodes in which a turn has two texts, or each store has a turn that the other has not.
DISPUTED = """
    create or replace temp table disputed as
    with theirs as materialized (
        {theirs}),
    -- Of most merges no episode is in both, and no text has to be read.
    in_both as materialized (
        select distinct episode from theirs semi join store.turns using (episode)),
    pairs as (
        select episode, seat, step, h.text as here, o.text as there,
               h.episode is not null as is_here, o.episode is not null as is_there
        from (from store.turns semi join in_both using (episode)) h
        full join (
            from ({texts}) semi join in_both using (episode)) o using (episode, seat, step))
    select episode from pairs group by episode
    having bool_or(is_here and is_there and here is distinct from there)
        or (bool_or(not is_here) and bool_or(not is_there))
"""
# What was judged, scored or asked there of a disputed episode, and so on of that, is about words
# that were not spoken here.
LEFT_OUT = """
    create or replace temp table left_out as
    with recursive hanging as materialized ({dependants}),
    found as (
        select episode from disputed
        union select h.episode from hanging h join found f on h.parent = f.episode)
    from found
"""
# Runs of one id that differ in what they say of the study's source: both stand.  Imports of older
# programs had the study's name alone in their id.
NAMESAKES = """
    select * replace (
        concat_ws(' ', run, origin, case when simulated then 'simulated' end) as run)
    from ({theirs}) o
    where exists (from store.runs h where h.run = o.run and
        (o.origin is distinct from h.origin or (o.simulated and not coalesce(h.simulated, false))))
    and not exists (from store.runs h where
        h.run = concat_ws(' ', o.run, o.origin, case when o.simulated then 'simulated' end))
"""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was taken in of one store: `new` rows, and episodes that are `disputed`."""

    other: Path
    new: int
    disputed: int


def merge(path: Path, other: Path) -> tuple[int, int]:
    """Take in the rows of one store; return (new rows, disputed episodes).  See `merge_all`."""
    (result,) = merge_all(path, [other])
    return result.new, result.disputed


def merge_all(path: Path, others: Sequence[Path]) -> Iterator[MergeResult]:
    """Take in the rows of other stores and their journals, one after another; yield what was new.

    Each may be a folder of exported tables too, and is one transaction: killed at any moment, the
    store holds whole stores, and the same command goes on.
    Every row is taken whose key is new here.  An episode that both stores have played on in their
    own way is disputed, and stays as it is here: a transcript made of both never took place.  What
    judges, scores or asks about the other play of it is left out too.
    Raises StoreError before anything is merged if one cannot be opened or was written by a newer
    program, and at a store whose journals have a damaged line.
    """
    check_others(path, others)
    with writing(path, wait_s=10) as con:
        # Else the last rows of each table are written anew after every few stores.
        con.execute(f"set checkpoint_threshold = '{CHECKPOINT_BYTES} bytes'")
        for other in others:
            try:
                with up_to_date_source(other) as theirs:
                    pending = attach_other(con, theirs, other)
                    new, disputed = take_in(con, path, other, pending)
                    con.execute("detach other")
            except (duckdb.Error, OSError) as error:
                reason = database.reason_of(error, path)
                raise StoreError(f"{other} cannot be merged into {path}: {reason}") from error
            yield MergeResult(other, new, disputed)


def check_others(path: Path, others: Sequence[Path]) -> None:
    """Raise StoreError if one of the others is no store that can be read, before any is merged."""
    for number, other in enumerate(others):
        if path.resolve() == other.resolve():
            raise StoreError(f"{other} cannot be merged into itself")
        if other.resolve() in [earlier.resolve() for earlier in others[:number]]:
            raise StoreError(f"{other} is named twice: name each store once")
        if other.is_dir():
            check_folder(other)
        else:
            database.version_of(other)


@contextmanager
def up_to_date_source(other: Path) -> Iterator[Path]:
    """Yield the folder of tables, or the path of a store that has the tables of this version."""
    if other.is_dir():
        yield other
        return
    with database.up_to_date_path(other) as path:
        yield path


def attach_other(con: Connection, theirs: Path, other: Path) -> list[Path]:
    """Attach a store or a folder of tables as `other`; return its journals that are not folded."""
    with database.translated_errors(other):
        if other.is_dir():
            con.execute("attach ':memory:' as other")
            show_folder(con, other.resolve(), "other")
            return []
        # As long as it is attached, nobody else folds and removes its journals.
        attach = f"attach {quote_sql(str(theirs))} as other (read_only)"
        retry_locked(lambda: con.execute(attach), other, wait_s=10)
        return database.unfolded_journals(con, database.journals(other), "other")


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

        con.execute(
            DISPUTED.format(
                theirs=theirs("turns", "episode"),
                texts=theirs("turns", "episode, seat, step, text"),
            )
        )
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
            if name == "runs":
                sources.append(NAMESAKES.format(theirs=theirs(name, columns)))
            if name in parts:
                sources.append(new_rows(name, parts[name]))
            # One after the other: the second is compared with what the first has inserted.
            for rows in sources:
                insert = f"insert into store.{name} by name from ({rows}) where {where}"
                new += con.execute(insert).fetchall()[0][0]
        disputed = con.execute("select count(*) from disputed").fetchall()[0][0]
        con.execute("commit")
        return new, disputed
