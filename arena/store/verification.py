"""Remove folded journals, after comparing their rows with those of the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection as Connection

from arena.store.journal_reader import JournalReader
from arena.store.locks import is_locked
from arena.store.schema import TABLES
from arena.store.unfolded import TableLines, rows_of, split_by_table

RECENT_S = 3600
# What a run or a model has said is in one journal alone, so the table has it to the letter.  Of
# other rows, such as motions, a later journal may hold another version, which folding leaves out.
EXACT = {
    "runs",
    "statuses",
    "turns",
    "unfinished_turns",
    "call_starts",
    "call_ends",
    "measures",
    "readings",
    "reread_rulings",
    "reread_answers",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a journal: `kept` says why it is still there, None if it was removed."""

    journal: Path
    bytes: int
    kept: str | None = None


def remove_verified(
    con: Connection, journals: Sequence[Path], *, only_ended: bool
) -> list[Removal]:
    """Remove the folded ones of these journals whose rows are all in the attached database.

    With `only_ended`, only those that their runs have closed: another machine, whose locks this one
    cannot see, may still be writing to any other.  Otherwise also those that nobody has written to
    for an hour.
    """
    folded = dict(
        con.execute("select journal, max(bytes) from store.folded group by journal").fetchall()
    )
    done = []
    for journal in journals:
        try:
            size = journal.stat().st_size
        except FileNotFoundError:
            continue  # another process has removed it
        if folded.get(journal.name) != size:
            reason: str | None = "it is not folded yet"
        elif is_locked(journal):
            reason = "a run is writing it"
        else:
            reason = why_not_in(con, journal, only_ended=only_ended)
        if reason is None:
            journal.unlink(missing_ok=True)
        done.append(Removal(journal, size, reason))
    return done


def is_recent(journal: Path) -> bool:
    """Tell whether a journal was written to within the last hour."""
    return time.time() - journal.stat().st_mtime < RECENT_S


def why_not_in(con: Connection, journal: Path, *, only_ended: bool) -> str | None:
    """Return why a journal must stay; None if the attached database has all that it holds."""
    reader = JournalReader(journal)
    with split_by_table([reader]) as (parts, unreadable):
        if reader.damaged:
            return f"{len(reader.damaged)} of its lines are damaged"
        if not reader.is_ended and (only_ended or is_recent(journal)):
            return "nothing in it says that its run ended; it can go when it is an hour old"
        # All but the first line, and the last one of a journal that was closed, are rows.
        rows = sum(part.lines for part in parts.values())
        if unreadable[0] or rows + 1 + reader.is_ended != reader.lines:
            return "it has lines that are in no table"
        different = [name for name, part in parts.items() if not has_rows(con, name, part)]
    return f"the table {different[0]} has other rows" if different else None


def has_rows(con: Connection, name: str, part: TableLines) -> bool:
    """Tell whether a table of the attached database has the rows of these lines, by count and hash.

    Of several lines with one key the first counts, as when they are folded.
    """
    key = ", ".join(TABLES[name].key)
    columns = ", ".join(TABLES[name].columns)
    # Rows are found by their keys, and only those are read whole.
    (counts,) = con.execute(
        f"""
        with lines as materialized (
                 select row_number() over () as line, {columns} from ({rows_of(name, part)})),
             expected as (
                 select {columns} from lines
                 where line in (select min(line) from lines group by {key})),
             found as (
                 select {columns} from store.{name} where rowid in (
                     select rowid from store.{name} semi join lines using ({key})))
        select (select count(*) from lines),
               (select (count(*), sum(hash({columns}))) from expected),
               (select (count(*), sum(hash({columns}))) from found)
        """
    ).fetchall()
    read, expected, found = counts
    same = expected == found if name in EXACT else expected[0] == found[0]
    return bool(read == part.lines and same)
