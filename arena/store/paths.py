"""Paths of stores: told from the other places that DuckDB opens, where no store can be."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from arena.errors import StoreError

# What DuckDB and its extensions open by a word and a colon, and whatever looks like an address.  A
# single letter is a drive of Windows.
NO_FILE = re.compile(
    r"(?:md|motherduck|ducklake|duckdb|quack|sqlite|postgres|postgresql|mysql|iceberg|jdbc|file"
    r"|https?|ftp|s3[an]?|gs|gcs|r2|hf|az|azure|abfss?):|[a-z][a-z0-9+.-]+:[/\\]|:memory:",
    re.I,
)


def store_path(path: str | Path) -> Path:
    """Return the path of a store.  Raises StoreError if it can be none of a file on this machine.

    DuckDB would make a local file of the name `md:peers` without a word.
    """
    text = str(path)
    if NO_FILE.match(text):
        # As it was typed: a Path has one slash in place of two.
        typed = re.sub(r"^([\w+.-]+:)[/\\](?![/\\])", r"\1//", text)
        raise StoreError(
            f"{typed} is no file on this machine, and a store is one, with its journals beside it:"
            " name a file such as arena.duckdb"
        )
    if not Path(path).name:
        raise StoreError(f"{text or 'an empty name'} is no file: name one, such as arena.duckdb")
    try:
        Path(path).stat()
    except OSError as error:
        # From Python 3.13 on, `resolve` lets such a link pass.
        if error.errno == errno.ELOOP:
            raise StoreError(f"{path} is a link that leads back to itself") from error
    except ValueError as error:
        if not isinstance(error, UnicodeError):
            raise StoreError(f"{text!r} can be the name of no file") from error
    try:
        place = str(Path(path).resolve())
        place.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{path!r} is no name in UTF-8, which DuckDB needs: rename it") from error
    # Its log would have another name, maybe in another folder, than the one we look for.  Long
    # paths of Windows begin with one.
    if "?" in place.removeprefix("\\\\?\\"):
        raise StoreError(f"{place} has a ?, and DuckDB reads what follows as options: rename it")
    return Path(path)


def log_of(path: Path) -> Path:
    """Return where DuckDB keeps the log of a file: beside the file itself, if `path` is a link."""
    return Path(f"{path.resolve()}.wal")
