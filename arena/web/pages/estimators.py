"""The estimators of confidence that were scored on a study, side by side: quality and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.web.site import Page, PageContent, Query, Site, origin_of

if TYPE_CHECKING:
    from analysis.reports.blocks import Document


@dataclass(frozen=True, slots=True)
class EstimatorsContent(PageContent):
    """The contents of the page: the study's name, a document a table, and what is withheld."""

    study: str
    origin: str | None
    documents: Sequence[Document]
    left_out: int
    min_group_size: int


def estimators(site: Site, name: str, query: Query) -> Page:
    """Return the page.

    Without private ratings, tables of few questions are left out: they could reveal single ones.
    Raises StudyError for an unknown study, and for one without scores that may be shown.
    """
    from analysis.figures.figure import MIN_GROUP_SIZE

    every = cached_documents(site.db, site.fingerprint(), name)
    shown = [document for document, size in every if site.private or size >= MIN_GROUP_SIZE]
    if not shown:
        raise StudyError(f"there are no scores of replies of the study {name!r} to show")
    left = len(every) - len(shown)
    content = EstimatorsContent(name, origin_of(site, name), shown, left, MIN_GROUP_SIZE)
    return Page("estimators.html", f"Estimators on {name}", content, left_out=left)


@lru_cache(maxsize=4)
def cached_documents(db: Path, fingerprint: str, study: str) -> Sequence[tuple[Document, int]]:
    """Return each table of a study with its number of questions, while the store is the same."""
    from analysis.reports.estimators import estimator_tables
    from analysis.reports.tables.estimators import estimators_document

    return [(estimators_document(each), each.questions) for each in estimator_tables(db, study)]
