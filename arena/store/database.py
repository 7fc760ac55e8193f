"""A store: the DuckDB file with its journals, made, read, queried and folded.

A run writes its journal and does not hold the database.  Folding inserts each journal line once, by
its key, in one transaction with the journal's name and length.  Reading attaches the file for the
length of one block and adds the lines that are not folded yet to its tables, so that a study can be
queried from another process while it runs.
"""

from __future__ import annotations

import errno
import functools
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store import connection, durable
from arena.store.connection import StoreInfo, attach_store, read_info, refresh_views, writing
from arena.store.damage import INTERNAL, shows_damage, warn_of_left_out
from arena.store.folding import FoldResult, fold_into
from arena.store.journal_reader import Damage
from arena.store.locks import is_locked, lock
from arena.store.migrations import bring_up_to_date, make_tables, quote_sql, views_hash
from arena.store.paths import log_of, store_path
from arena.store.query import (
    UNLIMITED,
    Parameters,
    QueryLimits,
    answer,
    file_bytes,
    read_result,
)
from arena.store.query_process import QueryJob, run_in_process
from arena.store.result import QueryResult
from arena.store.salvage import find_affected
from arena.store.schema import SCHEMA_VERSION
from arena.store.unfolded import (
    attach_new_rows,
    known_damage,
    show_missing,
    show_new_rows,
)
from arena.store.verification import Removal, remove_verified
from arena.store.views.registry import ALL_VIEWS, VIEWS, find_views, statement, with_dependencies

# Verifying takes as long as folding, so a command removes at once only what takes about a second.
QUICK_REMOVAL_BYTES = 64 * 2**20
# Versions that are read as they are: they lack tables and columns without which they have rows
# enough, and which are shown as empty and as NULL.
READ_AS_THEY_ARE = (4, 5, 6, 7, 8, 9, 10, 11, SCHEMA_VERSION)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("No space left", "Disk quota exceeded", "File too large", "Could not write all bytes")
T = TypeVar("T")


def journal_folder(path: Path) -> Path:
    """Return the folder of a store's journals: beside the database, even if `path` is a link."""
    return (real := path.resolve()).with_name(real.name + ".journal")


def make_journal_folder(path: Path) -> None:
    """Make the folder of a store's journals, and close it to whom the store is closed.

    A new folder of a store that exists has its permissions and group.
    """
    folder = journal_folder(path)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    before = stat.S_IMODE(folder.stat().st_mode)
    if is_new:
        # Who reads a store may enter the folder, and its owner writes journals.
        after = before & ~0o777 | mode | (mode & 0o444) >> 2 | stat.S_IRWXU
    else:
        after = before & ~sum(bits for bits in (0o070, 0o007) if not mode & bits & 0o444)
    with suppress(PermissionError):  # it is a colleague's
        if after != before:
            folder.chmod(after)
        if is_new:
            durable.sync_folder(folder.parent)
            durable.give(folder, folder.stat().st_uid, path.stat().st_gid)


def journals(path: Path) -> list[Path]:
    """Return all journals of a store, oldest first: their names begin with the time."""
    return [file for file in journal_entries(path) if file.is_file()]


def journal_entries(path: Path) -> list[Path]:
    """Return what is called as a journal of a store is, by name; StoreError if nobody can tell."""
    if not (folder := journal_folder(path)).exists():
        return []
    try:
        # To glob passes over a folder that cannot be read, and its rows would be missing.
        found = sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError as error:
        raise StoreError(f"cannot read the journals in {folder}: {error.strerror}") from error
    return [file for file in found if file.suffix == ".jsonl"]


def closed_journals(path: Path) -> list[Path]:
    """Return the journals of a store that nobody writes any more, oldest first."""
    return [journal for journal in journals(path) if not is_locked(journal)]


def create(path: Path) -> None:
    """Make a store if there is none, or bring one of an older version up to date.

    Raises StoreError if the folder cannot be written, the file is not a store, or a newer program
    wrote it.
    """
    folder = journal_folder(store_path(path))
    draft = folder / f"new-{os.getpid()}-{threading.get_ident()}.duckdb"
    try:
        make_journal_folder(path)
        draft.write_bytes(b"")
        draft.unlink()
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}; name another store with --db"
        raise StoreError(f"cannot write beside {path}: {reason}") from error
    try:
        if not path.exists():
            # Made under another name and linked whole: nobody ever meets half a store.
            draft.write_bytes(empty_store())
            durable.name_new(draft, path.resolve())
            return
    except FileExistsError:
        pass  # another process has made it since
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"cannot make the store {path}: {reason_of(error, path)}") from error
    finally:
        draft.unlink(missing_ok=True)
    if version_of(path) < SCHEMA_VERSION:
        migrate(path)


@functools.cache
def empty_store() -> bytes:
    """Return the file of a store with all tables and views and no rows.

    It is made once in a process: its thousand statements take 0.2 s.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.duckdb"
        with connection.CONNECTION_LOCK, connection.connect_trusted() as con:
            con.execute(f"attach {quote_sql(str(file))} as store ({connection.NEW_FILE})")
            # Statements on empty tables leave nothing to optimize: a fifth of the time is saved.
            con.execute("use store; pragma disable_optimizer")
            make_tables(con)
            con.execute("checkpoint")
        return file.read_bytes()


def migrate(path: Path) -> None:
    """Bring a store of an older version up to date, after copying it to `<path>.backup-v<version>`.

    An earlier backup is kept: the next one ends with -2.  Raises StoreError if another process
    holds the store, or the copy cannot be written.
    """
    with lock(journal_folder(path) / "migrate.lock"):
        # Another process may have done it while this one waited.
        if (version := version_of(path)) == SCHEMA_VERSION:
            return
        try:
            # To close any descriptor of a file drops this process's locks on it (POSIX).  So the
            # one that is copied from is opened before DuckDB locks the file, and closed after, and
            # no other thread has the file meanwhile.
            with (
                connection.CONNECTION_LOCK,
                path.open("rb") as source,
                writing(path, wait_s=10) as con,
            ):
                if not os.path.samestat(os.fstat(source.fileno()), path.stat()):
                    raise StoreError(f"{path} was replaced by another process; try again")
                con.execute("checkpoint")
                backup = path.with_name(f"{path.name}.backup-v{version}")
                durable.copy_whole(source, durable.free_name(backup))
                bring_up_to_date(con)
        except (duckdb.Error, OSError) as error:
            raise StoreError(
                f"{path} cannot be brought up to date, and is unchanged: {reason_of(error, path)}"
            ) from error


def version_of(path: Path) -> int:
    """Return the schema version of a store.  Raises StoreError as `attach_store`."""
    with attach_store(path) as (_, info):
        return info.schema_version


@contextmanager
def up_to_date_path(path: Path) -> Iterator[Path]:
    """Yield the path of a store, or of a temporary copy that is brought up to date.

    Reading a store of an older version thus changes nothing in it.
    """
    if version_of(path) == SCHEMA_VERSION:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        # Closing a file that is copied would drop the lock of a thread that reads it.
        with connection.CONNECTION_LOCK:
            shutil.copyfile(path, copy)
            if has_log(path):
                shutil.copyfile(log_of(path), log_of(copy))
        with writing(copy, wait_s=0) as con:
            bring_up_to_date(con)
        yield copy


@contextmanager
def reading(path: Path, *, trusted: bool = True) -> Iterator[tuple[Connection, StoreInfo]]:
    """Attach a store as `attach_store`, with the tables of this version.

    A store of an older version is read from a copy that is brought up to date.
    """
    with attach_store(path, trusted=trusted) as (con, info):
        if info.schema_version in READ_AS_THEY_ARE:
            yield con, info
            return
        con.execute("detach store")
        with up_to_date_path(path) as copy:
            con.execute(f"attach {quote_sql(str(copy))} as store (type duckdb, read_only)")
            yield con, read_info(con, copy)


@contextmanager
def open_live(
    path: Path, views: Collection[str] = VIEWS.keys(), *, trusted: bool = True
) -> Iterator[Connection]:
    """Yield a connection whose tables show all rows of a store, folded or still in journals.

    `views` are the views and macros that the reader needs.  Not `trusted` is for queries that users
    write.  Raises StoreError as `attach_store`.
    """
    with translated_errors(path), reading(path, trusted=trusted) as (con, info):
        growing = attach_new_rows(con, path, unfolded_journals(con, journals(path)))
        warn_of_left_out(path, journal_entries(path))
        con.execute("use store")
        show_new_rows(con, growing)
        if info.schema_version < SCHEMA_VERSION:
            show_missing(con, growing)
        # The store's own views serve if this program has made them and no table grows.
        if growing or info.views != views_hash():
            for name in with_dependencies(views):
                con.execute(statement(name, ALL_VIEWS[name], temporary=True))
        with translated_errors(path, trusted=trusted):
            yield con


def query(
    path: Path, sql: str, parameters: Parameters = None, *, limits: QueryLimits = UNLIMITED
) -> QueryResult:
    """Run a user's query on folded and unfolded rows, and return its result.

    The query can only read, and only the store.  Of several statements the last result counts.
    `parameters` are bound to $name by a mapping, to ? by a sequence, and never part of the SQL.
    Raises StoreError with DuckDB's message if the query is wrong, or if it meets one of the limits.
    """
    if limits.seconds is not None:
        # Only a process can be stopped at any moment.
        result = run_in_process(QueryJob(path, sql, "", parameters, limits))
        assert isinstance(result, QueryResult)
        return result
    return with_views(path, sql, lambda con: answer(con, sql, parameters, limits))


def select_rows(path: Path, sql: str, parameters: Sequence[Any] = ()) -> QueryResult:
    """Run one of the program's own queries, on the connection that readers share."""
    return with_views(path, sql, lambda con: read_result(con, sql, parameters), trusted=True)


def download(
    path: Path,
    sql: str,
    kind: str,
    parameters: Parameters = None,
    *,
    limits: QueryLimits = UNLIMITED,
    spreadsheet: bool = False,
) -> bytes:
    """Return the result of a user's query as a file of the kind csv, json or parquet.

    With `spreadsheet` no text of a csv file is a formula.  Otherwise as `query`.
    """
    if limits.seconds is not None:
        content = run_in_process(QueryJob(path, sql, kind, parameters, limits, spreadsheet))
        assert isinstance(content, bytes)
        return content
    return with_views(
        path,
        sql,
        lambda con: file_bytes(con, sql, kind, limits, parameters, spreadsheet=spreadsheet),
    )


def with_views(path: Path, sql: str, run: Callable[[Connection], T], *, trusted: bool = False) -> T:
    """Call `run` with a connection that has the views named in a query; return its result.

    Raises StoreError in place of DuckDB's errors.
    """
    with open_live(path, find_views(sql), trusted=trusted) as con:
        return run(con)


@contextmanager
def translated_errors(path: Path, *, trusted: bool = True) -> Iterator[None]:
    """Raise StoreError in place of DuckDB's errors: a wrong query, a full disk, a damaged file.

    Not `trusted` is for queries that users write.
    """
    try:
        yield
    except duckdb.Error as error:
        message = str(error).strip()
        first = message.splitlines()[0] if message else type(error).__name__
        if any(words in message for words in FULL_WORDS):
            raise StoreError(f"the query failed: {reason_of(error, path)}") from error
        if isinstance(error, INTERNAL) and not trusted:
            either = f"either DuckDB cannot do this, or {path} is damaged"
            raise StoreError(f"the query failed: {first}; {either}") from error
        if not isinstance(error, INTERNAL) and not shows_damage(error, path):
            raise StoreError(f"the query failed: {message}") from error
        raise StoreError(
            f"{path} cannot be read, the file seems to be damaged: {first};"
            f" use a copy of it (what is not folded yet is safe in {journal_folder(path)})"
        ) from error


def fold(path: Path, *, wait_s: float = 2.0, leave_out_damaged: bool = False) -> FoldResult:
    """Insert the journals that nobody writes any more into the database, each line once.

    Waits up to `wait_s` seconds for a reader that holds the file; then the journals stay as they
    are, and the result says so.  So they do if a line of theirs is damaged, unless those are to be
    left out.  Journals of runs that have ended are removed once all their rows are in the database.
    """
    try:
        closed = closed_journals(path)
        if not closed:
            return FoldResult()
        with attach_store(path) as (con, info):
            if not unfolded_journals(con, closed):
                return FoldResult()
        if info.schema_version < SCHEMA_VERSION:
            migrate(path)
        with writing(path, wait_s=wait_s) as con:
            con.execute("begin")
            refresh_views(con, path)
            result = fold_into(con, unfolded := unfolded_journals(con, closed))
            if result.damaged and leave_out_damaged:
                later = unfolded[result.journals :]
                rest = fold_into(con, later, skip=find_affected(con, later))
                journals, skipped = result.journals + rest.journals, result.skipped + rest.skipped
                result = FoldResult(journals, skipped, damaged=rest.damaged)
            con.execute("commit")
    except (StoreError, duckdb.Error, OSError) as error:
        return FoldResult(put_off=reason_of(error, path))
    remove_if_quick(path, unfolded)
    return result


def reason_of(error: Exception, path: Path) -> str:
    """Return why a store could not be written, and what to do about a full disk."""
    reason = str(error).splitlines()[0]
    full = isinstance(error, OSError) and error.errno in FULL
    if full or any(words in reason for words in FULL_WORDS):
        what = f"{path} and its journals in {journal_folder(path)} are safe: "
        return (
            f"the disk is full ({reason}); {what if path.exists() else ''}free space and run the"
            " same command again"
        )
    return reason


def remove_folded(path: Path) -> list[Removal]:
    """Remove the folded journals of a store whose rows are all in the database, however large.

    A store of an older version that has journals is brought up to date first: its tables lack
    columns that are compared.  Raises StoreError as `attach_store` and `migrate`.
    """
    if version_of(path) < SCHEMA_VERSION and journals(path):
        migrate(path)
    if has_log(path):
        with translated_errors(path), writing(path, wait_s=10) as con:
            con.execute("checkpoint")
    with translated_errors(path), attach_store(path) as (con, _):
        return remove_verified(con, journals(path), only_ended=False)


def has_log(path: Path) -> bool:
    """Tell whether changes of a store lie in DuckDB's log beside it, and not yet in the file."""
    return log_of(path).exists()


def find_damage(path: Path) -> list[Damage]:
    """Return the damaged lines of closed journals that were met when the store was last read."""
    closed = closed_journals(path)
    return [damage for damage in known_damage(path) if damage.journal in closed]


def unfolded_journals(
    con: Connection, files: Sequence[Path], database: str = "store"
) -> list[Path]:
    """Return the journals that are longer than the part an attached store has folded."""
    folded = f"select journal, max(bytes) from {database}.folded group by journal"
    rows = con.execute(folded).fetchall()
    folded_bytes = dict(rows)
    unfolded = []
    for file in files:
        # One that another process has removed since is folded.
        with suppress(FileNotFoundError):
            if file.stat().st_size > folded_bytes.get(file.name, 0):
                unfolded.append(file)
    return unfolded


def remove_if_quick(path: Path, files: Sequence[Path]) -> None:
    """Remove those of these journals whose runs have ended, if all their rows are in the store.

    Larger ones wait for `arena tidy`, and so do those that cannot be verified now.
    """
    # A full disk may have kept rows in the log: whoever copies the file alone would miss them.
    if has_log(path):
        return
    with suppress(StoreError, duckdb.Error, OSError), attach_store(path) as (con, _):
        if sum(file.stat().st_size for file in files) <= QUICK_REMOVAL_BYTES:
            remove_verified(con, files, only_ended=True)
