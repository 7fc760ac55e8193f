"""Read the rows of a file of motions, questions or labels, by its ending."""

from __future__ import annotations

import csv
import io
import json
import warnings
from pathlib import Path
from typing import Literal

import orjson

from arena.errors import QuestionsWarning, StudyError

What = Literal["motions", "questions", "labels", "tasks"]
# What a line of JSON must hold.
FIELDS = {
    "motions": "a field `motion`",
    "questions": "a field `question`",
    "labels": "fields `item`, `rater` and `value`",
    "tasks": "a field `task`",
}
FORMATS = ".jsonl, .json, .csv, .tsv, .parquet or .txt"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Objects of JSON that hold the rows under one of these names.
WRAPPERS = ("data", "examples", "questions", "motions", "rows", "instances")
# MMLU's files have no header: a question, four or more options, and the letter of the right one.
FEWEST_HEADERLESS = 4
LONGEST_CELL = 10_000_000


def read_rows(file: Path, what: What) -> list[object]:
    """Read the rows of a file by its ending, at least one, without a check of their fields.

    A line of plain text is a row with the field `text`.  Raises StudyError, which names `what` was
    wanted, if the file is missing, unreadable, of another format, or has no rows.
    """
    if not file.is_file():
        raise StudyError(f"there is no file of {what} at {file}")
    try:
        parquet = file.suffix.lower() in (".parquet", ".pq")
        rows = parquet_rows(file, what) if parquet else text_rows(file)
    except (UnicodeDecodeError, orjson.JSONDecodeError, csv.Error) as error:
        raise StudyError(f"cannot read {what} from {file}: {error}") from error
    if not rows:
        is_table = file.suffix.lower() in (".csv", ".tsv")
        each = "columns, and a row for each" if is_table else "each line, as one object"
        raise StudyError(f"{file} has no {what}; give it {FIELDS[what]} in {each}")
    return rows


def text_rows(file: Path) -> list[object]:
    """Read the rows of a file of JSON, JSON lines, CSV, TSV or plain text."""
    match file.suffix.lower():
        case ".json":
            return json_rows(file)
        case ".jsonl" | ".ndjson":
            return json_lines(file, file.read_bytes().removeprefix(BYTE_ORDER_MARK))
        case ".csv":
            return table_rows(file, separator_of(file))
        case ".tsv":
            return table_rows(file, "\t")
        case ".txt":
            lines = file.read_text("utf-8-sig").splitlines()
            return [{"text": text} for text in lines if text.strip()]
    raise StudyError(f"cannot tell the format of {file}: use {FORMATS}")


def json_rows(file: Path) -> list[object]:
    """Read the rows of a file of JSON: a list, an object that holds one, or one row.

    Some files named .json are JSON lines (BoolQ, StrategyQA), and are read as such.
    """
    content = file.read_bytes().removeprefix(BYTE_ORDER_MARK)
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].strip().endswith(b"}"):
            raise
        return json_lines(file, content)
    check_names(content, str(file))
    if isinstance(rows, dict):
        for name in WRAPPERS:
            if isinstance(rows.get(name), list):
                say_other_rows(file, name, rows)
                return list(rows[name])
    return rows if isinstance(rows, list) else [rows]


def json_lines(file: Path, content: bytes) -> list[object]:
    """Parse the lines of a file of JSON lines, or raise a StudyError that names the line."""
    rows = []
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            rows.append(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise StudyError(
                f"cannot read line {number} of {file}: {str(error).partition(':')[0]}"
            ) from error
        check_names(text, f"{file}, line {number}")
    return rows


def check_names(content: bytes, place: str) -> None:
    """Raise StudyError for an object of JSON with one name twice: parsers keep only the last."""

    def check(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise StudyError(f"{place}: {twice!r} stands twice in one object; leave one of them")

    # Numbers stay text: Python reads no whole number of over 4,300 digits.
    try:
        json.loads(content, object_pairs_hook=check, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise StudyError(
            f"{place}: lists and objects in each other, too deep to be read"
        ) from error


def say_other_rows(file: Path, used: str, content: dict[str, object]) -> None:
    """Name the lists of rows in an object of JSON that are not read."""
    others = [
        name
        for name, value in content.items()
        if name != used and isinstance(value, list) and any(isinstance(row, dict) for row in value)
    ]
    if others:
        warnings.warn(
            f"{file}: the rows in {used!r} are read, and those in {', '.join(map(repr, others))}"
            " are not; put them into a file of their own if they are wanted",
            QuestionsWarning,
            stacklevel=6,
        )


def separator_of(file: Path) -> str:
    """Return what separates the cells of a CSV table: spreadsheets of many countries write ;."""
    with file.open(encoding="utf-8-sig") as lines:
        header = next((line for line in lines if line.strip()), "")
    return ";" if ";" in header and "," not in header else ","


def table_rows(file: Path, separator: str) -> list[object]:
    """Read the rows of a CSV or TSV table as mappings from column to text.

    Raises StudyError for a row with more cells than the header, and for two columns of one name.
    """
    # utf-8-sig: spreadsheets write a byte order mark, which would be part of a name.
    text = io.StringIO(file.read_text("utf-8-sig"), newline="")
    csv.field_size_limit(LONGEST_CELL)
    lines = [cells for cells in csv.reader(text, delimiter=separator) if any(cells)]
    if not lines:
        return []
    header = lines[0]
    if headerless(header):
        letters = [chr(ord("A") + place) for place in range(len(header) - 2)]
        header = ["question", *letters, "answer"]
    else:
        lines = lines[1:]
    named = [name.strip() for name in header]
    twice = {name for name in named if name and named.count(name) > 1}
    if twice:
        raise StudyError(f"{file} has the column {min(twice)!r} twice; give each a name of its own")
    rows: list[object] = []
    for number, cells in enumerate(lines, 1):
        if len(cells) > len(named):
            raise StudyError(
                f"{file}, row {number}: {len(cells)} cells where the header has {len(named)};"
                " put quotation marks around a text with a comma"
            )
        padded = [*cells, *[None] * (len(named) - len(cells))]
        rows.append({name: cell for name, cell in zip(named, padded, strict=True) if name})
    return rows


def headerless(cells: list[str]) -> bool:
    """Tell whether the first row of a table is a question with its options and a letter (MMLU)."""
    options = len(cells) - 2
    last = cells[-1].strip()
    return (
        options >= FEWEST_HEADERLESS
        and len(last) == 1
        and "A" <= last <= chr(ord("A") + options - 1)
    )


def parquet_rows(file: Path, what: What) -> list[object]:
    """Read the rows of a Parquet table as mappings from column to value."""
    import duckdb

    try:
        cursor = duckdb.connect(":memory:").execute("from read_parquet(?)", [str(file)])
    except duckdb.Error as error:
        raise StudyError(f"cannot read {what} from {file}: {str(error).splitlines()[0]}") from error
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
