"""Queries that a user saves beside a store: one file of SQL each, in the folder `<store>.queries/`.

Its first comment line is the question that it answers.  The files are the user's own: they may be edited, copied and kept under version
control, and a file whose name is none of ours is left alone.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StoreError

NAME = re.compile(r"[a-z0-9_-]{1,60}")
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A saved query: the question in words ("" where the file begins with none), and the whole text of the file."""

    question: str
    sql: str


def saved_folder(path: Path) -> Path:
    """Where the queries saved for a store lie: beside the database, also where `path` is a link to it."""
    return (real := path.resolve()).with_name(real.name + ".queries")


def read_saved_queries(path: Path) -> dict[str, SavedQuery]:
    """The queries saved beside a store, by name; files that cannot be read, or are larger than a megabyte, are left out."""
    found = {}
    with suppress(OSError):
        for file in sorted(saved_folder(path).glob("*.sql")):
            with suppress(OSError, UnicodeDecodeError):
                if (
                    NAME.fullmatch(file.stem)
                    and file.is_file()
                    and file.stat().st_size <= MAX_BYTES
                ):
                    sql = file.read_text(encoding="utf-8-sig")
                    found[file.stem] = SavedQuery(question_of(sql), sql)
    return found


def save(path: Path, name: str, sql: str, *, replace: bool = False) -> Path:
    """Save a query beside a store under a name, and return its file; it is there whole or not at all.

    Raises StoreError where the name is not 1 to 60 of a-z, 0-9, _ and -, the query is empty or larger than a megabyte, there is a query of
    that name already and `replace` is not given, or the folder cannot be written.
    """
    if not NAME.fullmatch(name):
        raise StoreError(
            f"a query cannot be saved as {name[:80]!r}: a name has 1 to 60 of the characters a-z, 0-9, _ and -"
        )
    content = sql.strip().encode("utf-8", "replace") + b"\n"
    if not sql.strip() or len(content) > MAX_BYTES:
        raise StoreError(
            f"a query of {len(content) - 1} bytes cannot be saved: it has at least 1 and at most a million"
        )
    folder = saved_folder(path)
    file, draft = folder / f"{name}.sql", folder / f".{name}-{os.getpid()}.part"
    try:
        folder.mkdir(exist_ok=True)
        draft.write_bytes(content)
        if replace:
            draft.replace(file)
        else:
            os.link(draft, file)
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
    """The first line of a query where it is a comment, without its dashes; "" where it is none."""
    first = sql.strip().splitlines()[0] if sql.strip() else ""
    return first.removeprefix("--").strip() if first.startswith("--") else ""
