"""The DuckDB file: making it, folding journals into it, and reading it together with journals that are still open.

A run writes its journal and does not hold the database (DuckDB lets nobody else in while a writer holds the file).  Folding inserts each
journal line once, by its key, in one transaction with the journal's name and length.  Reading attaches the file read-only for the length
of one query and puts the lines that are not folded yet beside its tables, so that a running study can be queried from another process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from arena.errors import StoreError
from arena.store.migrations import OFFLINE, bring_up_to_date, empty_store, quote_sql
from arena.store.query import UNLIMITED, QueryLimits, QueryResult, answer, file_bytes
from arena.store.schema import JOURNALED, SCHEMA_VERSION
from arena.store.tempdir import scratch
from arena.store.unfolded import attach_new_rows, insert_new
from arena.store.views.base import VIEWS
from arena.store.views.registry import ALL_VIEWS, find_views, statement, with_dependencies
from arena.text import utc_now

# Journals are folded this much at a time: each time costs 80 ms and a look at all keys, while all turns of it are in memory.
FOLD_GROUP_BYTES = 256 * 2**20
# Rows that are compressed together: few enough that a turn's row group, uncompressed, takes 100 MB.
ROW_GROUP = 16_384
# DuckDB opens a file once in a process; whoever comes second, in another thread, waits here.
CONNECTION_LOCK = threading.RLock()
T = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What folding did: journals taken in, lines that could not be read, and why it was put off (None: it was not)."""

    journals: int = 0
    skipped: int = 0
    put_off: str | None = None


def journal_folder(path: Path) -> Path:
    """Where the journals of a store lie: beside the database, also where `path` is a link to it."""
    return (real := path.resolve()).with_name(real.name + ".journal")


def create(path: Path) -> None:
    """Make the database with all tables and views where it is missing, and check its schema version where it is not.

    It is made under another name and moved into place whole, so that nobody ever meets half a store.
    Raises StoreError where the folder cannot be written, the file is no store, or its schema is newer than this program's.
    """
    folder = journal_folder(path)
    draft = folder / f"new-{os.getpid()}-{threading.get_ident()}.duckdb"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(b"")
        draft.unlink()
    except OSError as error:
        raise StoreError(
            f"cannot write beside {path}: {error.strerror}; name another store with --db"
        ) from error
    if not path.exists():
        try:
            draft.write_bytes(empty_store())
            with suppress(FileExistsError):
                os.link(draft, path)
        except (duckdb.Error, OSError) as error:
            raise StoreError(
                f"cannot make the store {path}: {str(error).splitlines()[0]}"
            ) from error
        finally:
            draft.unlink(missing_ok=True)
    if version_of(path) < SCHEMA_VERSION:
        migrate(path)


def migrate(path: Path) -> None:
    """Give a store of an older version the tables, columns and views of this one, after a copy of it has been put beside it.

    Raises StoreError where another process holds it, or the copy cannot be written.
    """
    with (journal_folder(path) / "migrate.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (version := version_of(path)) == SCHEMA_VERSION:
            return
        try:
            with writing(path, wait_s=10) as con:
                con.execute("checkpoint")
                shutil.copyfile(path, path.with_name(f"{path.name}.backup-v{version}"))
                bring_up_to_date(con)
        except (duckdb.Error, OSError) as error:
            raise StoreError(
                f"{path} cannot be brought up to date, and is as it was: {str(error).splitlines()[0]}"
            ) from error


def version_of(path: Path) -> int:
    """The schema version of a store.  Raises StoreError where it is none, or newer than this program."""
    with attach_store(path) as con:
        return check_version(con, path)


@contextmanager
def attach_store(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory with the store, of whatever version, attached read-only as `store`; let go at the end of the block."""
    if not path.exists():
        raise StoreError(
            f"there is no store at {path}; run or import a study first, or name another file with --db"
        )
    with CONNECTION_LOCK, closing(duckdb.connect(":memory:", config=OFFLINE)) as con:
        retry_locked(
            lambda: con.execute(f"attach {quote_sql(str(path))} as store (type duckdb, read_only)"),
            path,
            wait_s=10,
        )
        yield con


@contextmanager
def up_to_date_path(path: Path) -> Iterator[Path]:
    """The store, or for the length of the block a copy of it that has been brought up to date: to read changes nothing."""
    if version_of(path) == SCHEMA_VERSION:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for suffix in ("", ".wal"):
            if (file := path.with_name(path.name + suffix)).exists():
                shutil.copyfile(file, copy.with_name(copy.name + suffix))
        with writing(copy, wait_s=0) as con:
            bring_up_to_date(con)
        yield copy


@contextmanager
def writing(path: Path, *, wait_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that writes; waits up to `wait_s` seconds for whoever holds the file.  Raises StoreError in plain words."""
    with CONNECTION_LOCK, closing(duckdb.connect(":memory:", config=OFFLINE)) as con:
        retry_locked(
            lambda: con.execute(
                f"attach {quote_sql(str(path))} as store (type duckdb, storage_version 'latest', row_group_size {ROW_GROUP})"
            ),
            path,
            wait_s,
        )
        con.execute("use store")
        yield con


def retry_locked(attach: Callable[[], object], path: Path, wait_s: float) -> None:
    """Attach, and try again while another process holds the file; turn DuckDB's errors into a sentence."""
    until = time.monotonic() + wait_s
    while True:
        try:
            attach()
            return
        except duckdb.Error as error:
            if "lock on" in str(error).lower():
                if time.monotonic() >= until:
                    who = holder(str(error))
                    raise StoreError(
                        f"{path} is held by another process: {who}; close it there, or query with `arena sql`"
                    ) from error
                time.sleep(0.05)
                continue
            if "already attached" in str(error) or "different configuration" in str(error):
                raise StoreError(
                    f"{path} is open in this process already: query it on that connection, or close it first"
                ) from error
            raise StoreError(f"cannot open {path}: {str(error).splitlines()[0]}") from error


def holder(message: str) -> str:
    """The process that holds the file, out of DuckDB's message."""
    return message.split("held in ")[-1].split(". ")[0] if "held in " in message else "unknown"


def check_version(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The schema version of the attached store.  Raises StoreError where it is none of ours, or newer than this program."""
    try:
        row = con.execute("select schema_version from store.store_info").fetchone()
    except duckdb.CatalogException as error:
        raise StoreError(
            f"{path} is a database, but not an arena store; name another file with --db"
        ) from error
    if row is None or row[0] > SCHEMA_VERSION:
        found = "no version" if row is None else f"schema version {row[0]}"
        raise StoreError(
            f"{path} has {found}, this program reads {SCHEMA_VERSION}: it was written by a newer arena; update, or name another file with --db"
        )
    return int(row[0])


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory with the store attached read-only as `store`; let go at the end of the block.

    A store of an older version is read from a copy that has been brought up to date.  Raises StoreError where it is no store, or newer.
    """
    with attach_store(path) as con:
        if check_version(con, path) == SCHEMA_VERSION:
            yield con
            return
        con.execute("detach store")
        with up_to_date_path(path) as copy:
            con.execute(f"attach {quote_sql(str(copy))} as store (type duckdb, read_only)")
            yield con


@contextmanager
def open_live(
    path: Path, views: Collection[str] = VIEWS.keys()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which every table of the store, and these views, show what is folded and what still lies in journals.

    `views` are those that the reader needs, canned queries among them; what they read is made too.  Each takes some milliseconds to make.
    """
    with reading(path) as con:
        # Where a table has nothing unfolded, the plain table is read: what a query asks for one episode then skips the rest of it.
        growing = attach_new_rows(con, path, unfolded_journals(con, journals(path)))
        for name in JOURNALED:
            con.execute(
                f"create view {name} as from store.{name}"
                + f" union all by name from pending.{name}" * (name in growing)
            )
        con.execute("create view folded as from store.folded")
        for name in with_dependencies(views):
            con.execute(statement(name, ALL_VIEWS[name]))
        yield con


def query(
    path: Path, sql: str, parameters: Sequence[Any] = (), *, limits: QueryLimits = UNLIMITED
) -> QueryResult:
    """Run one query on folded and unfolded rows alike, read the result at once, and let the file go.

    The query can read what is in the store and write nothing: neither there nor to other files.  Of several statements the last result is
    given.  Raises StoreError with DuckDB's first lines where the query is wrong, and in plain words where it meets one of the limits.
    """
    return with_views(path, sql, lambda con: answer(con, sql, parameters, limits))


def download(path: Path, sql: str, kind: str, *, limits: QueryLimits = UNLIMITED) -> bytes:
    """The result of one query as the bytes of a file, of the kind csv, json or parquet; otherwise as `query`."""
    return with_views(path, sql, lambda con: file_bytes(con, sql, kind, limits))


def with_views(path: Path, sql: str, run: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """Run something on a connection with the views that the query names, and with all of them where a name is not found among those."""
    for views in (find_views(sql), tuple(ALL_VIEWS)):
        try:
            with open_live(path, views) as con:
                return run(con)
        except duckdb.Error as error:
            # With all names at hand, DuckDB can say which one was meant.
            if isinstance(error, duckdb.CatalogException) and len(views) < len(ALL_VIEWS):
                continue
            raise StoreError(f"the query failed: {str(error).strip()}") from error
    raise AssertionError("the last try returns or raises")


def journals(path: Path) -> list[Path]:
    """All journals beside a store; their names begin with the time, so the oldest come first."""
    return sorted(journal_folder(path).glob("*.jsonl"), key=lambda file: file.name)


def is_open(journal: Path) -> bool:
    """Whether a living run still writes this journal: it holds a lock on it for as long as it lives."""
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def fold(path: Path, *, wait_s: float = 2.0) -> FoldResult:
    """Take the journals that nobody writes any more into the database, each line once.

    Waits `wait_s` seconds for a reader who holds the file; then the journals stay where they are, and the result says so.
    """
    closed = [journal for journal in journals(path) if not is_open(journal)]
    if not closed:
        return FoldResult()
    try:
        with attach_store(path) as con:
            version, todo = check_version(con, path), unfolded_journals(con, closed)
        if not todo:
            return FoldResult()
        if version < SCHEMA_VERSION:
            migrate(path)
        with writing(path, wait_s=wait_s) as con:
            return fold_into(con, unfolded_journals(con, closed))
    except (StoreError, duckdb.Error, OSError) as error:
        return FoldResult(put_off=str(error).splitlines()[0])


def unfolded_journals(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> list[Path]:
    """Those journals that are longer than what the attached store has taken in of them."""
    taken = dict(
        con.execute("select journal, max(bytes) from store.folded group by journal").fetchall()
    )
    return [file for file in files if file.stat().st_size > taken.get(file.name, 0)]


def fold_into(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> FoldResult:
    """Insert the new rows of these journals, some at a time, and note the journals, in one transaction."""
    # A second thread would take memory of its own, and so would row groups that wait to be written together, or blocks that are written.
    con.execute("set threads = 1; set write_buffer_row_group_count = 1; set memory_limit = '1GB'")
    # Only a journal of several hundred MB, of an import say, needs more; its lines then wait on disk, and not in the current folder.
    con.execute(f"set temp_directory = {quote_sql(str(scratch() / 'spilled'))}")
    con.execute("begin")
    skipped = 0
    for group in group_by_size(files):
        sizes = [file.stat().st_size for file in group]
        _, lost = insert_new(con, group, "store", databases=("store",))
        for noted in zip(group, sizes, lost, strict=True):
            con.execute(
                "insert into store.folded values (?, ?, ?, ?)",
                [noted[0].name, *noted[1:], utc_now()],
            )
        skipped += sum(lost)
    con.execute("commit")
    return FoldResult(len(files), skipped)


def group_by_size(files: Sequence[Path]) -> Iterator[list[Path]]:
    """The files in groups of at most FOLDED_TOGETHER bytes, or of one file that is larger."""
    group: list[Path] = []
    room = FOLD_GROUP_BYTES
    for file in files:
        size = file.stat().st_size
        if group and size > room:
            yield group
            group, room = [], FOLD_GROUP_BYTES
        group.append(file)
        room -= size
    if group:
        yield group
