"""A report as Python users hold it: its numbers, and the documents that show them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from analysis.read.efforts import read_efforts
from analysis.read.labels import read_labels
from analysis.read.prompt_caches import read_prompt_caches
from analysis.read.reply_forms import InTags, read_in_tags
from analysis.read.selection import ALL, Selection
from analysis.read.verdicts import judged_studies
from analysis.reports.asides import aside_differences
from analysis.reports.assessments import read_assessments
from analysis.reports.ballots import VoteStandings, vote_standings
from analysis.reports.blocks import Block, Document
from analysis.reports.debates import StudyReport, study_reports
from analysis.reports.estimators import EstimatorTable, estimator_tables
from analysis.reports.labels import label_findings
from analysis.reports.plain_json import JsonObject, json_object
from analysis.reports.publication import (
    PublicationTable,
    publication_document,
    publication_tables,
)
from analysis.reports.rechecks import describe_finding, recheck_findings
from analysis.reports.registered_claims import with_registrations
from analysis.reports.robustness import Checks
from analysis.reports.rules import rules
from analysis.reports.standings import Standings, study_standings
from analysis.reports.tables.asides import aside_blocks
from analysis.reports.tables.ballots import vote_standings_document
from analysis.reports.tables.debates import report_document
from analysis.reports.tables.estimators import estimators_document
from analysis.reports.tables.standings import standings_document
from analysis.reports.terminal import print_documents
from arena.errors import StudyError
from arena.store.database import select_rows
from arena.text import html_notes, pluralize

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Report(Generic[T]):
    """What a command reports, of one or more studies.

    `results` are the numbers, a frozen dataclass a study (StudyReport, Standings); `documents` show
    them in the same order, as blocks of titles, headings, rows and notes.  Iteration gives the
    results.  `str()` is what the `command` prints, `json()` the same as its --json.
    """

    results: tuple[T, ...]
    documents: tuple[Document, ...]
    if_empty: str
    command: str

    def json(self) -> list[JsonObject]:
        """Return the numbers as JSON has them, an object a study."""
        return [json_object(result) for result in self.results]

    def __iter__(self) -> Iterator[T]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __repr__(self) -> str:
        if not self.documents:
            return self.if_empty
        text = io.StringIO()
        print_documents(self.documents, text, command=self.command)
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """Return the documents as HTML, all text escaped."""
        if not self.documents:
            return html_notes([self.if_empty])
        return "".join(document._repr_html_() for document in self.documents)


def debate_report(
    path: Path,
    study: str | None = None,
    *,
    margin: float = 0.05,
    mixed: bool = False,
    sample: int | None = None,
    details: bool = False,
    selection: Selection = ALL,
) -> Report[StudyReport]:
    """Return what `arena report` prints of the chosen episodes of one study, or of all.

    With `details`, each contestant's tests and steps too.
    Raises StudyError for an unknown study, and a margin or sample that is out of range.
    """
    if not 0 < margin < 0.5:
        raise StudyError(
            f"a margin must be above 0 and below 0.5 (5 points: 0.05), found {margin:g}"
        )
    if sample is not None and not mixed:
        raise StudyError("a sample is one of the mixed model, and needs mixed=True")
    if sample is not None and sample < 3:
        raise StudyError(f"the mixed model (--mixed) needs at least 3 debates, found {sample}")
    checks = Checks(margin, mixed, sample, details)
    found = study_reports(path, study, checks, selection)
    labelled = with_labels(path, with_spending(path, found, study, selection), study, selection)
    assessed = with_assessments(path, labelled, study, selection)
    reports = tuple(with_registrations(path, assessed, checks, selection))
    empty = "There are no debates in this store yet."
    forms = read_in_tags(path, study, selection)
    reports = tuple(replace(each, in_tags=forms.get(each.study)) for each in reports)
    documents = [with_forms(each.in_tags or (), report_document(each)) for each in reports]
    # A filter would choose among debates, and leave out the plays of the questions.
    if not selection.filters:
        documents = [with_asides(path, *pair) for pair in with_studies(reports, documents)]
    documents = [with_rechecks(path, *pair) for pair in with_studies(reports, documents)]
    return Report(reports, tuple(documents), empty, "arena report")


def with_studies(
    reports: Sequence[StudyReport], documents: Sequence[Document]
) -> Iterator[tuple[str, Document]]:
    """Yield the documents with the names of their studies."""
    names = (report.study for report in reports)
    return zip(names, documents, strict=True)


def with_asides(path: Path, study: str, document: Document) -> Document:
    """Return the document of a study with what its seats said when they were asked aside."""
    blocks = tuple(aside_blocks(aside_differences(path, study)))
    return replace(document, blocks=(*document.blocks, *blocks)) if blocks else document


def with_forms(rows: Sequence[InTags], document: Document) -> Document:
    """Return the document of a study with who was asked in tags instead of by its schema."""
    said = tuple(
        f"{row.model} was asked in tags in {row.in_tags:,} of {pluralize(row.turns, 'turn')},"
        " since it served no schema: another condition than by a schema."
        for row in rows
    )
    if not said:
        return document
    return replace(document, blocks=(*document.blocks, Block("Replies by a schema", notes=said)))


def with_rechecks(path: Path, study: str, document: Document) -> Document:
    """Return the document of a study with what the last recheck of each model has found."""
    latest = {(each.model, each.asked_model): each for each in recheck_findings(path, study)}
    said = tuple(f"{describe_finding(finding)}." for finding in latest.values())
    if not said:
        return document
    return replace(document, blocks=(*document.blocks, Block("Rechecks of models", notes=said)))


def with_labels(
    path: Path, reports: Iterable[StudyReport], study: str | None, selection: Selection
) -> list[StudyReport]:
    """Return reports with what people's labels say, where there are some."""
    found = read_labels(path, study, selection)
    return [
        replace(
            report,
            labels=label_findings(path, found[report.study], selection),
            rules={**report.rules, **rules("labels")},
        )
        if report.study in found
        else report
        for report in reports
    ]


def with_spending(
    path: Path, reports: Iterable[StudyReport], study: str | None, selection: Selection
) -> list[StudyReport]:
    """Return reports with how much was reasoned, and what providers' caches served, if any."""
    found = read_efforts(path, study, selection)
    caches = read_prompt_caches(path, study, selection)
    return [
        replace(report, efforts=found.get(report.study), caches=caches.get(report.study))
        for report in reports
    ]


def with_assessments(
    path: Path, reports: Iterable[StudyReport], study: str | None, selection: Selection
) -> list[StudyReport]:
    """Return reports with what models make of answers, where a study asks for it."""
    found = read_assessments(path, study, selection)
    return [
        replace(
            report,
            assessments=found[report.study],
            rules={**report.rules, **rules("assessments")},
        )
        if report.study in found
        else report
        for report in reports
    ]


def estimator_report(
    path: Path, study: str | None = None, *, selection: Selection = ALL
) -> Report[EstimatorTable]:
    """Return what `arena report --estimators` prints of one study, or of all.

    A study has a table for each group of scored replies.  Raises StudyError for an unknown study,
    and for a filter of episodes: it would leave out the scorings.
    """
    if selection.filters:
        raise StudyError(
            f"estimators are compared over whole studies, found {selection.filters}; a study has a"
            " table for each arm and contestant"
        )
    found = tuple(estimator_tables(path, study, selection))
    empty = (
        "There are no scores of stored replies in this store yet; make some with a study file that"
        " has protocols.scoring.score (docs/scoring.md)."
    )
    documents = tuple(map(estimators_document, found))
    return Report(found, documents, empty, "arena report --estimators")


def publication_report(
    path: Path, released: Mapping[str, str], study: str | None = None, *, selection: Selection = ALL
) -> Report[PublicationTable]:
    """Return what `arena report --released` prints: answers before and after models came out.

    `released` has the day by model, such as "2025-08-07".  Raises StudyError for an unknown model
    and for a day that is none.
    """
    found = tuple(publication_tables(path, released, study, selection))
    documents = tuple(map(publication_document, found))
    empty = "These models have answered no questions in this study."
    return Report(found, documents, empty, "arena report --released")


def rank_report(
    path: Path,
    study: str | None = None,
    *,
    jury: str | None = None,
    exclude_related: bool = False,
    selection: Selection = ALL,
) -> Report[Standings | VoteStandings]:
    """Return what `arena rank` prints of the chosen episodes of one judged study, or of all.

    Standings by verdicts come first, then those by votes inside plays, where these name seats.
    With `exclude_related` judges do not decide debates of their own, or of their family.

    Raises StudyError for a study without verdicts and such votes.
    """
    # A jury is asked for by its verdicts: votes inside plays have none.
    by_votes = vote_standings(path, study, selection) if jury is None else []
    names = list(judged_studies(path, selection)) if study is None or by_votes else [study]
    standings = tuple(
        study_standings(path, name, jury=jury, exclude_related=exclude_related, selection=selection)
        for name in names
        if study in (None, name)
    )
    empty = (
        "There are no verdicts in this store yet, and no votes inside its plays that name seats:"
        " judge its debates with `arena run tournament -o judged=STUDY`; other votes inside plays"
        " are in `arena sql 'from ballots'`."
    )
    imported = select_rows(path, "select study, origin from studies where origin <> 'played'")
    origins: dict[str, str] = dict(imported.rows)
    documents = (
        *(standings_document(each, origins.get(each.study)) for each in standings),
        *(vote_standings_document(each, origins.get(each.study)) for each in by_votes),
    )
    return Report((*standings, *by_votes), documents, empty, "arena rank")
