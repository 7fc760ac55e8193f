"""Remove folded journals, after comparing their rows with those of the database."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from duckdb import DuckDBPyConnection as Connection

from arena.store.journal_reader import JournalReader
from arena.store.locks import is_locked
from arena.store.schema import TABLES
from arena.store.unfolded import TableLines, rows_of, split_by_table

RECENT_S = 3600
GROUP_JOURNALS = 100
# What a run or a model has said is in one journal alone, so the table has it to the letter.  Of
# other rows, such as motions, a later journal may hold another version, which folding leaves out.
EXACT = {
    "runs",
    "statuses",
    "turns",
    "unfinished_turns",
    "call_starts",
    "call_ends",
    "batch_plans",
    "batch_states",
    "measures",
    "readings",
    "reread_rulings",
    "reread_answers",
    "plan_changes",
    "registrations",
    "deviations",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a journal: `kept` says why it is still there, None if it was removed."""

    journal: Path
    bytes: int
    kept: str | None = None


def remove_verified(
    con: Connection,
    journals: Sequence[Path],
    *,
    only_ended: bool,
    dead: Collection[Path] = (),
) -> list[Removal]:
    """Remove the folded ones of these journals whose rows are all in the attached database.

    With `only_ended`, only those that their runs have closed: another machine, whose locks this one
    cannot see, may still be writing to any other.  Otherwise also those that nobody has written to
    for an hour, and the `dead` ones, which nobody can be writing.
    """
    folded = dict(
        con.execute("select journal, max(bytes) from store.folded group by journal").fetchall()
    )
    sizes = {}
    for journal in journals:
        with suppress(FileNotFoundError):  # another process has removed it
            sizes[journal] = journal.stat().st_size
    kept: dict[Path, str | None] = {}
    for group in batched(sizes, GROUP_JOURNALS):
        for journal in group:
            if folded.get(journal.name) != sizes[journal]:
                kept[journal] = "it is not folded yet"
            elif is_locked(journal):
                kept[journal] = "a run is writing it"
        rest = [journal for journal in group if journal not in kept]
        # Most groups have nothing to keep, and are told by one look at each table.
        alike = len(rest) > 1 and why_not_in(con, rest, only_ended=only_ended, dead=dead) is None
        for journal in rest:
            reason = None
            if not alike:
                reason = why_not_in(con, [journal], only_ended=only_ended, dead=dead)
            kept[journal] = reason
            if reason is None:
                journal.unlink(missing_ok=True)
    return [Removal(journal, size, kept[journal]) for journal, size in sizes.items()]


def batched(journals: Iterable[Path], size: int) -> Iterator[list[Path]]:
    """Yield journals in groups of this size, as itertools of Python 3.12 does."""
    rest = iter(journals)
    while group := list(islice(rest, size)):
        yield group


def is_recent(journal: Path) -> bool:
    """Tell whether a journal was written to within the last hour."""
    return time.time() - journal.stat().st_mtime < RECENT_S


def why_not_in(
    con: Connection, journals: Sequence[Path], *, only_ended: bool, dead: Collection[Path]
) -> str | None:
    """Return why one of these journals must stay; None if the attached database has all of them."""
    readers = [JournalReader(journal) for journal in journals]
    with split_by_table(readers) as (parts, unreadable):
        if damaged := sum(len(reader.damaged) for reader in readers):
            return f"{damaged} of its lines are damaged"
        unended = [reader.file for reader in readers if not reader.is_ended]
        open_ended = [journal for journal in unended if journal not in dead]
        if any(only_ended or is_recent(journal) for journal in open_ended):
            return "nothing in it says that its run ended; it can go when it is an hour old"
        # All but the first line, and the last one of a journal that was closed, are rows.
        rows = sum(part.lines for part in parts.values())
        others = sum(1 + reader.is_ended for reader in readers)
        if any(unreadable) or rows + others != sum(reader.lines for reader in readers):
            return "it has lines that are in no table"
        alone = len(readers) == 1
        different = [n for n, part in parts.items() if not has_rows(con, n, part, alone=alone)]
    return f"the table {different[0]} has other rows" if different else None


def has_rows(con: Connection, name: str, part: TableLines, *, alone: bool) -> bool:
    """Tell whether a table of the attached database has the rows of these lines, by count and hash.

    Of several lines with one key the first counts, as when they are folded.  Where the lines are
    of more than one journal, not `alone`, those of an exact table must not differ.
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
               (select (count(*), sum(hash({columns}))) from found),
               (select count(distinct hash({columns})) from lines)
        """
    ).fetchall()
    read, expected, found, versions = counts
    same = expected[0] == found[0]
    if name in EXACT:
        same = expected == found and (alone or versions == expected[0])
    return bool(read == part.lines and same)
