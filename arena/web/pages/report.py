"""The report on one study: the blocks of tables and notes that `arena report` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from arena.errors import StudyError
from arena.web.site import Page, PageContent, Query, Site

if TYPE_CHECKING:
    from analysis.read.selection import By
    from analysis.reports.blocks import Document

CHOICES = ("by", "models", "arms", "leftovers")
GROUPINGS = ("agent", "model", "setting")


@dataclass(frozen=True, slots=True)
class ReportContent(PageContent):
    """The contents of the page: the study's name, its report as blocks, and what was chosen."""

    study: str
    document: Document
    chosen: Mapping[str, str]
    groupings: Sequence[str] = GROUPINGS


def report(site: Site, name: str, query: Query) -> Page:
    """Return the page.

    Its query chooses episodes as the options of `arena report` do: by, models, arms, leftovers.
    Conditions in SQL are left out: the page of queries has them, with its limits.

    Raises StudyError for an unknown study, or one without such plays.
    """
    # Means of few debates stand in it, which could reveal a private rating.
    if not site.private:
        raise StudyError("reports are not shown without private ratings; see the figures")
    chosen = {key: query[key] for key in CHOICES if query.get(key)}
    document = cached_document(site.db, site.fingerprint(), name, tuple(sorted(chosen.items())))
    content = ReportContent(name, document, chosen)
    return Page("study_report.html", f"Report on {name}", content)


@lru_cache(maxsize=8)
def cached_document(
    db: Path, fingerprint: str, study: str, chosen: tuple[tuple[str, str], ...]
) -> Document:
    """Return the report, cached while the store is the same: a large one takes seconds."""
    from analysis.read.selection import Selection
    from analysis.reports.debates import study_reports
    from analysis.reports.tables.debates import report_document

    given = dict(chosen)
    selection = Selection(
        by=cast("By", given.get("by", "agent")),
        models=(given["models"],) if "models" in given else (),
        arms=(given["arms"],) if "arms" in given else (),
        leftovers="leftovers" in given,
    )
    return report_document(study_reports(db, study, selection=selection)[0])
