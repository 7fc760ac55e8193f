"""Journal lines as rows: what folding inserts, and what a reader sees of journals that are not folded yet.

A process that reads the same store again and again, while a run writes, parses each journal line once: the rows that are new lie in a
database file of its own, in a temporary folder, and each later reading takes in what the journals have grown by.  Whatever changes the
store itself makes this file worthless, since rows that are new today may be in the store then; it is begun anew.
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

JSON_OBJECT_BYTES = 16 * 2**20
PIECE_BYTES = 64 * 2**20
# Small enough that lines which are copied lie in the processor's cache.
COPIED_BYTES = 2**20
SCHEMA_OF_JOURNAL = re.compile(rb'\{"t":"journal","schema_version":(\d+)')
BEGINNING = b'{"t":"'
# How the lines of a table begin, also under its former name.
TABLE_OF = {
    BEGINNING + called.encode(): name
    for name in JOURNALED
    for called in (name, FORMER_TABLE_NAMES.get(name, name))
}


@dataclass(slots=True)
class TableLines:
    """The lines of one table: their file, how many they are, and the bytes of the longest."""

    file: Path
    lines: int = 0
    longest: int = 0


@dataclass(slots=True)
class ParsedJournals:
    """What this process has parsed of a store's journals: into which file, how far each journal, and what the store was like then."""

    stamp: tuple[tuple[int, int, int], ...]
    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(dir=scratch())
    )
    bytes_parsed: dict[Path, int] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        """The database with the new rows."""
        return Path(self.folder.name) / "pending.duckdb"


PARSED_JOURNALS: dict[Path, ParsedJournals] = {}


def insert_new(
    con: duckdb.DuckDBPyConnection, journals: Sequence[Path], into: str, *, databases: Sequence[str]
) -> tuple[set[str], list[int]]:
    """Insert into an attached database the rows of journals that the databases `beside` have not: each key once, the first row of it.

    Returns the tables of which there were lines, and for each journal how many lines could not be read.
    """
    unsure = []
    with split_by_table(journals) as (parts, skipped):
        for name, part in parts.items():
            new = con.execute(
                f"insert into {into}.{name} by name {new_rows(name, part, databases=databases)}"
            ).fetchall()[0][0]
            if new < part.lines and unreadable(con, name, part):
                unsure.append(name)
    if unsure:
        for number, journal in enumerate(journals):
            with split_by_table([journal]) as (alone, _):
                skipped[number] += sum(
                    unreadable(con, name, alone[name]) for name in unsure if name in alone
                )
    return set(parts), skipped


def unreadable(con: duckdb.DuckDBPyConnection, name: str, part: TableLines) -> int:
    """How many of these lines of a base table cannot be read."""
    read: int = con.execute(f"select count(*) from ({rows_of(name, part)})").fetchall()[0][0]
    return part.lines - read


@contextmanager
def split_by_table(journals: Sequence[Path]) -> Iterator[tuple[dict[str, TableLines], list[int]]]:
    """The lines of journals copied into one file for each table, and for each journal how many lines are no rows at all.

    DuckDB reads lines of one table, with its columns alone, in a third of the time that it takes for all lines with the columns of all.
    Raises StoreError where a journal's first line names a newer schema.
    """
    parts: dict[str, TableLines] = {}
    skipped = []
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        with ExitStack() as files:
            copies: dict[str, BinaryIO] = {}
            for journal in journals:
                lost = 0
                for lines in read_pieces(journal):
                    sorted_out, bad = sort_out(lines)
                    lost += bad
                    for name, texts in sorted_out.items():
                        if name not in parts:
                            parts[name] = TableLines(Path(folder) / name)
                            copies[name] = files.enter_context(parts[name].file.open("wb"))
                        copies[name].write(b"".join(texts))
                        parts[name].lines += len(texts)
                        parts[name].longest = max(parts[name].longest, *map(len, texts))
                skipped.append(lost)
        yield parts, skipped


def sort_out(lines: Sequence[bytes]) -> tuple[dict[str, list[bytes]], int]:
    """Lines by table, without those of no base table; and how many are no rows at all."""
    found: defaultdict[str | None, list[bytes]] = defaultdict(list)
    for text in lines:
        found[TABLE_OF.get(text[: text.find(b'"', 6, 40)])].append(text)
    bad = 0
    for text in found.pop(None, ()):
        if name := table_of(text):
            found[name].append(text)
        bad += name is None and not text.isspace()
    return {name: texts for name, texts in found.items() if name is not None}, bad


def read_pieces(journal: Path) -> Iterator[list[bytes]]:
    """The lines of a journal, some at a time, each with its end.  Raises StoreError where the first names a newer schema."""
    with journal.open("rb", buffering=COPIED_BYTES) as content:
        check_schema(journal, content.readline())
        content.seek(0)
        while lines := content.readlines(COPIED_BYTES):
            if not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            yield lines


def check_schema(journal: Path, first: bytes) -> None:
    """Raises StoreError where a journal's first line names a newer schema."""
    if (found := SCHEMA_OF_JOURNAL.match(first)) and int(found[1]) > SCHEMA_VERSION:
        raise StoreError(
            f"the journal {journal} was written by a newer arena (schema version {found[1].decode()}); update to read it"
        )


def table_of(text: bytes) -> str | None:
    """The base table of a line that does not begin as those of its rows do: "" where it is of none, None where it is no row at all."""
    try:
        name = orjson.loads(text)["t"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return name if name is None else TABLE_OF.get(BEGINNING + str(name).encode(), "")


def rows_of(name: str, part: TableLines) -> str:
    """SQL for the rows of a base table in the file with its lines, without those that cannot be read."""
    written = {
        column: kind for column, (kind, _) in TABLES[name].columns.items() if column not in DERIVED
    }
    columns = "t: 'VARCHAR'" + "".join(
        f", {column}: {quote_sql(kind)}" for column, kind in written.items()
    )
    chosen = ", ".join(
        f"{DERIVED[column]} as {column}" if column in DERIVED else column
        for column in TABLES[name].columns
    )
    longest = max(JSON_OBJECT_BYTES, part.longest + 1)
    return (
        f"select {chosen} from read_json({quote_sql(str(part.file))}, format = 'newline_delimited',"
        f" columns = {{{columns}}}, ignore_errors = true, maximum_object_size = {longest}) where t is not null"
    )


def new_rows(name: str, part: TableLines, *, databases: Sequence[str] = ("store",)) -> str:
    """SQL for those rows that are not yet in these databases: the first of each key.

    Keys alone are compared and grouped, so that no text is moved for it.
    """
    key, columns = ", ".join(TABLES[name].key), ", ".join(TABLES[name].columns)
    there = " ".join(f"anti join {database}.{name} using ({key})" for database in databases)
    return (
        f"with l as materialized (select row_number() over () as line, {columns} from ({rows_of(name, part)}))"
        f" select {columns} from l where line in (select min(line) from (select line, {key} from l) k {there} group by {key})"
    )


def attach_new_rows(con: duckdb.DuckDBPyConnection, path: Path, files: Sequence[Path]) -> set[str]:
    """Attach as `pending`, read-only, the rows of these journals that the attached store has not; returns the tables that have some.

    The caller holds the store, so that nobody changes it meanwhile.
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
    # Uncompressed, since the rows are read a few times and thrown away; in small groups, since the last one is written again each time.
    con.execute("set force_compression = 'uncompressed'")
    grown = [file for file in files if size(file, files) > parsed.bytes_parsed.get(file, 0)]
    if grown:
        con.execute(f"attach {quote_sql(str(parsed.file))} as pending (row_group_size 2048)")
        if not parsed.bytes_parsed:
            con.execute(
                "; ".join(
                    f"create table if not exists pending.{name} ({column_definitions(name)})"
                    for name in JOURNALED
                )
            )
        for file in grown:
            insert_growth(con, parsed, file)
        con.execute("detach pending")
    con.execute(f"attach {quote_sql(str(parsed.file))} as pending (read_only)")
    return parsed.tables


def column_definitions(name: str) -> str:
    """The columns of a base table with their types, as SQL."""
    return ", ".join(f"{column} {kind}" for column, (kind, _) in TABLES[name].columns.items())


def size(file: Path, files: Sequence[Path]) -> int:
    """The length of one of these journals; 0 for any other, which has been folded since."""
    return file.stat().st_size if file in files else 0


def stamp(path: Path) -> tuple[tuple[int, int, int], ...]:
    """What is another whenever the store has been written to."""
    states = [file.stat() for file in (path, path.with_name(path.name + ".wal")) if file.exists()]
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def insert_growth(con: duckdb.DuckDBPyConnection, parsed: ParsedJournals, file: Path) -> None:
    """Put what a journal has grown by into the attached `pending`, whole lines only."""
    piece = Path(parsed.folder.name) / "piece.jsonl"
    # What is written from now on is for the next reading: a fast run would keep this one busy to its end.
    end, room = file.stat().st_size, PIECE_BYTES
    with file.open("rb") as journal:
        while (start := parsed.bytes_parsed.get(file, 0)) < end:
            journal.seek(start)
            data = journal.read(min(room, end - start))
            whole = data.rfind(b"\n") + 1
            if whole:
                piece.write_bytes(memoryview(data)[:whole])
                insert(con, parsed, piece)
                parsed.bytes_parsed[file] = start + whole
            elif start + len(data) < end:
                room *= 2
            else:
                break
    piece.unlink(missing_ok=True)


def insert(con: duckdb.DuckDBPyConnection, parsed: ParsedJournals, piece: Path) -> None:
    """Put the new rows of a piece of a journal into the attached `pending`, each key once."""
    found, _ = insert_new(con, [piece], "pending", databases=("store", "pending"))
    parsed.tables |= found
