"""Write a report as one HTML page that needs nothing else, and its figures as files.

`arena report --html` and `--figures`.  The page holds the blocks that the terminal prints; before
them stand the findings in sentences and the figures with their numbers and queries.  No script, no
outside resource, no link that leaves the page; jinja2 escapes the text of models and users.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from analysis.figures.registry import Figure, figure, figures, pdf, png, svg
from analysis.read.verdicts import judged_studies
from analysis.reports.blocks import Block, table
from analysis.reports.debates import StudyReport
from analysis.reports.estimators import EstimatorTable
from analysis.reports.sentences import sentences
from analysis.reports.standings import study_standings
from analysis.reports.tables.debates import report_document
from analysis.reports.tables.estimators import estimators_document
from analysis.reports.tables.formatting import clean
from analysis.reports.tables.standings import standings_document
from arena.errors import StudyError
from arena.store.database import select_rows

FOLDER = Path(__file__).parent / "templates"
STUDY = "select created_at, git_commit, versions from studies where study = ?"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure as the page holds it: its picture as SVG, and its numbers as a table."""

    figure: Figure
    picture: str
    numbers: Block


@dataclass(frozen=True, slots=True)
class Section:
    """Everything that the page says of one study."""

    name: str
    simulated: bool
    about: tuple[str, ...]
    findings: tuple[str, ...]
    figures: tuple[PageFigure, ...]
    blocks: tuple[Block, ...]
    rules: tuple[tuple[str, str], ...]


def page(path: Path, reports: Sequence[StudyReport], *, command: str, made: datetime) -> str:
    """Return the HTML page of some reports, with figures read from the store.

    `command` and `made` say how and when the page was made.
    """
    judged = judged_studies(path)
    sections = [study_section(path, report, report.study in judged) for report in reports]
    return render(sections, command, made)


def estimators_page(
    path: Path, tables: Sequence[EstimatorTable], *, command: str, made: datetime
) -> str:
    """Return the HTML page of tables of estimators, a section each, with the figure of each study.

    `command` and `made` say how and when the page was made.
    """
    drawn: set[str] = set()
    sections = []
    for found in tables:
        document = estimators_document(found)
        pictures = () if found.study in drawn else tuple(cost_figures(path, found.study))
        drawn.add(found.study)
        sections.append(
            Section(
                document.heading,
                found.simulated,
                tuple(origin_lines(path, found.study)),
                (),
                pictures,
                document.blocks,
                tuple(document.rules.items()),
            )
        )
    return render(sections, command, made)


def cost_figures(path: Path, study: str) -> Iterator[PageFigure]:
    """Yield the figure of estimators by quality and cost, unless there is nothing to draw."""
    with suppress(StudyError):
        yield draw_figure(figure(path, study, "estimators"))


def render(sections: Sequence[Section], command: str, made: datetime) -> str:
    """Return the page of some sections."""
    from jinja2 import Environment, FileSystemLoader

    # Autoescape: text of models and users may hold markup.
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        sections=sections,
        command=clean(command),
        made=f"{made:%Y-%m-%d %H:%M} UTC",
        version=version("peer-arena"),
    )


def study_section(path: Path, report: StudyReport, judged: bool) -> Section:
    """Return one study, with its standings if its debates were judged."""
    study = report.study
    document = report_document(report)
    blocks = list(document.blocks)
    rules = dict(document.rules)
    simulated = report.simulated
    if judged:
        standings = standings_document(study_standings(path, study))
        blocks += standings.blocks
        # Simulated judges make the standings fiction, even of real debates.
        simulated = simulated or bool(standings.warnings)
        for name, words in standings.rules.items():
            # Both reports have a rule called interval, and mean different ones.
            rules[f"{name} (judges)" if name in document.rules else name] = words
    return Section(
        clean(study),
        simulated,
        (document.heading, *registered_lines(report), *origin_lines(path, study)),
        tuple(clean(sentence) for sentence in sentences(report)),
        tuple(map(draw_figure, figures(path, study))),
        tuple(blocks),
        tuple(rules.items()),
    )


def registered_lines(report: StudyReport) -> list[str]:
    """Say what of a registered study's page was not registered."""
    if report.registration is None:
        return []
    return [
        "What was registered stands in the table called REGISTERED, with all deviations below it."
        "  Findings, figures and all other tables are exploratory."
    ]


def origin_lines(path: Path, study: str) -> list[str]:
    """Say when the study began, and with which versions it was played, as far as that is known."""
    lines = []
    for row in select_rows(path, STUDY, [study]).dicts():
        lines.append(f"First run, or import: {row['created_at']:%Y-%m-%d %H:%M} UTC")
        if row["git_commit"]:
            lines.append(f"Git commit: {clean(str(row['git_commit']))}")
        versions = json.loads(row["versions"] or "{}")
        if versions:
            names = ", ".join(f"{name} {number}" for name, number in versions.items())
            lines.append(f"Played with {clean(names)}")
    return lines


def draw_figure(drawn: Figure) -> PageFigure:
    """Return a figure with its picture and its numbers."""
    columns = list(dict.fromkeys(name for row in drawn.rows for name in row))
    # Columns of words first, as blocks have them; within both, the order of the figure's rows.
    is_text = {name: any(isinstance(row.get(name), str) for row in drawn.rows) for name in columns}
    # Blocks have columns of words first; sorting is stable, so that all else keeps its order.
    columns.sort(key=lambda name: not is_text[name])
    rows = [[format_number(row.get(name)) for name in columns] for row in drawn.rows]
    numbers = table("", columns, rows, text_columns=sum(is_text.values()))
    return PageFigure(drawn, svg(drawn.chart), numbers)


def format_number(value: object) -> str:
    """Return a value of a figure's rows: four digits of a share, "-" for None."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_target(target: Path) -> None:
    """Raise StudyError if no file can be there: it is a folder, or its folder does not exist."""
    if target.is_dir():
        raise StudyError(f"{target} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise StudyError(f"there is no folder {target.parent} for {target.name}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise StudyError(f"the folder {target.parent} cannot be written to; name another place")


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; raise StudyError as `check_target` does."""
    check_target(target)
    # A reader of the old page never sees half of the new one: replacing a file is atomic.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_figures(folder: Path, path: Path, studies: Sequence[str]) -> Iterator[Path]:
    """Write every figure of the studies as PNG, SVG and PDF; yield each file once it is written.

    PNGs have 300 dots an inch at 8.5 cm, the width of a paper's column.  Files are called
    <study>-<figure>.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(
            f"cannot make the folder {folder}: {error.strerror}; name another place"
        ) from error
    for study, stem in zip(studies, file_stems(studies), strict=True):
        for each in figures(path, study):
            drawing = svg(each.chart)
            files = {"png": png(drawing), "svg": drawing.encode(), "pdf": pdf(drawing)}
            for ending, content in files.items():
                file = folder / f"{stem}-{each.name}.{ending}"
                write_atomically(file, content)
                yield file


def file_stems(studies: Sequence[str]) -> list[str]:
    """Return the beginning of the names of each study's files, safe on every system.

    Characters that some file systems forbid become "_"; studies whose names would then differ at
    most in capitals get numbers.
    """
    # Keys in lower case: some file systems take "Cup" and "cup" for one file.
    stems: dict[str, str] = {}
    for study in studies:
        base = UNSAFE.sub("_", study)[:80].lstrip(".-") or "study"
        stem, count = base, 2
        while stem.lower() in stems:
            stem, count = f"{base}_{count}", count + 1
        stems[stem.lower()] = stem
    return list(stems.values())
