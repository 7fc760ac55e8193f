"""Read motions from a file, and offer six of our own to start with.

A file is JSON lines (one object a line), a JSON list, a CSV or Parquet table, or plain text (one
motion a line).  Objects have `motion` (or `text`), and may have `source` and `licence`.  Questions
are in arena/studies/questions.py.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Literal

import orjson
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.types import Subject


class MotionRow(BaseModel):
    """A motion as a file states it."""

    # Fields that other tools put beside a motion are ignored.
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str = Field(
        min_length=1, validation_alias=AliasChoices("motion", "text", "topic_description")
    )
    source: str | None = None
    licence: str | None = Field(default=None, validation_alias=AliasChoices("licence", "license"))


# Between several right answers in the table `subjects`.
SEVERAL = " | "

MOTIONS: tuple[Subject, ...] = tuple(
    Subject(text, source="peer-arena", licence="CC0-1.0")
    for text in (
        "This house would make public transport in cities free of charge and pay for it with a"
        " charge on driving.",
        "This house would require large research grants to set aside a fifth of their budget for"
        " replicating earlier results.",
        "This house would let citizens' assemblies, drawn by lot, put laws to a binding"
        " referendum.",
        "This house would ban advertising aimed at children under twelve in all media.",
        "This house would replace most school examinations by assessed project work.",
        "This house would give cities, rather than national governments, the power to admit workers"
        " from abroad.",
    )
)


def subject_id(subject: Subject) -> str:
    """Return the id of a subject: 20 hex digits of the sha256 of its content.

    The same words are the same subject everywhere.
    """
    content = orjson.dumps(subject.content())  # in the order of content()
    return hashlib.sha256(content).hexdigest()[:20]


def subject_row(subject: Subject) -> dict[str, object]:
    """Return a subject as the table `subjects` keeps it; several right answers stand in one text.

    Of a debate that is judged, the speeches are left out.
    """
    content = subject.content()
    content.pop("accepted", None)
    if subject.accepted and subject.gold is not None:
        content["gold"] = SEVERAL.join([subject.gold, *subject.accepted])
    return {name: value for name, value in content.items() if value not in (None, ())}


def motions(path: str | Path) -> tuple[Subject, ...]:
    """Read motions from a .jsonl, .json, .csv, .parquet or .txt file, in the file's order.

    Raises StudyError if the file is missing, empty, unreadable, or if a row has no motion; the
    message names the row.
    """
    file = Path(path)
    subjects = []
    for number, row in enumerate(read_rows(file, "motions"), 1):
        try:
            motion = MotionRow.model_validate(row)
        except ValidationError as error:
            raise StudyError(
                f"{file}, row {number}: {error.errors()[0]['msg']};"
                " a row needs a text in the field `motion`"
            ) from error
        source = motion.source or file.name
        subjects.append(Subject(motion.text, source=source, licence=motion.licence))
    return tuple(subjects)


def read_rows(file: Path, what: Literal["motions", "questions"]) -> list[object]:
    """Read the rows of a file by its ending, at least one, without a check of their fields.

    A line of plain text is a row with the field `text`.  Raises StudyError, which names `what` was
    wanted, if the file is missing, unreadable, of another format, or has no rows.
    """
    if not file.is_file():
        raise StudyError(f"there is no file of {what} at {file}")
    try:
        rows = parquet_rows(file, what) if file.suffix.lower() == ".parquet" else text_rows(file)
    except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise StudyError(f"cannot read {what} from {file}: {error}") from error
    if not rows:
        raise StudyError(
            f"{file} has no {what};"
            f" give one object with a field `{what.removesuffix('s')}` on each line"
        )
    return rows


def text_rows(file: Path) -> list[object]:
    """Read the rows of a file of JSON, JSON lines, CSV or plain text."""
    match file.suffix.lower():
        case ".json":
            rows = orjson.loads(file.read_bytes())
            return rows if isinstance(rows, list) else [rows]
        case ".jsonl" | ".ndjson":
            return [
                json_line(file, number, text)
                for number, text in enumerate(file.read_bytes().splitlines(), 1)
                if text.strip()
            ]
        case ".csv":
            # utf-8-sig: spreadsheets write a byte order mark, which would be part of a name.
            return list(csv.DictReader(file.read_text("utf-8-sig").splitlines(keepends=True)))
        case ".txt":
            lines = file.read_text("utf-8-sig").splitlines()
            return [{"text": text} for text in lines if text.strip()]
    raise StudyError(f"cannot tell the format of {file}: use .jsonl, .json, .csv, .parquet or .txt")


def json_line(file: Path, number: int, text: bytes) -> object:
    """Parse one line of JSON, or raise a StudyError that names the line."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise StudyError(
            f"cannot read line {number} of {file}: {str(error).partition(':')[0]}"
        ) from error


def parquet_rows(file: Path, what: str) -> list[object]:
    """Read the rows of a Parquet table as mappings from column to value."""
    import duckdb

    try:
        cursor = duckdb.connect(":memory:").execute("from read_parquet(?)", [str(file)])
    except duckdb.Error as error:
        raise StudyError(f"cannot read {what} from {file}: {str(error).splitlines()[0]}") from error
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
