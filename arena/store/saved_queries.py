"""Queries that a user saves beside a store: one file of SQL each, in the folder `<store>.queries/`.

A comment in the first line is the question that the query answers.  The files belong to the user,
who may edit and copy them and keep them under version control.  A file whose name could not be a
query's is left alone.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StoreError
from arena.store import durable

# A name is a file name: in small letters, since some file systems ignore case.
NAME = re.compile(r"[a-z0-9_-]{1,60}")
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A saved query: its question, "" if the file begins with none, and the whole text."""

    question: str
    sql: str


def saved_folder(path: Path) -> Path:
    """Return the folder of the saved queries: beside the database, even if `path` is a link."""
    return (real := path.resolve()).with_name(real.name + ".queries")


def read_saved_queries(path: Path) -> dict[str, SavedQuery]:
    """Return the queries saved beside a store, by name.

    Files that cannot be read, or are larger than MAX_BYTES, are left out.
    """
    queries = {}
    with suppress(OSError):
        for file in sorted(saved_folder(path).glob("*.sql")):
            with suppress(OSError, UnicodeDecodeError):
                ours = NAME.fullmatch(file.stem) and file.is_file()
                if ours and file.stat().st_size <= MAX_BYTES:
                    # Editors of Windows put a byte order mark first.
                    sql = file.read_text(encoding="utf-8-sig")
                    queries[file.stem] = SavedQuery(question_of(sql), sql)
    return queries


def save(path: Path, name: str, sql: str, *, replace: bool = False) -> Path:
    """Save a query beside a store under a name, and return its file.

    Raises StoreError if the name is not made of 1 to 60 of the characters a-z, 0-9, _ and -, the
    query is empty or larger than MAX_BYTES, its name is taken and `replace` is false, or the folder
    cannot be written.
    """
    if not NAME.fullmatch(name):
        raise StoreError(
            f"a query cannot be saved as {name[:80]!r}: a name has 1 to 60 of the characters a-z,"
            " 0-9, _ and -"
        )
    content = sql.strip().encode("utf-8", "replace") + b"\n"
    if not sql.strip() or len(content) > MAX_BYTES:
        raise StoreError(
            f"a query of {len(content) - 1} bytes cannot be saved: it has at least 1 and at most a"
            " million"
        )
    folder = saved_folder(path)
    file = folder / f"{name}.sql"
    # A file appears complete or not at all: its draft is renamed or linked.
    draft = folder / f".{name}-{os.getpid()}.part"
    try:
        folder.mkdir(exist_ok=True)
        draft.write_bytes(content)
        if replace:
            draft.replace(file)
        else:
            durable.name_new(draft, file)
    except FileExistsError as error:
        raise StoreError(
            f"there is a query {name!r} already, {file}; choose another name, or replace it"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot save the query to {folder}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return file


def question_of(sql: str) -> str:
    """Return the comment in the first line of a query without its dashes, "" if there is none."""
    first = sql.strip().splitlines()[0] if sql.strip() else ""
    return first.removeprefix("--").strip() if first.startswith("--") else ""
