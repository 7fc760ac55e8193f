"""Draw a chart of a query's result: one column on x, one on y, and a mark that fits their types.

The chart is for a first look, on the SQL page: bars, points or a line, with at most one more column
as colour.  Charts for papers (intervals, small panels, captions) are in
`analysis/figures/charts/debates.py`, and this module shares their style.  Nothing is summed over
rows: a query states better than a chart how to aggregate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from arena.errors import StudyError
from arena.store.result import QueryResult
from arena.web.site import Query

MARKS = ("bar", "line", "point")
# Beyond these a chart is slow to open or its labels and colours cannot be told apart.
MOST_MARKS = 5_000
MOST_BARS = 60
MOST_NAMES = 60
MOST_COLOURS = 7


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """The mark and columns of a chart, and the columns that could replace them.

    `colour` is None for a chart of one colour; `columns` may stand on x, `numbers` on y.
    """

    mark: str
    x: str
    y: str
    colour: str | None
    columns: tuple[str, ...]
    numbers: tuple[str, ...]


def column(table: QueryResult, name: str) -> list[Any]:
    """Return the values of a column."""
    place = table.columns.index(name)
    return [row[place] for row in table.rows]


def column_kind(values: Sequence[Any]) -> str:
    """Return the kind of a column: "number", "time" or "text"; "nothing" if all of it is NULL."""
    present = [value for value in values if value is not None]
    if not present:
        return "nothing"
    # bool is an int in Python, and a name on a chart.
    if all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        for value in present
    ):
        return "number"
    return "time" if all(isinstance(value, date) for value in present) else "text"


def choose(table: QueryResult, query: Query) -> ChartSpec | None:
    """Choose the chart of a result, by the query's `chart`, `x` and `y`, else by column types.

    Returns None if nothing can be drawn.  Raises StudyError if the query names an unknown mark or
    column.
    """
    kinds = {name: column_kind(column(table, name)) for name in table.columns}
    numbers = tuple(name for name, kind in kinds.items() if kind == "number")
    choice = {key: query.get(key) or None for key in ("chart", "x", "y")}
    for key, allowed in (("chart", MARKS), ("x", table.columns), ("y", numbers)):
        if choice[key] is not None and choice[key] not in allowed:
            raise StudyError(
                f"{key} must be one of {', '.join(allowed) or 'none'}; found {choice[key]!r:.80}"
            )
    # On x: phases, else time, else the first names that differ.
    names = sorted(
        (name for name, kind in kinds.items() if kind in ("text", "time")),
        key=lambda name: precedence(name, kinds[name], table),
    )
    x = choice["x"] or next(iter(names), None) or (numbers[0] if len(numbers) > 1 else None)
    # On y: measured numbers before counts.
    measured_first = sorted(numbers, key=lambda name: is_whole(table, name))
    y = choice["y"] or next((name for name in measured_first if name != x), None)
    if x is None or y is None:
        return None
    others = [name for name in names if name != x and kinds[name] == "text"]
    colours = [name for name in others if 1 < count_distinct(table, name) <= MOST_COLOURS]
    # The column that distinguishes most, of those with few enough colours.
    colour = max(colours, key=lambda name: count_distinct(table, name), default=None)
    mark = choice["chart"] or default_mark(kinds[x], table, x, colour)
    return ChartSpec(mark, x, y, colour, table.columns, numbers)


def precedence(name: str, kind: str, table: QueryResult) -> int:
    """Rank a column for x, lower is better: phases 0, times 1, names 2, one value only 3."""
    if count_distinct(table, name) < 2:
        return 3
    return 0 if name == "phase" else 1 if kind == "time" else 2


def is_whole(table: QueryResult, name: str) -> bool:
    """Return whether all numbers of a column are whole: counts, and positions such as rounds."""
    return all(value == int(value) for value in column(table, name) if is_finite(value))


def default_mark(kind_of_x: str, table: QueryResult, x: str, colour: str | None) -> str:
    """Return the mark that fits: a line over time, bars for one number a name, else points."""
    if kind_of_x != "text":
        return "line" if kind_of_x == "time" else "point"
    places = [table.columns.index(name) for name in (x, colour) if name is not None]
    # As text, since lists and structs are not hashable.
    positions = {tuple(str(row[i]) for i in places) for row in table.rows}
    return "bar" if len(positions) == len(table) <= MOST_BARS else "point"


def count_distinct(table: QueryResult, name: str) -> int:
    """Count the different values of a column."""
    return len(set(map(str, column(table, name))))


def draw_chart(table: QueryResult, spec: ChartSpec, simulated: bool, note: str = "") -> str:
    """Return the chart as SVG; `simulated` adds that label, `note` a line of text.

    Left out, and counted in a note: rows beyond MOST_MARKS, rows of names beyond MOST_NAMES, and
    rows without a finite number.
    """
    from analysis.figures.charts import style
    from analysis.figures.figure import SIMULATED_NOTICE

    columns = (("x", spec.x), ("y", spec.y), ("colour", spec.colour))
    places = {channel: table.columns.index(name) for channel, name in columns if name is not None}
    kind_of_x = column_kind(column(table, spec.x))
    text_channels = {"colour", "x"} if kind_of_x == "text" else {"colour"}
    drawable = [
        row for row in table.rows if row[places["x"]] is not None and is_finite(row[places["y"]])
    ]
    rows = [
        {
            channel: chart_value(row[place], channel in text_channels)
            for channel, place in places.items()
        }
        for row in drawable[:MOST_MARKS]
    ]
    all_names: list[str] = []
    if kind_of_x == "text":
        all_names = list(dict.fromkeys(str(row["x"]) for row in rows))
        names = style.distinct_names(all_names[:MOST_NAMES])
        # Names are cut and made distinct; rows of names beyond MOST_NAMES drop out.
        rows = [row | {"x": names[str(row["x"])]} for row in rows if row["x"] in names]
    left_out = len(table) - len(rows)
    notes = [f"{left_out:,} of {len(table):,} rows left out"] if left_out else []
    if len(all_names) > MOST_NAMES:
        notes.append(f"the first {MOST_NAMES} of {len(all_names):,} names")
    notes += [SIMULATED_NOTICE] * simulated + [note] * bool(note)
    title = style.ChartTitle(f"{spec.y} by {spec.x}", tuple(notes))
    chart = style.layer(rows, {"type": spec.mark}, encoding_of(spec, kind_of_x))
    return style.svg(style.finish_chart(chart, title))


def encoding_of(spec: ChartSpec, kind_of_x: str) -> dict[str, Any]:
    """Return the channels of a chart in Vega-Lite's grammar; rows hold x, y and colour."""
    from analysis.figures.charts.style import COLOURS

    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": {"text": "nominal", "time": "temporal"}.get(kind_of_x, "quantitative"),
            "title": spec.x,
            "sort": None,
            "axis": {"labelAngle": -40} if kind_of_x == "text" else {},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": spec.y,
            # The length of a bar means something only from zero.
            "scale": {"zero": spec.mark == "bar"},
        },
    }
    if spec.colour is not None:
        colour = {"field": "colour", "type": "nominal", "sort": None}
        encoding["color"] = {**colour, "scale": {"range": list(COLOURS)}}
        if spec.mark == "bar":
            encoding["xOffset"] = colour
    return encoding


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that can be drawn."""
    try:
        return value is not None and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def chart_value(value: Any, as_text: bool) -> str | float:
    """Return a value as a chart takes it; text is cut to 400 characters."""
    if as_text:
        return "NULL" if value is None else str(value)[:400]
    return value.isoformat() if isinstance(value, date | datetime) else float(value)
