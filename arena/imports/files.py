"""Find and read the files of an import, each fault of which is one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.imports.published import reject_nan
from arena.text import writable

# A file is read whole; the largest published one, of judgements, has 60 MB.
MOST_BYTES = 512 * 2**20
# A cell holds a whole transcript.
csv.field_size_limit(MOST_BYTES)


def files_in(place: Path, endings: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield (name, file) of a file, or of all files below a folder with one of these endings.

    Hidden files and folders are left alone.  Raises StudyError if there is no such place.
    """
    if place.is_file():
        yield writable(place.name), place
        return
    if not place.is_dir():
        raise StudyError(f"{place} is neither a file nor a folder; name what is to be imported")
    for where, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in sorted(names):
            if name[0] != "." and name.lower().endswith(endings):
                file = Path(where, name)
                yield writable(file.relative_to(place).as_posix()), file


def read_text(file: Path) -> str:
    """Return the text of a file, maybe packed with gzip.  Raises StudyError if it is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise StudyError(f"is larger than {MOST_BYTES >> 20} MiB")
        content = file.read_bytes()
        if file.suffix == ".gz":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise StudyError(f"holds more than {MOST_BYTES >> 20} MiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(f"is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except (OSError, EOFError) as error:
        raise StudyError(f"cannot be read: {error}") from error


def read_json(file: Path) -> object:
    """Return the content of a file of JSON, or of lines of JSON as a list.

    Raises StudyError with the reason if it is none.
    """
    text = read_text(file)
    if not text.strip():
        raise StudyError("is empty")
    try:
        if file.name.removesuffix(".gz").endswith(".jsonl"):
            rows = [row for row in text.split("\n") if row.strip()]
            return [json.loads(row, parse_constant=reject_nan) for row in rows]
        return json.loads(text, parse_constant=reject_nan)
    except RecursionError as error:
        raise StudyError("is nested too deeply") from error
    except ValueError as error:
        raise StudyError(f"is not JSON: {error}") from error


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a table in CSV or lines of JSON.  Raises StudyError if it is none."""
    if ".jsonl" in file.name:
        content = read_json(file)
        assert isinstance(content, list)
        if not all(isinstance(row, dict) for row in content):
            raise StudyError("has a line that is no object")
        return content
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True))
    except csv.Error as error:
        raise StudyError(f"is not CSV: {error}") from error
    # DictReader collects what stands beyond the header under None.
    if any(None in row or None in row.values() for row in rows):
        raise StudyError("is not CSV: a row has more or fewer cells than the header")
    return rows


def columns_of(rows: list[dict[str, Any]], needed: tuple[str, ...], what: str) -> None:
    """Raise StudyError unless a table has these columns, which make it `what`."""
    if not rows:
        raise StudyError("has no rows")
    missing = [name for name in needed if name not in rows[0]]
    if missing:
        raise StudyError(f"is no {what}: it lacks the column {missing[0]!r}")


def number_of(value: object) -> float | None:
    """Return a cell as a finite number; None: it is blank or none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def truth_of(value: object) -> bool | None:
    """Return a cell as true or false; None: it is blank or neither."""
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())
