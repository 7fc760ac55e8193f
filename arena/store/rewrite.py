"""Write the database file of a store anew, in the storage format of new files.

The store is copied to a file beside it, which takes its name once every table is the same.  So a
kill at any moment leaves a whole store: the old file or the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store import durable
from arena.store.connection import NEW_FILE, attach_store, refresh_views, writing
from arena.store.database import (
    has_log,
    journal_folder,
    journals,
    make_journal_folder,
    migrate,
    reason_of,
    version_of,
)
from arena.store.locks import is_locked, try_lock
from arena.store.migrations import quote_sql
from arena.store.result import quote_name
from arena.store.schema import SCHEMA_VERSION

# The store is open, read-only, until its file is replaced, which Windows does not let happen.
CAN_REPLACE_OPEN_FILES = not durable.WINDOWS
# A process holds it, in the folder of the journals, while it rewrites.
LOCK_NAME = "rewrite.lock"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What became of a store's file: its size before and after in bytes, and its rows by table."""

    bytes_before: int
    bytes_after: int
    rows: dict[str, int]


def rewrite(path: Path) -> Rewriting:
    """Write a store's file anew, and check that every table is the same before it is replaced.

    A store of an older version is brought up to date first.  Raises StoreError if a run or another
    process holds it, the disk is full, or a table came out different; the file is not replaced.
    """
    version = version_of(path)
    file = path.resolve()
    original = file.stat()
    if original.st_nlink > 1:
        raise StoreError(
            f"{file} has {original.st_nlink} names (hard links), and all but this one would keep"
            " the old file: remove them, or rewrite a copy of it"
        )
    state = "cannot be rewritten, and is unchanged"
    try:
        with only_one(path), draft_folder(path) as folder:
            draft = folder / "store.duckdb"
            refuse_if_in_use(path)
            if version < SCHEMA_VERSION:
                migrate(path)
                state = "was brought up to date, but cannot be rewritten"
            # A log of changes that a killed process has left goes into the file now: beside the
            # new file, it would be taken for a log of that.
            with writing(path, wait_s=10) as con:
                con.execute("checkpoint")
            before = file.stat().st_size
            # Nobody can write while the store is attached; readers can go on.
            with attach_store(path, trusted=False) as (con, _):
                if has_log(path):
                    raise StoreError(f"{path} was written to by another process; try again")
                rows = copy(con, draft)
                with writing(draft, wait_s=0) as fresh:
                    fresh.execute("begin")
                    refresh_views(fresh, draft)
                    fresh.execute("commit")
                keep_owner(file, draft)
                if CAN_REPLACE_OPEN_FILES:
                    durable.replace(draft, file)
            if not CAN_REPLACE_OPEN_FILES:
                durable.replace(draft, file)
            return Rewriting(before, file.stat().st_size, rows)
    except (duckdb.Error, OSError) as error:
        if not os.path.samestat(original, file.stat()):
            state = "is rewritten, but a power cut now may bring back the file that it replaced"
        raise StoreError(f"{path} {state}: {reason_of(error, path)}") from error


def keep_owner(file: Path, draft: Path) -> None:
    """Give a draft the owner, the group and the permissions of the file that it is to replace.

    Raises StoreError if this user may not.
    """
    state = file.stat()
    try:
        durable.give(draft, state.st_uid, state.st_gid)
    except PermissionError as error:
        raise StoreError(
            f"{file} cannot be rewritten, and stays as it is: it belongs to user {state.st_uid} and"
            f" group {state.st_gid}, to whom you cannot give the new file; let its owner do it"
        ) from error
    durable.keep_access(file, draft)


def refuse_if_in_use(path: Path) -> None:
    """Raise StoreError if a run is playing into a store: it holds a lock beside the file."""
    locks = [*journals(path), *journal_folder(path).glob("*.lock")]
    if any(is_locked(lock) for lock in locks if lock.name != LOCK_NAME):
        raise StoreError(f"{path} is in use by a run; tidy it when the run has ended")


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let no other process rewrite a store within the block.  Raises StoreError if one does."""
    make_journal_folder(path)
    held = try_lock(journal_folder(path) / LOCK_NAME)
    if held is None:
        raise StoreError(f"{path} is being rewritten by another process")
    with held:
        yield


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder for the copy, and remove it with all that is in it after the block.

    It is open to its owner alone: the copy, its log and what spills to disk may be private.
    """
    folder = journal_folder(path) / "rewrite"
    shutil.rmtree(folder, ignore_errors=True)  # a rewriting that was killed leaves one
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy(con: Connection, draft: Path) -> dict[str, int]:
    """Copy the attached store to a new file, and return the rows by table.

    The tables and views that users made are copied too.  Raises StoreError if a table of the copy
    is not the same.
    """
    # Long texts of several threads at once would take gigabytes.
    con.execute("set threads = 1; set write_buffer_row_group_count = 1; set memory_limit = '1GB'")
    con.execute(f"set temp_directory = {quote_sql(str(draft.with_suffix('.spilled')))}")
    con.execute(f"attach {quote_sql(str(draft))} as draft ({NEW_FILE})")
    con.execute("copy from database store to draft")
    before = fingerprints(con, "store")
    after = fingerprints(con, "draft")
    different = [
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    ]
    if different:
        raise StoreError(
            f"the copy of table {min(different)} is not the same; the file stays as it is"
        )
    con.execute("detach draft")
    return {name: rows for name, (rows, _) in before.items()}


def fingerprints(con: Connection, database: str) -> dict[str, tuple[int, int]]:
    """Return the number of rows, and the sum of their hashes, of every table of a database."""
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [database]
    ).fetchall()
    result = {}
    for schema, table in tables:
        name = f"{database}.{quote_name(schema)}.{quote_name(table)}"
        query = f"select count(*), coalesce(sum(hash(t)), 0) from {name} t"
        result[f"{schema}.{table}"] = con.execute(query).fetchall()[0]
    return result
