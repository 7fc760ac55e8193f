"""The report on one study: the blocks of tables and notes that `arena report` prints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.web.site import Page, PageContent, Query, Site

if TYPE_CHECKING:
    from analysis.reports.blocks import Document


@dataclass(frozen=True, slots=True)
class ReportContent(PageContent):
    """The contents of the page: the study's name, and its report as blocks."""

    study: str
    document: Document


def report(site: Site, name: str, query: Query) -> Page:
    """Return the page.

    Raises StudyError for an unknown study, or one that has neither debates nor answers.
    """
    # Means of few debates stand in it, which could reveal a private rating.
    if not site.private:
        raise StudyError("reports are not shown without private ratings; see the figures")
    document = cached_document(site.db, site.fingerprint(), name)
    return Page("study_report.html", f"Report on {name}", ReportContent(name, document))


@lru_cache(maxsize=8)
def cached_document(db: Path, fingerprint: str, study: str) -> Document:
    """Return the report, cached while the store is the same: a large one takes seconds."""
    from analysis.reports.debates import study_reports
    from analysis.reports.tables.debates import report_document

    return report_document(study_reports(db, study)[0])
