"""A chart of a query's result: one column along, one up, a mark that fits what the columns hold.

For a first look, on the page of SQL: bars, points or a line, at most one further column as colour.  What a paper needs (intervals, small
panels, captions) is in `analysis/figures/charts/debates.py`; looks are that module's.  Left out: sums over rows.  A query says better what is added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from arena.errors import StudyError
from arena.store.query import QueryResult
from arena.web.site import Query

MARKS = ("bar", "line", "point")
MOST_MARKS = 5_000
MOST_BARS = 60
MOST_NAMES = 60
MOST_COLOURS = 7


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """What is drawn: the mark, the columns along, up and (None: none) as colour; and the columns that could stand there instead."""

    mark: str
    x: str
    y: str
    colour: str | None
    columns: tuple[str, ...]
    numbers: tuple[str, ...]


def column_kind(values: Sequence[Any]) -> str:
    """What a column holds: "number", "time" or "text"; "nothing" where all of it is NULL."""
    there = [value for value in values if value is not None]
    if not there:
        return "nothing"
    if all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in there
    ):
        return "number"
    return "time" if all(isinstance(value, date) for value in there) else "text"


def choose(table: QueryResult, query: Query) -> ChartSpec | None:
    """The chart of a result, as the query's `chart`, `x` and `y` say, else by the types of the columns; None where there is none to draw.

    Raises StudyError where the query names a mark or a column that there is not.
    """
    kinds = {
        name: column_kind([row[i] for row in table.rows]) for i, name in enumerate(table.columns)
    }
    numbers = tuple(name for name, what in kinds.items() if what == "number")
    asked = {what: query.get(what) or None for what in ("chart", "x", "y")}
    for what, allowed in (("chart", MARKS), ("x", table.columns), ("y", numbers)):
        if asked[what] is not None and asked[what] not in allowed:
            raise StudyError(
                f"{what} must be one of {', '.join(allowed) or 'none'}; found {asked[what]!r:.80}"
            )
    # Along: phases, else time, else the first names that differ.  Up: measured numbers before counted ones.
    along = sorted(
        (name for name, what in kinds.items() if what in ("text", "time")),
        key=lambda name: precedence(name, kinds[name], table),
    )
    x = asked["x"] or next(iter(along), None) or (numbers[0] if len(numbers) > 1 else None)
    y = asked["y"] or next(
        (name for name in sorted(numbers, key=lambda name: is_whole(table, name)) if name != x),
        None,
    )
    if x is None or y is None:
        return None
    colours = [
        name
        for name in along
        if name != x and kinds[name] == "text" and 1 < count_distinct(table, name) <= MOST_COLOURS
    ]
    colour = max(colours, key=lambda name: count_distinct(table, name), default=None)
    mark = asked["chart"] or default_mark(kinds[x], table, x, colour)
    return ChartSpec(mark, x, y, colour, table.columns, numbers)


def precedence(name: str, what: str, table: QueryResult) -> int:
    """How late a column comes to stand along: 0 for phases, which columns of one value come after."""
    if count_distinct(table, name) < 2:
        return 3
    return 0 if name == "phase" else 1 if what == "time" else 2


def is_whole(table: QueryResult, name: str) -> bool:
    """Whether all numbers of a column are whole: counts, and places such as rounds."""
    place = table.columns.index(name)
    return all(
        row[place] is None or row[place] == int(row[place])
        for row in table.rows
        if is_finite_or_none(row[place])
    )


def is_finite_or_none(value: Any) -> bool:
    """Whether a value is no infinity and no nan."""
    return value is None or is_finite(value)


def default_mark(kind_of_x: str, table: QueryResult, x: str, colour: str | None) -> str:
    """The mark that fits: a line over time, points for numbers, bars where each name has one number, points where it has several."""
    if kind_of_x != "text":
        return "line" if kind_of_x == "time" else "point"
    places = [table.columns.index(name) for name in (x, colour) if name is not None]
    spots = {
        tuple(str(row[i]) for i in places) for row in table.rows
    }  # lists and structs cannot stand in a set
    return "bar" if len(spots) == len(table) <= MOST_BARS else "point"


def count_distinct(table: QueryResult, name: str) -> int:
    """How many different values a column has."""
    place = table.columns.index(name)
    return len({str(row[place]) for row in table.rows})


def draw_chart(table: QueryResult, chosen: ChartSpec, simulated: bool, said: str = "") -> str:
    """The chart as SVG; `simulated` puts that word on it, `said` a note.

    Rows beyond MOST_MARKS, of names beyond MOST_NAMES, and without a number are left out, and counted.
    """
    from analysis.figures.charts.style import (
        COLOURS,
        ChartTitle,
        distinct_names,
        finish_chart,
        layer,
        svg,
    )
    from analysis.figures.figure import SIMULATED_NOTICE

    places = {
        what: table.columns.index(name)
        for what, name in (("x", chosen.x), ("y", chosen.y), ("colour", chosen.colour))
        if name is not None
    }
    what_x = column_kind([row[places["x"]] for row in table.rows])
    drawn = [
        row for row in table.rows if row[places["x"]] is not None and is_finite(row[places["y"]])
    ]
    rows = [
        {
            what: chart_value(row[place], what == "colour" or (what == "x" and what_x == "text"))
            for what, place in places.items()
        }
        for row in drawn[:MOST_MARKS]
    ]
    found = list(dict.fromkeys(row["x"] for row in rows)) if what_x == "text" else []
    names = distinct_names(found[:MOST_NAMES])
    shown = [
        {**row, "x": names.get(row["x"], row["x"])}
        for row in rows
        if not found or row["x"] in names
    ]
    type_of_x = {"text": "nominal", "time": "temporal"}.get(what_x, "quantitative")
    along = {
        "field": "x",
        "type": type_of_x,
        "title": chosen.x,
        "sort": None,
        "axis": {"labelAngle": -40} if what_x == "text" else {},
    }
    up = {
        "field": "y",
        "type": "quantitative",
        "title": chosen.y,
        "scale": {"zero": chosen.mark == "bar"},
    }
    encoded: dict[str, Any] = {"x": along, "y": up}
    if chosen.colour is not None:
        colour = {"field": "colour", "type": "nominal", "sort": None}
        encoded["color"] = {**colour, "scale": {"range": list(COLOURS)}}
        if chosen.mark == "bar":
            encoded["xOffset"] = colour
    left_out = len(table) - len(shown)
    notes = [f"{left_out:,} of {len(table):,} rows left out"] if left_out else []
    notes += [f"the first {MOST_NAMES} of {len(found):,} names"] if len(found) > MOST_NAMES else []
    notes += [SIMULATED_NOTICE] * simulated + [said] * bool(said)
    return svg(
        finish_chart(
            layer(shown, {"type": chosen.mark}, encoded),
            ChartTitle(f"{chosen.y} by {chosen.x}", tuple(notes)),
        )
    )


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be drawn."""
    try:
        return value is not None and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def chart_value(value: Any, text: bool) -> str | float | None:
    """A value as a chart takes it."""
    if text:
        return "NULL" if value is None else str(value)[:400]
    return value.isoformat() if isinstance(value, date | datetime) else float(value)
