"""One finding as a picture: large, with the numbers behind it, its SQL, and files to take away; and the picture itself, for every page."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.text import printable
from arena.web.site import Document, Page, Query, Site, store_fingerprint

if TYPE_CHECKING:
    from analysis.figures.registry import Figure

FILTERS = ("arm", "model", "subject", "phase", "outcome")


@dataclass(frozen=True, slots=True)
class FigureEntry:
    """A figure that studies of some kind have: its name in analysis/figures/registry.py, whether it needs a jury's verdicts, and whether its marks are
    ratings of single debaters."""

    name: str
    title: str
    kinds: tuple[str, ...]
    judged: bool = False
    single_ratings: bool = False


FIGURES = (
    FigureEntry("confidence", "Confidence by phase", ("debates",)),
    FigureEntry("both_sides", "Both sides at once", ("debates",), single_ratings=True),
    FigureEntry("rise", "Rise by model", ("debates",)),
    FigureEntry("confidence_by_model", "Confidence by model", ("debates",)),
    FigureEntry("reliability", "Confidence against the jury", ("debates",), judged=True),
    FigureEntry("leaderboard", "Who won", ("debates",), judged=True),
    FigureEntry("strength", "Strength", ("debates",), judged=True),
    FigureEntry("accuracy", "Accuracy against tokens", ("questions",)),
    FigureEntry("answer_reliability", "Confidence against accuracy", ("questions",)),
    FigureEntry("missing", "What is missing", ("debates", "questions")),
)
EMPTY_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 300" font-family="sans-serif" font-size="13" fill="#565d66">{}</svg>"""


NAMES = tuple(picture.name for picture in FIGURES)


def figures_for(kind: str, judged: bool, private: bool = True) -> list[FigureEntry]:
    """The figures of a study of this kind; those of single ratings only where what is private may be shown."""
    fitting = (
        picture for picture in FIGURES if kind in picture.kinds and (judged or not picture.judged)
    )
    return [picture for picture in fitting if private or not picture.single_ratings]


def filters(query: Query) -> dict[str, str | None]:
    """What of a study is asked for, by the names of analysis.figures.Where; None: everything."""
    return {what: query.get(what) or None for what in FILTERS}


def figure(site: Site, name: str, query: Query) -> Page:
    """The page of a figure.  Raises StudyError where the study or the figure is unknown, or the study has nothing to show in it."""
    from markupsafe import Markup

    from analysis.figures.registry import svg

    found = find_figure(site, name, query, links=True)
    # The picture is ours: drawn from numbers and names, which the renderer escapes; points link to debates by addresses that we build.
    # Hundreds of them would stand in the way of the keyboard, which has the list of debates.
    picture = Markup(svg(found.chart).replace("<a ", '<a tabindex="-1" '))
    chosen = {what: value for what, value in filters(query).items() if value}
    content = {
        "study": name,
        "figure": found,
        "picture": picture,
        "chosen": chosen,
        "left_out": found.left_out,
    }
    return Page("figure.html", found.title, content)


def picture_svg(site: Site, name: str, query: Query) -> Document:
    """The figure as SVG, or the sentence that says why there is nothing to draw."""
    from markupsafe import Markup, escape

    from analysis.figures.registry import svg

    try:
        drawing = svg(find_figure(site, name, query, links=False).chart)
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
    """The figure as PNG, at the resolution of print."""
    from analysis.figures.registry import png, svg

    found = find_figure(site, name, query, links=False)
    return Document(png(svg(found.chart)), "image/png", f"{found.name}.png")


def find_figure(site: Site, name: str, query: Query, *, links: bool) -> Figure:
    """The figure that the query asks for, of the study of that name; with `links`, its points lead to debates, where a server answers."""
    asked = tuple(
        sorted((what, value) for what, value in filters(query).items() if value is not None)
    )
    return cached_figure(
        site.db,
        store_fingerprint(site.db),
        name,
        query.get("figure", ""),
        asked,
        links and not site.static,
        site.private,
    )


@lru_cache(maxsize=4)
def cached_figure(
    db: Path,
    moment: str,
    study: str,
    name: str,
    where: tuple[tuple[str, str], ...],
    links: bool,
    singles: bool,
) -> Figure:
    """A figure for one state of the store, kept for its page, its picture and its files, which are asked for one after another."""
    from analysis.figures.registry import DebateFilter, figure

    return figure(
        db, study, name, where=DebateFilter(**dict(where)), links=links, single_ratings=singles
    )
