"""Journal lines as rows: what folding inserts, and what a reader sees of journals that are not folded yet.

A process that reads the same store again and again, while a run writes, parses each journal line once: the rows that are new lie in a
database file of its own, in a temporary folder, and each later reading takes in what the journals have grown by.  Whatever changes the
store itself makes this file worthless, since rows that are new today may be in the store then; it is begun anew.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from arena.errors import StoreError
from arena.making import quoted
from arena.schema import FORMERLY, JOURNALED, SCHEMA_VERSION, TABLES

JSON_OBJECT_BYTES = 16 * 2**20
PIECE_BYTES = 64 * 2**20
SCHEMA_OF_JOURNAL = re.compile(rb'\{"t":"journal","schema_version":(\d+)')
COLUMNS = {"t": "VARCHAR"} | {column: kind for name in JOURNALED for column, (kind, _) in TABLES[name].columns.items()}


@dataclass(slots=True)
class Parsed:
    """What this process has parsed of a store's journals: into which file, how far each journal, and what the store was like then."""

    stamp: tuple[tuple[int, int, int], ...]
    folder: tempfile.TemporaryDirectory[str] = field(default_factory=lambda: tempfile.TemporaryDirectory(prefix="arena-"))
    taken: dict[Path, int] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        """The database with the new rows."""
        return Path(self.folder.name) / "pending.duckdb"


PARSED: dict[Path, Parsed] = {}


def load_lines(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> list[int]:
    """Read journal lines into the temporary table `lines`; returns for each file how many could not be read."""
    declared = ", ".join(f"{column}: {quoted(kind)}" for column, kind in COLUMNS.items())
    con.execute("create or replace temp table lines (" + ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items()) + ")")
    skipped = []
    for file in files:
        longest, count = longest_line(file)
        read = con.execute(
            f"insert into lines from (from read_json(?, format = 'newline_delimited', columns = {{{declared}}}, ignore_errors = true,"
            f" maximum_object_size = {max(JSON_OBJECT_BYTES, longest + 1)})) where t is not null",
            [str(file)],
        ).fetchall()[0][0]
        skipped.append(count - read)
    return skipped


def longest_line(file: Path) -> tuple[int, int]:
    """(bytes of the longest line, number of lines that are not blank); StoreError where the first names a newer schema."""
    with file.open("rb") as content:
        first = content.readline()
        if (found := SCHEMA_OF_JOURNAL.match(first)) and int(found[1]) > SCHEMA_VERSION:
            raise StoreError(f"the journal {file} was written by a newer arena (schema version {found[1].decode()}); update to read it")
        if not first:
            return 0, 0
        longest = count = start = 0
        # Line by line it would take as long as parsing does.
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            while start < len(whole):
                end = whole.find(b"\n", start) + 1 or len(whole)
                longest = max(longest, end - start)
                count += end - start > 2 or not whole[start:end].isspace()
                start = end
        return longest, count


def tables_in_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The base tables of which there are rows in `lines`."""
    found = {name for (name,) in con.execute("select distinct t from lines").fetchall()}
    return [name for name in JOURNALED if name in found or FORMERLY.get(name) in found]


def new_rows(name: str, *, beside: Sequence[str] = ("store",)) -> str:
    """SQL for the rows of a base table that stand in `lines` and not yet in these databases: each key once.

    Keys alone are compared and grouped, so that no text is moved for it.
    """
    key = ", ".join(TABLES[name].key)
    mine = f"t in ({quoted(name)}, {quoted(FORMERLY.get(name, name))})"
    there = " ".join(f"anti join {database}.{name} using ({key})" for database in beside)
    return (
        f"select {', '.join(TABLES[name].columns)} from lines where {mine} and rowid in ("
        f"select min(l.rowid) from (select rowid, {key} from lines where {mine}) l {there} group by {key})"
    )


def attach_new_rows(con: duckdb.DuckDBPyConnection, path: Path, files: Sequence[Path]) -> set[str]:
    """Attach as `pending`, read-only, the rows of these journals that the attached store has not; returns the tables that have some.

    The caller holds the store, so that nobody changes it meanwhile.
    """
    if not files:
        PARSED.pop(path, None)
        return set()
    parsed = PARSED.get(path)
    if parsed is None or parsed.stamp != stamp(path) or any(parsed.taken[file] > size(file, files) for file in parsed.taken):
        parsed = PARSED[path] = Parsed(stamp(path))
    # Uncompressed, since the rows are read a few times and thrown away; in small groups, since the last one is written again each time.
    con.execute("set force_compression = 'uncompressed'")
    grown = [file for file in files if size(file, files) > parsed.taken.get(file, 0)]
    if grown:
        con.execute(f"attach {quoted(str(parsed.file))} as pending (row_group_size 2048)")
        for file in grown:
            take(con, parsed, file)
        con.execute("detach pending")
    con.execute(f"attach {quoted(str(parsed.file))} as pending (read_only)")
    return parsed.tables


def size(file: Path, files: Sequence[Path]) -> int:
    """The length of one of these journals; 0 for any other, which has been folded since."""
    return file.stat().st_size if file in files else 0


def stamp(path: Path) -> tuple[tuple[int, int, int], ...]:
    """What is another whenever the store has been written to."""
    states = [file.stat() for file in (path, path.with_name(path.name + ".wal")) if file.exists()]
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def take(con: duckdb.DuckDBPyConnection, parsed: Parsed, file: Path) -> None:
    """Put what a journal has grown by into the attached `pending`, whole lines only."""
    piece = Path(parsed.folder.name) / "piece.jsonl"
    # What is written from now on is for the next reading: a fast run would keep this one busy to its end.
    end, room = file.stat().st_size, PIECE_BYTES
    with file.open("rb") as journal:
        while (start := parsed.taken.get(file, 0)) < end:
            journal.seek(start)
            data = journal.read(min(room, end - start))
            whole = data.rfind(b"\n") + 1
            if whole:
                piece.write_bytes(memoryview(data)[:whole])
                insert(con, parsed, piece)
                parsed.taken[file] = start + whole
            elif start + len(data) < end:
                room *= 2
            else:
                break
    piece.unlink(missing_ok=True)


def insert(con: duckdb.DuckDBPyConnection, parsed: Parsed, piece: Path) -> None:
    """Put the new rows of a piece of a journal into the attached `pending`, each key once."""
    load_lines(con, [piece])
    for name in tables_in_lines(con):
        if name not in parsed.tables:
            columns = ", ".join(f"{column} {kind}" for column, (kind, _) in TABLES[name].columns.items())
            con.execute(f"create table pending.{name} ({columns})")
            parsed.tables.add(name)
        con.execute(f"insert into pending.{name} by name {new_rows(name, beside=('store', 'pending'))}")
    con.execute("drop table lines")
