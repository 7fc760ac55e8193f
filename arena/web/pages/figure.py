"""One finding as a large chart with its numbers, SQL and files; and the chart alone, as a file."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from arena.errors import StudyError
from arena.text import printable
from arena.web.site import Document, Page, PageContent, Query, Site, origin_of

if TYPE_CHECKING:
    from analysis.figures.figure import Figure
    from analysis.read.debates import DebateRecord

FILTERS = ("arm", "model", "subject", "phase", "outcome")


EMPTY_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 300" font-family="sans-serif"'
    ' font-size="13" fill="#565d66">{}</svg>'
)


@dataclass(frozen=True, slots=True)
class FigureContent(PageContent):
    """The contents of a figure's page; `chosen` are the filters that are set."""

    study: str
    origin: str | None
    figure: Figure
    drawing: Markup
    chosen: Mapping[str, str]


def filters(query: Query) -> dict[str, str | None]:
    """Return the filters of a query, by the fields of DebateFilter; None is no filter."""
    return {name: query.get(name) or None for name in FILTERS}


def figure(site: Site, name: str, query: Query) -> Page:
    """Return the page of a figure.

    Raises StudyError if the study or the figure is unknown, or there is nothing to draw.
    """
    key = figure_key(site, name, query, links=True)
    drawn = cached_figure(*key)
    # Safe as HTML: the renderer escapes names, and links of points are addresses that we build.
    # Hundreds of links would block the keyboard, which can use the list of debates instead.
    drawing = Markup(cached_svg(*key).replace("<a ", '<a tabindex="-1" '))
    chosen = {key: value for key, value in filters(query).items() if value}
    content = FigureContent(name, origin_of(site, name), drawn, drawing, chosen)
    return Page("figure.html", drawn.title, content, left_out=drawn.left_out)


def picture_svg(site: Site, name: str, query: Query) -> Document:
    """Return the figure as SVG; if there is nothing to draw, an SVG that says why."""
    from analysis.figures.registry import NAMES

    try:
        drawing = cached_svg(*figure_key(site, name, query, links=False))
    except StudyError as error:
        if query.get("figure") not in NAMES:
            raise
        lines = textwrap.wrap(printable(str(error)), 52)[:8]
        texts = [
            Markup('<text x="12" y="{}">{}</text>').format(24 + 19 * k, escape(line))
            for k, line in enumerate(lines)
        ]
        drawing = EMPTY_SVG.format(Markup("").join(texts))
    return Document(drawing.encode(), "image/svg+xml")


def picture_png(site: Site, name: str, query: Query) -> Document:
    """Return the figure as PNG, in a resolution for print."""
    drawn = cached_figure(*figure_key(site, name, query, links=False))
    return Document(drawn.png(), "image/png", f"{drawn.name}.png")


def picture_pdf(site: Site, name: str, query: Query) -> Document:
    """Return the figure as PDF, as wide as a column of a paper."""
    drawn = cached_figure(*figure_key(site, name, query, links=False))
    return Document(drawn.pdf(), "application/pdf", f"{drawn.name}.pdf")


# The arguments of `cached_figure`.
FigureKey = tuple[Path, str, str, str, tuple[tuple[str, str], ...], bool, bool]


def figure_key(site: Site, name: str, query: Query, *, links: bool) -> FigureKey:
    """Return all that the figure of a query depends on; with `links`, points lead to its pages."""
    where = tuple(sorted((key, value) for key, value in filters(query).items() if value))
    links = links and not site.static
    drawn = query.get("figure", "")
    return site.db, site.fingerprint(), name, drawn, where, links, site.private


@lru_cache(maxsize=4)
def cached_figure(
    db: Path,
    fingerprint: str,
    study: str,
    name: str,
    where: tuple[tuple[str, str], ...],
    links: bool,
    singles: bool,
) -> Figure:
    """Return a figure for one state of the store.

    It is cached, since its page, its chart and its files are requested one after another.
    """
    from analysis.figures.registry import DebateFilter, figure

    def read(path: Path, name: str) -> DebateRecord:
        return cached_ratings(path, fingerprint, name)

    return figure(
        db,
        study,
        name,
        where=DebateFilter(**dict(where)),
        links=links,
        single_ratings=singles,
        read=read,
    )


@lru_cache(maxsize=4)
def cached_svg(*key: *FigureKey) -> str:
    """Return the picture of a figure, which its page and its file show."""
    return cached_figure(*key).svg()


@lru_cache(maxsize=1)
def cached_ratings(db: Path, fingerprint: str, study: str) -> DebateRecord:
    """Return the ratings of a study for one state of the store: its figures all need them."""
    from analysis.figures.registry import read_study

    return read_study(db, study)
