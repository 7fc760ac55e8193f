"""The formats of `arena export`, each a module that writes them: one seam for all.

A format is a query over the views, or over the transcripts that are made of them, with a writer
behind it: a function `write_export(path, folder, options)` that returns the lines to print.  All
but the tables leave private contents out, unless these are asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import StoreError, StudyError
from arena.text import printable

if TYPE_CHECKING:
    from analysis.read.selection import Selection


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what it is in words, its module, and the options that are for it."""

    help: str
    module: str
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export was asked for; `watch` is told how many of how many parts are written."""

    format: str
    selection: Selection
    studies: Sequence[str] = ()
    private: bool = False
    spreadsheet: bool = False
    exclude_related: bool = False
    items: int | None = None
    question: str = ""
    seed: int | None = None
    watch: Callable[[int, int], None] | None = None


TABLES = "arena.exports.tables"
TRANSCRIPTS = frozenset({"study", "private"})
FORMATS: dict[str, Format] = {
    "parquet": Format("all tables whole, in files by study, for DuckDB and arena sql", TABLES),
    "jsonl": Format("every table and view as JSON lines", TABLES),
    "csv": Format("every table and view as CSV", TABLES, frozenset({"spreadsheet"})),
    "pairwise": Format(
        "only the verdicts, as a CSV of comparisons",
        "arena.exports.pairwise",
        frozenset({"exclude_related", "spreadsheet", "by"}),
    ),
    "label-sheet": Format(
        "debates or answers drawn at random, as a CSV for people to label",
        "arena.exports.label_sheet",
        frozenset({"study", "items", "question", "seed"}),
    ),
    "scout": Format("transcripts for Inspect Scout", "arena.exports.scout", TRANSCRIPTS),
    "inspect": Format(
        "a log of Inspect AI for each study", "arena.exports.inspect_logs", TRANSCRIPTS
    ),
    "hub": Format(
        "a dataset folder for the Hugging Face hub, with a card", "arena.exports.hub", TRANSCRIPTS
    ),
    "json": Format("a JSON file for each play", "arena.exports.json_files", TRANSCRIPTS),
}


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write an export of a store into a folder, and return lines that say what was written.

    Raises StudyError or StoreError in a sentence, as the format's module says.
    """
    write = importlib.import_module(FORMATS[options.format].module).write_export
    lines: list[str] = write(path, folder, options)
    return [printable(line) for line in lines]


def refuse_foreign(format: str, given: Sequence[str]) -> None:
    """Raise StudyError for an option, by name, that is for other formats than this one."""
    for name in given:
        if name not in FORMATS[format].options:
            names = [other for other, form in FORMATS.items() if name in form.options]
            option = "--" + name.replace("_", "-")
            raise StudyError(f"{option} is for --format {', '.join(names)}, not for {format}")


def check_new_folder(folder: Path) -> None:
    """Raise StoreError unless a folder is new or empty."""
    if folder.is_file():
        raise StoreError(f"{folder} is a file; name a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(
            f"{folder} exists and is not empty, perhaps of an export that was stopped; name a new"
            " folder, or remove it"
        )
