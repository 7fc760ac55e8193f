"""Connections to the DuckDB file of a store: to read it, and to write it.

A DuckDB file has either one process that writes or any number that read.  So a store is attached
for the length of one `with` block and let go at its end: other processes find it free.  All
connections go to an in-memory database, to which the file is attached under the name `store`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store.migrations import make_views, quote_sql, views_hash
from arena.store.paths import store_path
from arena.store.schema import SCHEMA_VERSION
from arena.store.views.base import WITH_LEFTOVERS

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# Rows that are compressed together.  Turns are long: a row group of them takes 100 MB of memory
# before it is compressed.
ROW_GROUP = 16_384
# How a new file is attached: in the format of DuckDB 1.4, which later versions read too.  A file
# keeps its format as long as no format is named.
NEW_FILE = f"type duckdb, storage_version 'v1.4.0', row_group_size {ROW_GROUP}"
# DuckDB opens a file once in a process; a second thread waits here.
CONNECTION_LOCK = threading.RLock()
# The database in memory that readers share, by process id: DuckDB's threads do not survive a fork.
# To make one takes 10 ms of CPU, five times as long as a small query.
IDLE_INSTANCES: dict[int, Connection] = {}
SHOWS_LEFTOVERS: ContextVar[bool] = ContextVar(WITH_LEFTOVERS, default=False)


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The row of `store_info`: the schema version, and the hash of the views' texts.

    `views` is None in stores of version 0.1.0 and older, which do not hold the hash.
    """

    schema_version: int
    views: str | None


@contextmanager
def connect_trusted() -> Iterator[Connection]:
    """Yield a connection for the program's own queries, on an instance that the process shares.

    At the end of the block its temporary tables and views are gone, and the databases attached as
    `store` and `pending` are detached.  The caller holds CONNECTION_LOCK.  A nested block has an
    instance of its own.
    """
    instance = IDLE_INSTANCES.pop(os.getpid(), None) or duckdb.connect(":memory:", config=OFFLINE)
    try:
        with closing(instance.cursor()) as con:
            yield con
        instance.execute("detach database if exists pending; detach database if exists store")
    except BaseException:
        # Whatever state the error has left behind, closing the instance lets the file go.
        instance.close()
        raise
    IDLE_INSTANCES[os.getpid()] = instance


@contextmanager
def connect_untrusted() -> Iterator[Connection]:
    """Yield a connection on an instance of its own, which can be locked down for a user's query.

    DuckDB locks settings for a whole instance and never unlocks them, so it serves only once.
    """
    with closing(duckdb.connect(":memory:", config=OFFLINE)) as con:
        yield con


@contextmanager
def show_leftovers(*, wanted: bool = True) -> Iterator[None]:
    """Let the views count leftovers of earlier plans too, in all that is read within the block."""
    token = SHOWS_LEFTOVERS.set(wanted)
    try:
        yield
    finally:
        SHOWS_LEFTOVERS.reset(token)


@contextmanager
def attach_store(path: Path, *, trusted: bool = True) -> Iterator[tuple[Connection, StoreInfo]]:
    """Attach a store of any version read-only, as `store`; yield the connection and its info.

    The file is let go at the end of the block.  Not `trusted` is for queries that users write.
    Raises StoreError if there is no such file, it is no file or not a store, or a newer program
    wrote it.
    """
    if not store_path(path).exists():
        raise StoreError(
            f"there is no store at {path}; run or import a study first, or name another file"
            " with --db"
        )
    # To open a pipe waits for whoever writes to it, and no signal ends that.
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no file, but a pipe or a device"
        raise StoreError(f"{path} is {what}; name another file with --db")
    # The lock is held to the end: the shared instance serves one reader at a time.
    with CONNECTION_LOCK, connect_trusted() if trusted else connect_untrusted() as con:
        attach = f"attach {quote_sql(str(path))} as store (type duckdb, read_only)"
        retry_locked(lambda: con.execute(attach), path, wait_s=10)
        if SHOWS_LEFTOVERS.get():
            con.execute(f"set variable {WITH_LEFTOVERS} = true")
        yield con, read_info(con, path)


@contextmanager
def writing(path: Path, *, wait_s: float) -> Iterator[Connection]:
    """Yield a connection that writes the store, its default database.

    Waits up to `wait_s` seconds while another process holds the file, then raises StoreError.
    """
    # On an instance of its own, since folding limits its memory and threads.
    with CONNECTION_LOCK, closing(duckdb.connect(":memory:", config=OFFLINE)) as con:
        options = f"type duckdb, row_group_size {ROW_GROUP}"
        attach = f"attach {quote_sql(str(path))} as store ({options})"
        while True:
            before = path.stat()
            retry_locked(lambda: con.execute(attach), path, wait_s)
            # DuckDB opens a file and then locks it.  Between the two, `arena tidy --rewrite` may
            # have put another file in its place; from here on nobody can.
            if os.path.samestat(before, path.stat()):
                break
            con.execute("detach store")
        con.execute("use store")
        yield con


def retry_locked(attach: Callable[[], object], path: Path, wait_s: float) -> None:
    """Attach a file, and try again for `wait_s` seconds while another process holds it.

    Raises StoreError in place of DuckDB's errors.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            attach()
            return
        except duckdb.Error as error:
            message = str(error)
            if "lock on" in message.lower():
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                raise StoreError(
                    f"{path} is held by another process: {lock_holder(message)}; close it there,"
                    " or query with `arena sql`"
                ) from error
            if "already attached" in message or "different configuration" in message:
                raise StoreError(
                    f"{path} is open in this process already: query it on that connection, or"
                    " close it first"
                ) from error
            raise StoreError(f"cannot open {path}: {message.splitlines()[0]}") from error


def lock_holder(message: str) -> str:
    """Return the process that holds the file, as DuckDB's message names it."""
    return message.split("held in ")[-1].split(". ")[0] if "held in " in message else "unknown"


def read_info(con: Connection, path: Path, database: str = "store") -> StoreInfo:
    """Return the schema version and the hash of the views of the attached store.

    Raises StoreError if it is not a store of ours, or was written by a newer program.
    """
    try:
        row = con.execute(f"from {database}.store_info").fetchone()
    except duckdb.CatalogException as error:
        raise StoreError(
            f"{path} is a database, but not an arena store; name another file with --db"
        ) from error
    except duckdb.Error as error:
        raise StoreError(
            f"{path} cannot be read, the file seems to be damaged: {str(error).splitlines()[0]}"
        ) from error
    if row is None or row[0] > SCHEMA_VERSION:
        version = "no version" if row is None else f"schema version {row[0]}"
        raise StoreError(
            f"{path} has {version}, this program reads {SCHEMA_VERSION}: it was written by a newer"
            " arena; update, or name another file with --db"
        )
    return StoreInfo(int(row[0]), row[1] if len(row) > 1 else None)


def refresh_views(con: Connection, path: Path) -> None:
    """Make the views of a store anew if another version of the program has made them."""
    if read_info(con, path).views != views_hash():
        make_views(con)
