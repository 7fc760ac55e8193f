"""Turn journal lines into rows: for folding, and for readers of journals that are not folded yet.

A process that reads a store again and again, while a run writes, parses each journal line once.
The new rows lie in a database file of its own, in a temporary folder, and each reading adds those
that the journals have grown by.  When the store itself changes, rows that were new may be in it, so
the file is begun anew.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import duckdb
import orjson

from arena.errors import StoreError
from arena.store.migrations import quote_sql
from arena.store.schema import DERIVED, FORMER_TABLE_NAMES, JOURNALED, SCHEMA_VERSION, TABLES
from arena.store.tempdir import scratch

# DuckDB's own limit for a line of JSON, raised if a journal has a longer one.
JSON_OBJECT_BYTES = 16 * 2**20
# A reader parses a journal in pieces of this size.
PIECE_BYTES = 64 * 2**20
# Small enough that lines which are copied lie in the processor's cache.
COPIED_BYTES = 2**20
SCHEMA_OF_JOURNAL = re.compile(rb'\{"t":"journal","schema_version":(\d+)')
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

    `stamp` tells the state of the store at that time, `bytes_parsed` how far each journal was read,
    and `tables` the tables that have rows in `file`.
    """

    stamp: tuple[tuple[int, int, int], ...]
    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(dir=scratch())
    )
    bytes_parsed: dict[Path, int] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        """The database file with the new rows."""
        return Path(self.folder.name) / "pending.duckdb"


PARSED_JOURNALS: dict[Path, ParsedJournals] = {}


def insert_new(
    con: duckdb.DuckDBPyConnection, journals: Sequence[Path], into: str, *, databases: Sequence[str]
) -> tuple[set[str], list[int]]:
    """Insert into a database the rows of journals whose keys none of `databases` has.

    Of several rows with one key the first counts.  Returns the tables that had lines, and for each
    journal how many lines could not be read.
    """
    suspects = []
    with split_by_table(journals) as (parts, skipped):
        for name, part in parts.items():
            rows = new_rows(name, part, databases=databases)
            inserted = con.execute(f"insert into {into}.{name} by name {rows}").fetchall()[0][0]
            # Lines without a new row have a known key, or cannot be read: only then look again.
            if inserted < part.lines and count_unreadable(con, name, part):
                suspects.append(name)
    if suspects:
        for number, journal in enumerate(journals):
            with split_by_table([journal]) as (alone, _):
                skipped[number] += sum(
                    count_unreadable(con, name, alone[name]) for name in suspects if name in alone
                )
    return set(parts), skipped


def count_unreadable(con: duckdb.DuckDBPyConnection, name: str, part: TableLines) -> int:
    """Return how many of these lines of a base table cannot be read."""
    readable: int = con.execute(f"select count(*) from ({rows_of(name, part)})").fetchall()[0][0]
    return part.lines - readable


@contextmanager
def split_by_table(journals: Sequence[Path]) -> Iterator[tuple[dict[str, TableLines], list[int]]]:
    """Copy the lines of journals to one temporary file for each table.

    Yields the lines by table, and for each journal how many lines are no rows at all.  Raises
    StoreError if a journal's first line names a newer schema.
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
                for lines in read_pieces(journal):
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


def read_pieces(journal: Path) -> Iterator[list[bytes]]:
    """Yield the lines of a journal in pieces of a megabyte, each line with its end.

    Raises StoreError if the first line names a newer schema.
    """
    with journal.open("rb", buffering=COPIED_BYTES) as content:
        check_schema(journal, content.readline())
        content.seek(0)
        while lines := content.readlines(COPIED_BYTES):
            if not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            yield lines


def check_schema(journal: Path, first_line: bytes) -> None:
    """Raise StoreError if a journal's first line names a newer schema."""
    if (match := SCHEMA_OF_JOURNAL.match(first_line)) and int(match[1]) > SCHEMA_VERSION:
        raise StoreError(
            f"the journal {journal} was written by a newer arena (schema version"
            f" {match[1].decode()}); update to read it"
        )


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
    parsed = PARSED_JOURNALS.get(path)
    if (
        parsed is None
        or parsed.stamp != stamp(path)
        or any(parsed.bytes_parsed[file] > size(file, files) for file in parsed.bytes_parsed)
    ):
        parsed = PARSED_JOURNALS[path] = ParsedJournals(stamp(path))
    # The rows are read a few times and thrown away: not worth compressing.
    con.execute("set force_compression = 'uncompressed'")
    grown = [file for file in files if size(file, files) > parsed.bytes_parsed.get(file, 0)]
    if grown:
        # In small row groups, since the last one is written again each time.
        con.execute(f"attach {quote_sql(str(parsed.file))} as pending (row_group_size 2048)")
        if not parsed.bytes_parsed:
            for name in JOURNALED:
                columns = column_definitions(name)
                con.execute(f"create table if not exists pending.{name} ({columns})")
        for file in grown:
            insert_growth(con, parsed, file)
        con.execute("detach pending")
    con.execute(f"attach {quote_sql(str(parsed.file))} as pending (read_only)")
    return parsed.tables


def column_definitions(name: str) -> str:
    """Return the columns of a base table with their types, as SQL."""
    return ", ".join(f"{column} {kind}" for column, (kind, _) in TABLES[name].columns.items())


def size(file: Path, files: Sequence[Path]) -> int:
    """Return the bytes of one of these journals; 0 for any other, which has been folded since."""
    return file.stat().st_size if file in files else 0


def stamp(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Return a value that changes whenever the store is written to."""
    states = [file.stat() for file in (path, path.with_name(path.name + ".wal")) if file.exists()]
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def insert_growth(con: duckdb.DuckDBPyConnection, parsed: ParsedJournals, file: Path) -> None:
    """Insert the lines that a journal has grown by into `pending`, complete lines only."""
    piece = Path(parsed.folder.name) / "piece.jsonl"
    # Later lines are for the next reading: a fast run would keep this one busy until its end.
    end = file.stat().st_size
    room = PIECE_BYTES
    with file.open("rb") as journal:
        while (start := parsed.bytes_parsed.get(file, 0)) < end:
            journal.seek(start)
            data = journal.read(min(room, end - start))
            complete = data.rfind(b"\n") + 1
            if complete:
                piece.write_bytes(memoryview(data)[:complete])
                tables, _ = insert_new(con, [piece], "pending", databases=("store", "pending"))
                parsed.tables |= tables
                parsed.bytes_parsed[file] = start + complete
            elif start + len(data) < end:
                room *= 2  # one line is longer than the piece
            else:
                break
    piece.unlink(missing_ok=True)
