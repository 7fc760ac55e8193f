"""A figure, its source, and the filter that chooses debates of a study.

A filter is applied to arrays here and written into SQL in queries.py. Filters that are expressions
are left out: SQL has them.
"""

from __future__ import annotations

import base64
import html
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from analysis.figures.charts.style import (
    DPI,
    NAME_LETTERS,
    Chart,
    ChartTitle,
    Row,
    cut,
    pdf,
    png,
    svg,
)
from analysis.read.debates import SIDES, Debates
from analysis.reports.tables.formatting import clean
from arena.errors import StudyError
from arena.text import html_notes

OUTCOMES = (*SIDES, "tie", "not judged")
ANSWER_OUTCOMES = ("right", "wrong", "cannot be told")
SIMULATED_NOTICE = "SIMULATED: no finding about language models"
SIMULATED_SENTENCE = (
    "SIMULATED models spoke in this study: its numbers are no findings about language models."
)
# A mean of fewer debates or questions than this tells much of each private rating in it.
MIN_GROUP_SIZE = 5
# Pixels of a picture on a screen for each of the browser: sharp also on fine screens.
SCREEN_SCALE = 2.0


class TooFewError(StudyError):
    """Every number of a figure would be made of private ratings of too few debates or questions.

    Too few are fewer than MIN_GROUP_SIZE.
    """


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its caption, its numbers and its query; notebooks show its picture.

    `name` is that of its file and address. `caption` names the measure, its units, its counts, its
    interval and the missing values, and says SIMULATED if models were. `rows` are the numbers
    behind it, JSON-ready, shares in [0, 1]; `sql` is a query over the views of the store that gives
    the counts and means among them, under the same names. `left_out` counts the rows that are
    withheld (see `Source.publishable_rows`).
    """

    name: str
    title: str
    caption: str
    rows: tuple[Row, ...]
    sql: str
    chart: Chart
    left_out: int = 0

    def svg(self) -> str:
        """Return the picture as SVG.  Raises StudyError if the converter is not installed."""
        require_converter()
        return svg(self.chart)

    def png(self, scale: float = DPI / 96) -> bytes:
        """Return the picture as PNG, `scale` pixels for each of a browser: by default 300 dpi.

        Raises StudyError if the converter is not installed.
        """
        return png(self.svg(), scale)

    def pdf(self) -> bytes:
        """Return the picture as PDF, 8.5 cm wide.

        Raises StudyError if the converter is not installed.
        """
        return pdf(self.svg())

    def __repr__(self) -> str:
        return f"<Figure {self.name}: {self.title}>\n{self.caption}"

    def _repr_html_(self) -> str:
        """Return the picture with its caption, as HTML that loads nothing."""
        caption = html_notes([self.caption])
        try:
            # As PNG, since the font of an SVG may be missing where it is looked at.
            picture = base64.b64encode(self.png(SCREEN_SCALE)).decode()
        except StudyError as error:
            return html_notes([self.title, str(error)]) + caption
        title = html.escape(self.title)
        source = f"data:image/png;base64,{picture}"
        return (
            f'<figure><img alt="{title}" style="max-width: 30em" src="{source}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )


@dataclass(frozen=True, slots=True)
class DebateFilter:
    """A choice of debates: by arm, by model or contestant on either side, by motion, by outcome.

    `subject` is the motion's id.  `outcome` is "proposition", "opposition" or "tie" by the majority
    of votes, or "not judged". `phase` does not choose debates but the rating of theirs that is
    shown, if a figure would show the last one, or all.  Figures about answers go by arm and model
    alone, and say so; their outcomes (ANSWER_OUTCOMES) are accepted and not applied.
    """

    arm: str | None = None
    model: str | None = None
    subject: str | None = None
    phase: str | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in (None, *OUTCOMES, *ANSWER_OUTCOMES):
            raise StudyError(
                f"an outcome is one of {', '.join((*OUTCOMES, *ANSWER_OUTCOMES))};"
                f" found {self.outcome!r}"
            )

    def active_filters(self) -> dict[str, str]:
        """Return the filters that are set, by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}

    def words(self, unused: Sequence[str] = ()) -> str:
        """Return the filters that are set, those in `unused` left out, for a sentence."""
        active = self.active_filters().items()
        return ", ".join(f"{name} {value}" for name, value in active if name not in unused)


@dataclass(frozen=True, slots=True)
class Source:
    """The study of a figure, the filter, and the limits on what may be shown.

    `simulated` says whether models in it were simulated, `links` whether marks link to debates.
    `unused` names the filters that the figure does not go by. `single_ratings` says whether marks
    may be ratings of single debaters, or means of few of them. `word` is what ratings may be
    called: "confidence", "stake", or "rating" where several kinds stand together.
    """

    study: str
    simulated: bool
    where: DebateFilter
    links: bool = False
    unused: tuple[str, ...] = ()
    single_ratings: bool = True
    word: str = "confidence"

    @property
    def number(self) -> str:
        """Return what ratings are called in captions: a stake is no stated confidence."""
        return "stated confidence" if self.word == "confidence" else self.word

    def title(self, sure: str, of: str) -> str:
        """Return a title that says how sure somebody is, or by whom ratings are if they do not."""
        return sure if self.word == "confidence" else f"{self.word.capitalize()} of {of}"

    def chart_title(self, title: str, counted: str) -> ChartTitle:
        """Return the title, with the study, the count, the filter and a notice if simulated."""
        applied = self.where.words(self.unused)
        notes = [
            f"{cut(self.study, NAME_LETTERS)}: {counted}",
            *([f"only {applied}"] if applied else []),
            *([SIMULATED_NOTICE] if self.simulated else []),
        ]
        return ChartTitle(title, tuple(notes))

    def caption(self, *sentences: str) -> str:
        """Return the sentences of a caption, followed by the study and their limits."""
        applied = self.where.words(self.unused)
        left = ", ".join(name for name in self.where.active_filters() if name in self.unused)
        parts = [*sentences, f"Study: {self.study}" + (f"; only {applied}." if applied else ".")]
        parts += [f"The filter by {left} is not applied here."] if left else []
        parts += [SIMULATED_SENTENCE] if self.simulated else []
        return clean(" ".join(sentence for sentence in parts if sentence))

    def publishable_rows(
        self, rows: Sequence[Row], sizes: Sequence[int], unit: str = "debates"
    ) -> tuple[list[Row], str]:
        """Return the rows that may be shown, and a sentence that says how many may not.

        Without `single_ratings`, a row made of the ratings of some debates (or of the clusters that
        `unit` names), but of fewer than MIN_GROUP_SIZE, is left out; `sizes` says of how many each
        is. Raises TooFewError if no row with a rating remains.
        """
        if self.single_ratings:
            return list(rows), ""
        kept = [row for row, size in zip(rows, sizes, strict=True) if not 0 < size < MIN_GROUP_SIZE]
        left = len(rows) - len(kept)
        groups = "1 group" if left == 1 else f"{left:,} groups"
        if left and max(sizes) < MIN_GROUP_SIZE:
            raise TooFewError(
                f"nothing to draw: each group of the study {self.study!r} holds private ratings of"
                f" fewer than {MIN_GROUP_SIZE} {unit}"
            )
        if not left:
            return kept, ""
        why = "Left out, since they would tell of single private ratings"
        return kept, f"{why}: {groups} of fewer than {MIN_GROUP_SIZE} {unit}."

    def nothing_to_draw(self, what: str) -> StudyError:
        """Return the error for a study without anything to draw."""
        applied = self.where.words()
        return StudyError(
            f"nothing to draw: the study {self.study!r} has no {what}"
            + (f" with {applied}" if applied else "")
        )


def filter_debates(debates: Debates, where: DebateFilter) -> Debates:
    """Return the debates that a filter keeps, with all their phases."""
    chosen: NDArray[np.bool_] = np.ones(len(debates.arm), dtype=bool)
    if where.arm is not None:
        chosen &= debates.arm == where.arm
    if where.model is not None:
        seated = (debates.model == where.model) | (debates.contestant == where.model)
        chosen &= seated.any(axis=1)
    if where.subject is not None:
        chosen &= debates.subject == where.subject
    if where.outcome is not None:
        chosen &= debates.winner == (None if where.outcome == "not judged" else where.outcome)
    return debates if chosen.all() else debates.select(chosen)


def phase_index(debates: Debates, where: DebateFilter) -> int:
    """Return the number of the phase in a filter, or of the last phase.

    Raises StudyError if there is no such phase.
    """
    if where.phase is None:
        return len(debates.phases) - 1
    if where.phase not in debates.phases:
        raise StudyError(
            f"there is no rating in a phase {where.phase!r} here; there are:"
            f" {', '.join(debates.phases) or 'none'}"
        )
    return debates.phases.index(where.phase)


def require_converter() -> None:
    """Raise StudyError, with the command to install it, if what draws pictures is not there."""
    if importlib.util.find_spec("vl_convert") is None:
        raise StudyError("pictures need vl-convert-python: pip install 'peer-arena[view]'")
