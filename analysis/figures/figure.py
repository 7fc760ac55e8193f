"""What a figure is, and which debates of a study it shows: a filter that is applied to arrays and written into SQL alike.

Left out: filters that are expressions.  Whoever needs one has SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.figures.charts.style import NAME_LETTERS, Chart, ChartTitle, Row, cut
from analysis.read.debates import SIDES, Debates
from analysis.reports.plain_json import json_object
from analysis.reports.tables.formatting import clean
from arena.errors import StudyError

OUTCOMES = (*SIDES, "tie", "not judged")
ANSWER_OUTCOMES = ("right", "wrong", "cannot be told")
SIMULATED_NOTICE = "SIMULATED: no finding about language models"
# A mean of fewer debates, or questions, than this says much of each private rating in it, and is not published.
MIN_GROUP_SIZE = 5


class TooFewError(StudyError):
    """Nothing may be drawn, since every number would be made of private ratings of fewer than FEW debates or questions."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with all that stands around it.

    `name` is that of its file and address; `caption` says what is shown, in which units, of how many, with which interval, what is missing,
    and SIMULATED where that is so; `rows` are the numbers behind, JSON-ready, shares in [0, 1]; `sql` is a query over the store's views that
    gives the counts and means among them, under the same names; `left_out` counts the rows that are withheld (see `Source.enough`).
    """

    name: str
    title: str
    caption: str
    rows: tuple[Row, ...]
    sql: str
    chart: Chart
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class DebateFilter:
    """Which debates: all of a study, or those of an arm, in which a model sits on either side, on a motion (its id), with an outcome.

    `outcome` is "proposition", "opposition", "tie", by the sum of the judges' confidences, or "not judged".  `phase` does not choose debates,
    but which rating of theirs is shown: that of the phase, where a figure would show the last, or all.  Figures about answers go by arm and
    model alone, and say so; outcomes of theirs (ANSWER_OUTCOMES) are taken and not applied.
    """

    arm: str | None = None
    model: str | None = None
    subject: str | None = None
    phase: str | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in (None, *OUTCOMES, *ANSWER_OUTCOMES):
            raise StudyError(
                f"an outcome is one of {', '.join((*OUTCOMES, *ANSWER_OUTCOMES))}; found {self.outcome!r}"
            )

    def active_filters(self) -> dict[str, str]:
        """What is set, by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Source:
    """The study that a figure is of: its name, whether models in it were simulated, the filter, and whether marks link to debates.

    `unused` names what of the filter the figure does not go by; `singles` says whether marks may be ratings of single debaters, or made of
    few of them.
    """

    study: str
    simulated: bool
    where: DebateFilter
    links: bool = False
    unused: tuple[str, ...] = ()
    single_ratings: bool = True

    def chart_title(self, title: str, counted: str) -> ChartTitle:
        """The title, and below it the study, how much of it is counted, the filter, and a loud word where it is simulated."""
        applied = ", ".join(
            f"{name} {value}"
            for name, value in self.where.active_filters().items()
            if name not in self.unused
        )
        notes = [
            f"{cut(self.study, NAME_LETTERS)}: {counted}",
            *([f"only {applied}"] if applied else []),
            *([SIMULATED_NOTICE] if self.simulated else []),
        ]
        return ChartTitle(title, tuple(notes))

    def caption(self, *sentences: str) -> str:
        """The sentences with the study before them and what limits them behind."""
        given = self.where.active_filters()
        applied = ", ".join(
            f"{name} {value}" for name, value in given.items() if name not in self.unused
        )
        left = ", ".join(name for name in given if name in self.unused)
        found = [*sentences, f"Study: {self.study}" + (f"; only {applied}." if applied else ".")]
        found += [f"The filter by {left} is not applied here."] if left else []
        found += (
            [
                "SIMULATED models spoke in this study: its numbers are no findings about language models."
            ]
            if self.simulated
            else []
        )
        return clean(" ".join(sentence for sentence in found if sentence))

    def publishable_rows(
        self, rows: Sequence[Row], sizes: Sequence[int], unit: str = "debates"
    ) -> tuple[list[Row], str]:
        """The rows that may be shown, and the sentence that says how many may not.

        Without `singles`, a row made of ratings of some debates (or what `unit` says), but fewer than FEW, is left out; `sizes` says of how
        many each is.  Raises TooFew where no row with a rating remains.
        """
        if self.single_ratings:
            return list(rows), ""
        kept = [row for row, size in zip(rows, sizes, strict=True) if not 0 < size < MIN_GROUP_SIZE]
        left = len(rows) - len(kept)
        groups = "1 group" if left == 1 else f"{left:,} groups"
        if left and max(sizes) < MIN_GROUP_SIZE:
            raise TooFewError(
                f"nothing to draw: in each group of the study {self.study!r} are private ratings of fewer than {MIN_GROUP_SIZE} {unit}"
            )
        return (
            kept,
            f"Left out, since they would tell of single private ratings: {groups} of fewer than {MIN_GROUP_SIZE} {unit}."
            if left
            else "",
        )

    def nothing_to_draw(self, what: str) -> StudyError:
        """The error that says that there is nothing to draw."""
        applied = ", ".join(
            f"{name} {value}" for name, value in self.where.active_filters().items()
        )
        return StudyError(
            f"nothing to draw: the study {self.study!r} has no {what}"
            + (f" with {applied}" if applied else "")
        )


def filter_debates(debates: Debates, where: DebateFilter) -> Debates:
    """The debates that the filter keeps, with all their phases."""
    chosen: NDArray[np.bool_] = np.ones(len(debates.arm), dtype=bool)
    if where.arm is not None:
        chosen &= debates.arm == where.arm
    if where.model is not None:
        chosen &= (debates.model == where.model).any(axis=1)
    if where.subject is not None:
        chosen &= debates.subject == where.subject
    if where.outcome is not None:
        chosen &= debates.winner == (None if where.outcome == "not judged" else where.outcome)
    return debates if chosen.all() else debates.select(chosen)


def phase_index(debates: Debates, where: DebateFilter) -> int:
    """The number of the phase that the filter names, the last without one; raises StudyError where there is no such phase."""
    if where.phase is None:
        return len(debates.phases) - 1
    if where.phase not in debates.phases:
        raise StudyError(
            f"there is no rating in a phase {where.phase!r} here; there are: {', '.join(debates.phases) or 'none'}"
        )
    return debates.phases.index(where.phase)


def json_row(row: dict[str, Any]) -> Row:
    """A row as JSON has it, None for nan; see `json_object`."""
    return json_object(row)
