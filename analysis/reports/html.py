"""`arena report --html` and `--figures`: the report as one page that needs nothing else, and its figures as files.

The page holds what the terminal shows, from the same functions: they print into a Sheet, which keeps sentences and tables instead of drawing
them.  Before these stand the findings in sentences and the figures with their numbers and queries.  No script, no outside resource, no
link that leaves the page; text of models and users is escaped by jinja2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.figures.registry import Figure, figures, png, svg
from analysis.read.verdicts import judged_studies
from analysis.reports.sentences import sentences
from analysis.reports.standings import standings
from analysis.reports.tables.debates import JURY_RULES, print_study
from analysis.reports.tables.formatting import clean
from analysis.reports.tables.standings import (
    print_agreement,
    print_contestants,
    print_effects,
    print_judges,
)
from arena.errors import StudyError
from arena.store.database import query

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "templates"
STUDY = "select created_at, git_commit, versions from studies where study = ?"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A table that a report printed: `left` says which columns hold words."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[bool, ...]


@dataclass(slots=True)
class RecordingConsole:
    """Takes the place of a terminal: keeps what is printed to it, a line as text and a table as Printed."""

    width: int = 1_000_000
    printed: list[str | PrintedTable] = field(default_factory=list)

    def print(self, thing: object = None) -> None:
        """Keep a line or a table; the line before a table is its title."""
        if isinstance(thing, Table):
            title = self.printed.pop() if self.printed else ""
            columns = [[str(column.header), *map(str, column.cells)] for column in thing.columns]
            headings, *rows = zip(*columns, strict=True)
            left = tuple(column.justify == "left" for column in thing.columns)
            self.printed.append(PrintedTable(str(title), headings, tuple(rows), left))
        elif isinstance(thing, Text | str):
            self.printed.append(str(thing))


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure as the page holds it: its picture as SVG, and its numbers as a table."""

    figure: Figure
    picture: str
    numbers: PrintedTable


@dataclass(frozen=True, slots=True)
class Section:
    """All that the page says of one study."""

    name: str
    simulated: bool
    about: tuple[str, ...]
    findings: tuple[str, ...]
    figures: tuple[PageFigure, ...]
    tables: tuple[str | PrintedTable, ...]
    rules: tuple[tuple[str, str], ...]


def page(path: Path, reports: Sequence[Json], *, command: str, made: datetime) -> str:
    """The HTML page of the objects of `analysis.report.report`, with figures read from the store; `command` is what made it."""
    from jinja2 import Environment, FileSystemLoader

    judged = judged_studies(path)
    sections = [section(path, report, report["study"] in judged) for report in reports]
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        sections=sections,
        command=clean(command),
        made=f"{made:%Y-%m-%d %H:%M} UTC",
        version=version("peer-arena"),
    )


def section(path: Path, report: Json, judged: bool) -> Section:
    """One study, with its standings where its debates were judged."""
    study, sheet = report["study"], RecordingConsole()
    terminal = cast(Console, sheet)
    print_study(terminal, report)
    begin = next(
        (
            number
            for number, kept in enumerate(sheet.printed)
            if isinstance(kept, str) and set(kept) == {"="}
        ),
        -1,
    )
    heading = [str(kept) for kept in sheet.printed[: begin + 1]][:1]
    sheet.printed = sheet.printed[begin + 1 :]
    rules = {
        name: words
        for name, words in report["rules"].items()
        if report.get("calibration") or name not in JURY_RULES
    }
    simulated = bool(report["simulated"])
    if judged:
        found = standings(path, study)
        for part in (print_contestants, print_agreement):
            part(terminal, found)
        for part in (print_judges, print_effects):
            part(terminal, found["judges"])
        rules |= {
            f"{name} (judges)" if name in rules else name: words
            for name, words in found["rules"].items()
        }
        simulated = simulated or found["simulated"]
    return Section(
        clean(study),
        simulated,
        (*heading, *origin_lines(path, study)),
        tuple(clean(sentence) for sentence in sentences(report)),
        tuple(draw_figure(figure) for figure in figures(path, study)),
        tuple(kept for kept in sheet.printed if kept),
        tuple(rules.items()),
    )


def origin_lines(path: Path, study: str) -> list[str]:
    """When the study began, and with which versions of what it was played, as far as that is known."""
    found = query(path, STUDY, [study]).dicts()
    lines = []
    for row in found:
        lines.append(f"First run, or import: {row['created_at']:%Y-%m-%d %H:%M} UTC")
        lines += [f"Git commit: {clean(str(row['git_commit']))}"] if row["git_commit"] else []
        versions = json.loads(row["versions"] or "{}")
        lines += (
            [
                f"Played with {clean(', '.join(f'{name} {number}' for name, number in versions.items()))}"
            ]
            if versions
            else []
        )
    return lines


def draw_figure(figure: Figure) -> PageFigure:
    """A figure with its picture and its numbers."""
    columns = tuple(dict.fromkeys(name for row in figure.rows for name in row))
    rows = tuple(tuple(format_number(row.get(name)) for name in columns) for row in figure.rows)
    left = tuple(any(isinstance(row.get(name), str) for row in figure.rows) for name in columns)
    return PageFigure(figure, svg(figure.chart), PrintedTable("", columns, rows, left))


def format_number(value: object) -> str:
    """A value of a figure's rows: four digits of a share, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))


def check_target(target: Path) -> None:
    """Raise StudyError where a file cannot be: its place is a folder, or in none."""
    if target.is_dir():
        raise StudyError(f"{target} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise StudyError(f"there is no folder {target.parent} for {target.name}; make it first")


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all; raises StudyError as `check_place`."""
    check_target(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_figures(folder: Path, path: Path, studies: Sequence[str]) -> Iterator[Path]:
    """Write every figure of the studies as PNG, 300 dots an inch at 8.5 cm, and as SVG; gives each file, <study>-<figure>, once written."""
    folder.mkdir(parents=True, exist_ok=True)
    for study, stem in zip(studies, file_stems(studies), strict=True):
        for figure in figures(path, study):
            drawing = svg(figure.chart)
            for ending, content in (("png", png(drawing)), ("svg", drawing.encode())):
                file = folder / f"{stem}-{figure.name}.{ending}"
                write_atomically(file, content)
                yield file


def file_stems(studies: Sequence[str]) -> list[str]:
    """What the names of each study's files begin with.

    What a file name cannot hold everywhere becomes "_", and studies that would share a name, were it but for capitals, get numbers.
    """
    stems: dict[str, str] = {}  # by how they look to a system that does not tell capitals
    for study in studies:
        base, count = UNSAFE.sub("_", study)[:80].lstrip(".-") or "study", 2
        stem = base
        while stem.lower() in stems:
            stem, count = f"{base}_{count}", count + 1
        stems[stem.lower()] = stem
    return list(stems.values())
