"""Turn journal lines into rows: for folding, and for readers of journals that are not folded yet.

A process that reads a store again and again, while a run writes, parses each journal line once.
The new rows lie in a database file of its own, in a temporary folder, and each reading adds those
that the journals have grown by.  When the store itself changes, rows that were new may be in it, so
the file is begun anew.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import duckdb
import orjson

from arena.store.journal_reader import Damage, JournalReader
from arena.store.migrations import quote_sql, table_names
from arena.store.paths import log_of
from arena.store.schema import DERIVED, FORMER_TABLE_NAMES, JOURNALED, TABLES
from arena.store.tempdir import scratch

# DuckDB's own limit for a line of JSON, raised if a journal has a longer one.
JSON_OBJECT_BYTES = 16 * 2**20
# A reader parses a journal in pieces of this size.
PIECE_BYTES = 64 * 2**20
BEGINNING = b'{"t":"'
# The table of a line by its beginning, under the table's former name too.
TABLE_OF = {
    BEGINNING + written_name.encode(): name
    for name in JOURNALED
    for written_name in (name, FORMER_TABLE_NAMES.get(name, name))
}


@dataclass(slots=True)
class TableLines:
    """The lines of one table: their file, their number, and the bytes of the longest."""

    file: Path
    lines: int = 0
    longest: int = 0


@dataclass(slots=True)
class ParsedJournals:
    """The part of a store's journals that this process has parsed.

    `stamp` tells the state of the store at that time, `readers` how far each journal was read, and
    `tables` the tables that have rows in `file`.
    """

    stamp: tuple[tuple[int, int, int], ...]
    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(dir=scratch())
    )
    readers: dict[Path, JournalReader] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        """The database file with the new rows."""
        return Path(self.folder.name) / "pending.duckdb"


PARSED_JOURNALS: dict[Path, ParsedJournals] = {}


def insert_new(
    con: duckdb.DuckDBPyConnection,
    parts: Mapping[str, TableLines],
    into: str,
    *,
    databases: Sequence[str],
) -> list[str]:
    """Insert into a database the rows of these lines whose keys none of `databases` has.

    Of several rows with one key the first counts.  Returns the tables with unreadable lines.
    """
    suspects = []
    for name, part in parts.items():
        rows = new_rows(name, part, databases=databases)
        inserted = con.execute(f"insert into {into}.{name} by name {rows}").fetchall()[0][0]
        # Lines without a new row have a known key, or cannot be read: only then look again.
        if inserted < part.lines and count_unreadable(con, name, part):
            suspects.append(name)
    return suspects


def count_unreadable(con: duckdb.DuckDBPyConnection, name: str, part: TableLines) -> int:
    """Return how many of these lines of a base table cannot be read."""
    readable: int = con.execute(f"select count(*) from ({rows_of(name, part)})").fetchall()[0][0]
    return part.lines - readable


def count_unreadable_in(
    con: duckdb.DuckDBPyConnection, journal: JournalReader, tables: Sequence[str]
) -> int:
    """Return how many lines of these tables cannot be read in one journal."""
    with split_by_table([JournalReader(journal.file, journal.skip)]) as (parts, _):
        return sum(count_unreadable(con, name, parts[name]) for name in tables if name in parts)


@contextmanager
def split_by_table(
    journals: Sequence[JournalReader], most_bytes: int | None = None
) -> Iterator[tuple[dict[str, TableLines], list[int]]]:
    """Copy the whole lines of journals to one temporary file for each table.

    Yields the lines by table, and for each journal how many lines are no rows at all.  Without
    `most_bytes`, to which a growing journal is read on, the journals are read to their ends.
    Raises StoreError if a journal's first line names a newer schema.
    """
    # DuckDB reads lines of one table, with its columns alone, in a third of the time that it takes
    # for all lines with the columns of all tables.
    parts: dict[str, TableLines] = {}
    skipped = []
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        with ExitStack() as files:
            copies: dict[str, BinaryIO] = {}
            for journal in journals:
                skipped.append(0)
                end = journal.file.stat().st_size
                if most_bytes is not None:
                    end = min(end, journal.offset + most_bytes)
                for lines in journal.read(end, growing=most_bytes is not None):
                    by_table, unreadable = sort_lines(lines)
                    skipped[-1] += unreadable
                    for name, texts in by_table.items():
                        if name not in parts:
                            parts[name] = TableLines(Path(folder) / name)
                            copies[name] = files.enter_context(parts[name].file.open("wb"))
                        copies[name].write(b"".join(texts))
                        parts[name].lines += len(texts)
                        parts[name].longest = max(parts[name].longest, *map(len, texts))
        yield parts, skipped


def sort_lines(lines: Sequence[bytes]) -> tuple[dict[str, list[bytes]], int]:
    """Return lines by table, without those of unknown tables, and how many are no rows at all."""
    by_table: defaultdict[str | None, list[bytes]] = defaultdict(list)
    for text in lines:
        by_table[TABLE_OF.get(text[: text.find(b'"', 6, 40)])].append(text)
    unreadable = 0
    # What does not begin as our own lines do may still be a row that somebody wrote by hand.
    for text in by_table.pop(None, ()):
        if name := parse_table(text):
            by_table[name].append(text)
        unreadable += name is None and not text.isspace()
    return {name: texts for name, texts in by_table.items() if name is not None}, unreadable


def parse_table(text: bytes) -> str | None:
    """Return the base table of a line that does not begin as journals write it.

    "" stands for no base table of this version, None for a line that is no row at all.
    """
    try:
        name = orjson.loads(text)["t"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return name if name is None else TABLE_OF.get(BEGINNING + str(name).encode(), "")


def rows_of(name: str, part: TableLines) -> str:
    """Return SQL for the rows of a base table in the file of its lines, without unreadable ones."""
    types = ["t: 'VARCHAR'"]
    columns = []
    for column, (kind, _) in TABLES[name].columns.items():
        if column in DERIVED:
            columns.append(f"{DERIVED[column]} as {column}")
        else:
            columns.append(column)
            types.append(f"{column}: {quote_sql(kind)}")
    longest = max(JSON_OBJECT_BYTES, part.longest + 1)
    # With ignore_errors, DuckDB gives a row of NULL for a line that it cannot read.
    return (
        f"select {', '.join(columns)} from read_json({quote_sql(str(part.file))},"
        f" format = 'newline_delimited', columns = {{{', '.join(types)}}}, ignore_errors = true,"
        f" maximum_object_size = {longest}) where t is not null"
    )


def new_rows(name: str, part: TableLines, *, databases: Sequence[str] = ("store",)) -> str:
    """Return SQL for the rows whose keys none of these databases has, the first of each key."""
    key = ", ".join(TABLES[name].key)
    columns = ", ".join(TABLES[name].columns)
    absent = " ".join(f"anti join {database}.{name} using ({key})" for database in databases)
    # Only keys are compared and grouped, so that no text is moved for it.
    return (
        "with l as materialized ("
        f"select row_number() over () as line, {columns} from ({rows_of(name, part)}))"
        f" select {columns} from l where line in (select min(line)"
        f" from (select line, {key} from l) k {absent} group by {key})"
    )


def attach_new_rows(con: duckdb.DuckDBPyConnection, path: Path, files: Sequence[Path]) -> set[str]:
    """Attach the rows of these journals that the store does not have, read-only, as `pending`.

    Returns the tables that have some.  The store is attached too, so that nobody changes it
    meanwhile.  Nothing is attached if `files` is empty.
    """
    if not files:
        PARSED_JOURNALS.pop(path, None)
        return set()
    sizes = {file: file.stat().st_size for file in files}
    parsed = PARSED_JOURNALS.get(path)
    if (
        parsed is None
        or parsed.stamp != stamp(path)
        or any(reader.offset > sizes.get(file, 0) for file, reader in parsed.readers.items())
        # A whole copy of a damaged journal may have taken its place, and has its size.
        or any(reader.damaged for reader in parsed.readers.values())
    ):
        parsed = PARSED_JOURNALS[path] = ParsedJournals(stamp(path))
    # The rows are read a few times and thrown away: not worth compressing.
    con.execute("set force_compression = 'uncompressed'")
    readers = [parsed.readers.get(file) or JournalReader(file) for file in files]
    grown = [reader for reader in readers if sizes[reader.file] > reader.offset]
    if grown:
        # In small row groups, since the last one is written again each time.
        con.execute(f"attach {quote_sql(str(parsed.file))} as pending (row_group_size 2048)")
        if not parsed.readers:
            for name in JOURNALED:
                columns = column_definitions(name)
                con.execute(f"create table if not exists pending.{name} ({columns})")
        try:
            parsed.readers |= {reader.file: reader for reader in grown}
            for group in group_by_growth(grown, sizes):
                insert_growth(con, parsed, group, sizes)
        except BaseException:
            # A reader has read on, and its rows are not in the file.
            del PARSED_JOURNALS[path]
            raise
        con.execute("detach pending")
    con.execute(f"attach {quote_sql(str(parsed.file))} as pending (read_only)")
    return parsed.tables


def show_new_rows(con: duckdb.DuckDBPyConnection, growing: Iterable[str]) -> None:
    """Let the tables with new rows show these too, on this connection."""
    # Temporary views come before the store's tables and views of the same name.  A table with
    # nothing unfolded stays a table: a query for one episode then skips most of its rows.
    for name in sorted(growing):
        rows = f"from store.{name} union all by name from pending.{name}"
        con.execute(f"create temp view {name} as {rows}")


def show_missing(con: duckdb.DuckDBPyConnection, growing: Collection[str]) -> None:
    """Show the tables that an older store lacks as empty, and columns as NULL, on this connection.

    `growing` are the tables that `show_new_rows` shows, which have all columns.
    """
    names = table_names(con)
    for name, table in TABLES.items():
        if name not in names:
            con.execute(f"create temp table {name} ({column_definitions(name)})")
        elif name not in growing:
            present = {row[0] for row in con.execute(f"describe store.{name}").fetchall()}
            missing = [
                f"null::{kind} as {column}"
                for column, (kind, _) in table.columns.items()
                if column not in present
            ]
            if missing:
                select = ", ".join(["*", *missing])
                con.execute(f"create temp view {name} as select {select} from store.{name}")


def known_damage(path: Path) -> list[Damage]:
    """Return the damaged lines that this process has met in the unfolded journals of a store."""
    parsed = PARSED_JOURNALS.get(path)
    return [damage for one in parsed.readers.values() for damage in one.damaged] if parsed else []


def column_definitions(name: str) -> str:
    """Return the columns of a base table with their types, as SQL."""
    return ", ".join(f"{column} {kind}" for column, (kind, _) in TABLES[name].columns.items())


def stamp(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Return a value that changes whenever the store is written to."""
    states = [file.stat() for file in (path, log_of(path)) if file.exists()]
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def group_by_growth(
    readers: Sequence[JournalReader], sizes: Mapping[Path, int]
) -> Iterator[list[JournalReader]]:
    """Yield the readers of journals in groups that have grown by a piece, or one by more."""
    group: list[JournalReader] = []
    room = PIECE_BYTES
    for reader in readers:
        growth = sizes[reader.file] - reader.offset
        if group and growth > room:
            yield group
            group = []
            room = PIECE_BYTES
        group.append(reader)
        room -= growth
    if group:
        yield group


def insert_growth(
    con: duckdb.DuckDBPyConnection,
    parsed: ParsedJournals,
    readers: Sequence[JournalReader],
    sizes: Mapping[Path, int],
) -> None:
    """Insert the whole lines that journals have grown by, up to these sizes, into `pending`."""
    # Later lines are for the next reading: a fast run would keep this one busy until its end.
    while behind := [reader for reader in readers if reader.offset < sizes[reader.file]]:
        before = [reader.offset for reader in behind]
        # A statement for each table costs as much as thousands of lines, so journals share them.
        with split_by_table(behind, PIECE_BYTES) as (parts, _):
            insert_new(con, parts, "pending", databases=("store", "pending"))
            parsed.tables |= parts.keys()
        if [reader.offset for reader in behind] == before:
            break  # halves of lines
