"""Insert the rows of journals into the database, within the transaction of whoever calls.

Each journal line is inserted once, by its key, and the journal is noted with its name and length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection as Connection

from arena.store.damage import describe_damage
from arena.store.journal_reader import Damage, JournalReader
from arena.store.migrations import quote_sql
from arena.store.tempdir import scratch
from arena.store.unfolded import count_unreadable_in, insert_new, split_by_table
from arena.text import utc_now

# Journals are folded in groups of this size.  Each group costs 80 ms and a look at all keys, and
# all its turns are in memory at once.
FOLD_GROUP_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class FoldResult:
    """The outcome of folding: how many journals were taken in, and how many lines were unreadable.

    `put_off` says why journals were not folded; None: all were.  `damaged` are the damaged lines
    that were met: a journal that has some waits with all later ones, until it is folded without
    them on request.
    """

    journals: int = 0
    skipped: int = 0
    put_off: str | None = None
    damaged: tuple[Damage, ...] = ()


def fold_into(
    con: Connection, files: Sequence[Path], skip: Mapping[Path, frozenset[int]] | None = None
) -> FoldResult:
    """Insert the new rows of journals, a group at a time, and note the journals as folded.

    Ends before the first journal with a damaged line.  With `skip`, the numbers of whole lines to
    leave out by journal, it leaves out damaged lines too, and goes on.
    """
    # A second thread, and row groups or blocks that wait to be written, would each take memory.
    con.execute("set threads = 1; set write_buffer_row_group_count = 1; set memory_limit = '1GB'")
    # A journal of several hundred MB, such as an import, spills to disk: to a folder of ours, not
    # to the current one.
    con.execute(f"set temp_directory = {quote_sql(str(scratch() / 'spilled'))}")
    folded = FoldResult()
    damaged: list[Damage] = []
    for group in group_by_size(files):
        readers = [JournalReader(file, (skip or {}).get(file, frozenset())) for file in group]
        skipped, found = fold_group(con, readers, leave_out_damaged=skip is not None)
        damaged += found
        folded = FoldResult(folded.journals + len(skipped), folded.skipped + sum(skipped))
        if found and skip is None:
            return replace(folded, damaged=tuple(damaged), put_off=describe_damage(damaged))
    return replace(folded, damaged=tuple(damaged))


def fold_group(
    con: Connection, readers: Sequence[JournalReader], *, leave_out_damaged: bool
) -> tuple[list[int], list[Damage]]:
    """Insert the new rows of a group of journals, up to the first one with a damaged line.

    Returns the number of lines that could not be read for each journal that was folded, and the
    damaged lines.
    """
    with split_by_table(readers) as (parts, skipped):
        damaged = [damage for reader in readers for damage in reader.damaged]
        if not damaged or leave_out_damaged:
            suspects = insert_new(con, parts, "store", databases=("store",))
            for number, reader in enumerate(readers):
                skipped[number] += reader.torn + len(reader.damaged)
                if suspects:
                    skipped[number] += count_unreadable_in(con, reader, suspects)
                row = {
                    "journal": reader.file.name,
                    "bytes": reader.offset,
                    "skipped": skipped[number],
                    "damaged": len(reader.damaged),
                    "folded_at": utc_now(),
                }
                names = ", ".join(row)
                con.execute(
                    f"insert into store.folded ({names}) values (?, ?, ?, ?, ?)", [*row.values()]
                )
            return skipped, damaged
    first = next(number for number, reader in enumerate(readers) if reader.damaged)
    before = [JournalReader(reader.file) for reader in readers[:first]]
    return fold_group(con, before, leave_out_damaged=False)[0] if before else [], damaged


def group_by_size(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the files in groups of at most FOLD_GROUP_BYTES, or of one larger file."""
    group: list[Path] = []
    room = FOLD_GROUP_BYTES
    for file in files:
        size = file.stat().st_size
        if group and size > room:
            yield group
            group = []
            room = FOLD_GROUP_BYTES
        group.append(file)
        room -= size
    if group:
        yield group
