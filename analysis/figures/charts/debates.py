"""Charts of debates: confidence by phase, both sides at once, and estimates by name.

Each is a pure function of rows to a specification in Vega-Lite (https://vega.github.io/vega-
lite/docs). Rows hold shares and confidences in [0, 1], as reports do; charts show percent. The
caption explains the intervals and counts missing values. Densities and box plots are left out: a
debate has two ratings a phase, and models state round numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.figures.charts.style import (
    BLUE,
    COLOURS,
    DASHES,
    FAINT,
    INK,
    QUIET,
    SHAPES,
    Chart,
    ChartTitle,
    Row,
    finish_chart,
    layer,
    nominal,
    quantitative,
)

PERCENTS = [0, 25, 50, 75, 100]
WHOLE: Chart = {"domain": [0, 100]}
DASHED: Chart = {"color": QUIET, "strokeDash": [3, 3], "strokeWidth": 0.8}
PANEL, ROOM = 280, 68
SMALL, SQUARE, HIGH = 129, 130, 190
STEP = 17
DODGE = 5


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes that all layers of a panel share: phases along x, percent along y."""

    x: Chart
    y: Chart


def axes(
    phases: Sequence[str],
    *,
    below: bool = True,
    left: bool = True,
    padding: float = 0.4,
    title: str = "rating, percent",
) -> Axes:
    """Return the axes of a panel, with or without their words; a phase may have several lines."""
    lines = "split(datum.label, '\\n')"
    under = {
        "title": None,
        "labelAngle": 0,
        "labels": below,
        "labelExpr": lines,
        "labelLimit": 110,
        "grid": False,
    }
    beside = {
        "values": PERCENTS,
        "title": title if left else None,
        "labels": left,
        "labelFlush": True,
    }
    x = nominal("phase") | {
        "sort": list(phases),
        "scale": {"type": "point", "padding": padding},
        "axis": under,
    }
    return Axes(x, quantitative("percent", scale=WHOLE, axis=beside))


def panel_title(text: str) -> Chart:
    """Return the title of a small panel: the name of its group."""
    return {
        "text": text,
        "fontSize": 9,
        "fontWeight": "normal",
        "frame": "group",
        "offset": 3,
        "limit": SMALL + 14,
    }


def phases_of(rows: Sequence[Row]) -> list[str]:
    """Return the phases of rows in their order."""
    return list(dict.fromkeys(row["phase"] for row in rows))


def confidence_chart(rows: Sequence[Row], lines: Sequence[Row], words: ChartTitle) -> Chart:
    """Return mean confidence by phase with its interval, over debaters as thin lines.

    `rows`: phase, mean, ci_low, ci_high, n. `lines`: debater, phase, confidence, and href if marks
    link.
    """
    shared = axes(phases_of(rows))
    return finish_chart(
        {
            "layer": [half_line(), *debater_layers(lines, shared), *mean_layers(rows, shared)],
            "height": HIGH,
        },
        words,
    )


def confidence_by_side_chart(rows: Sequence[Row], lines: Sequence[Row], words: ChartTitle) -> Chart:
    """Return `confidence_chart` with a line for each value of the entry `group`.

    Lines differ in colour, shape and dash, and have their names at their ends.
    """
    phases = phases_of(rows)
    # As wide as the longer name of a side to the right of the last phase, in steps between phases.
    shared = axes(phases, padding=ROOM * (len(phases) - 1) / (PANEL - 2 * ROOM))
    layers: list[Chart] = []
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for place, group in enumerate(groups):
        mine = [row for row in rows if row["group"] == group]
        layers += mean_layers(
            mine, shared, place, offset=DODGE * (2 * place - len(groups) + 1), labels=False
        )
    layers.append(end_labels([row for row in rows if row["phase"] == phases[-1]], groups, shared))
    return finish_chart(
        {"layer": [half_line(), *debater_layers(lines, shared), *layers], "height": HIGH}, words
    )


def end_labels(rows: Sequence[Row], groups: Sequence[str], shared: Axes) -> Chart:
    """Return the names of lines at their ends, moved apart if they would overlap."""
    shown = []
    floor = -100.0
    for row in sorted(
        (row for row in rows if row["mean"] is not None), key=lambda row: row["mean"]
    ):
        floor = max(100 * row["mean"], floor + 7)
        colour = COLOURS[groups.index(row["group"]) % len(COLOURS)]
        shown.append(
            {"phase": row["phase"], "percent": floor, "label": row["group"], "colour": colour}
        )
    mark = {"type": "text", "align": "left", "dx": 12, "fontSize": 9, "fontWeight": "bold"}
    colours = nominal("colour") | {"scale": None, "legend": None}
    return layer(
        shown, mark, {"x": shared.x, "y": shared.y, "text": nominal("label"), "color": colours}
    )


def confidence_by_model_chart(
    rows: Sequence[Row], lines: Sequence[Row], words: ChartTitle, *, phases: Sequence[str]
) -> Chart:
    """Return `confidence_chart` as small panels, one for each value of the entry `group`.

    Panels are in the order of the rows; `phases` are in playing order.
    """
    panels = []
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for place, group in enumerate(groups):
        shared = axes(phases, below=place >= len(groups) - 2, left=place % 2 == 0, title="percent")
        mine, own = ([row for row in some if row["group"] == group] for some in (rows, lines))
        size = {"percent": 9, "n": f"n = {max(row['n'] for row in mine):,}"}
        mark = {"type": "text", "align": "right", "dx": -3, "fontSize": 8.5, "color": QUIET}
        counts = layer([size], mark, {"x": {"value": "width"}, "y": shared.y, "text": nominal("n")})
        layers = [
            half_line(),
            *debater_layers(own, shared),
            *mean_layers(mine, shared, labels=False),
            counts,
        ]
        panels.append({"layer": layers, "width": SMALL, "height": 62, "title": panel_title(group)})
    return finish_chart({"concat": panels, "columns": 2, "spacing": 8}, words, fit=False)


def half_line() -> Chart:
    """Return the line at 50%.

    One side of each debate must lose, so both cannot be surer on average and right.
    """
    return layer([{"percent": 50}], {"type": "rule", **DASHED}, {"y": quantitative("percent")})


def debater_layers(lines: Sequence[Row], shared: Axes) -> list[Chart]:
    """Return single debaters as thin lines, or as ticks if there is only one phase."""
    if not lines:
        return []
    rows = [line | {"percent": 100 * line["confidence"]} for line in lines]
    # Many lines are paler each: they show where most of them run, and the means stay in front.
    strong = min(0.6, max(0.16, 24 / len({line["debater"] for line in lines})))
    encoding = {"x": shared.x, "y": shared.y} | (
        {"href": nominal("href")} if "href" in lines[0] else {}
    )
    if len({line["phase"] for line in lines}) == 1:
        return [
            layer(
                rows,
                {"type": "tick", "color": FAINT, "thickness": 1, "width": 24, "opacity": strong},
                encoding,
            )
        ]
    # Not "opacity": it has each line of a PNG painted on a sheet of its own, which takes five times
    # as long.
    mark = {"type": "line", "color": FAINT, "strokeWidth": 0.6, "strokeOpacity": strong}
    return [layer(rows, mark, encoding | {"detail": nominal("debater")})]


def mean_layers(
    rows: Sequence[Row],
    shared: Axes,
    group: int | None = None,
    *,
    offset: int = 0,
    labels: bool = True,
) -> list[Chart]:
    """Return means with their intervals, joined by a line.

    `group` is the number of a group, which decides colour, shape and dash; None: there are no
    groups.
    """
    colour = INK if group is None else COLOURS[group % len(COLOURS)]
    shape = SHAPES[(group or 0) % len(SHAPES)]
    dash = DASHES[(group or 0) % len(DASHES)]
    drawn = [in_percent(row, "mean") for row in rows]
    known = [
        row | {"label": f"{row['percent']:.1f}"} for row in drawn if row["percent"] is not None
    ]
    at = {"x": shared.x, "y": shared.y}
    look = {"color": colour, "xOffset": offset}
    line = look | {"type": "line", "strokeWidth": 1.4, "strokeDash": dash}
    bar = look | {"type": "rule", "strokeWidth": 1.4, "x2Offset": offset}
    point = look | {"type": "point", "filled": True, "opacity": 1, "size": 34, "shape": shape}
    layers = [
        layer(known, line, at),
        layer(known, bar, {"x": shared.x, "y": quantitative("low"), "y2": {"field": "high"}}),
        layer(known, point, at),
    ]
    if labels:
        text = {
            "type": "text",
            "dx": 7,
            "dy": -9,
            "align": "left",
            "fontSize": 9,
            "fontWeight": "bold",
        }
        halo = {"stroke": "white", "strokeWidth": 3}  # since thin lines run below
        layers += [
            layer(known, text | paint, at | {"text": nominal("label")})
            for paint in (halo, {"color": colour})
        ]
    return layers


def in_percent(row: Row, share: str) -> Row:
    """Return the row with a share and its interval in percent: `percent`, `low`, `high`."""
    ends = {"percent": share, "low": "ci_low", "high": "ci_high"}
    return row | {name: to_percent(row[entry]) for name, entry in ends.items()}


def to_percent(value: float | None) -> float | None:
    """Return a share in percent, None for None."""
    return None if value is None else 100 * value


def both_sides_chart(rows: Sequence[Row], points: Sequence[Row], words: ChartTitle) -> Chart:
    """Return the two ratings of each debate against each other, a panel for each phase.

    The corner in which both are above 50% is shaded. `rows`: phase, debates, above_50. `points`:
    phase, proposition, opposition, and href if marks link.
    """
    panels = []
    for place, row in enumerate(rows):
        mine = [point for point in points if point["phase"] == row["phase"]]
        panels.append(corner_panel(row, mine, left=place == 0))
    return finish_chart({"hconcat": panels, "spacing": 14}, words, fit=False)


def corner_panel(row: Row, points: Sequence[Row], *, left: bool) -> Chart:
    """Return one phase of `both_sides_chart`."""
    low = quantitative("low", scale=WHOLE)
    shade = layer(
        [{"low": 50, "high": 100}],
        {"type": "rect", "color": "#ececec"},
        {"x": low, "x2": {"field": "high"}, "y": low, "y2": {"field": "high"}},
    )
    drawn = [
        point | {side: 100 * point[side] for side in ("proposition", "opposition")}
        for point in points
    ]
    under = {"values": PERCENTS, "title": "proposition, percent", "grid": False}
    beside = {
        "values": PERCENTS,
        "title": "opposition, percent" if left else None,
        "labels": left,
        "labelFlush": True,
    }
    at = {
        "x": quantitative("proposition", scale=WHOLE, axis=under),
        "y": quantitative("opposition", scale=WHOLE, axis=beside),
    }
    linked = {"href": nominal("href")} if points and "href" in points[0] else {}
    dots = layer(
        drawn,
        {"type": "point", "color": BLUE, "filled": True, "size": 12, "opacity": 0.55},
        at | linked,
    )
    counted = f"both above 50: {row['above_50']:,} of {row['debates']:,}"
    title = {
        "text": row["phase"],
        "subtitle": counted,
        "fontSize": 9.5,
        "subtitleColor": INK,
        "frame": "group",
        "offset": 4,
        "limit": SQUARE,
    }
    return {"layer": [shade, dots], "width": SQUARE, "height": SQUARE, "title": title}


def estimates_chart(
    rows: Sequence[Row],
    words: ChartTitle,
    *,
    axis: str,
    zero: float,
    domain: tuple[float, float] | None = None,
) -> Chart:
    """Return estimates with intervals, one below the other, around a line at `zero`.

    `rows`, in their order: name, value, low, high (in the units of the axis, None if undefined) and
    label, which stands at the right. Intervals are drawn as far as `domain` goes, and stand whole
    in the table; one without an end on one side is drawn as far there as the farthest of all.
    """
    names = [row["name"] for row in rows]
    y = nominal("name") | {
        "sort": names,
        "title": None,
        "axis": {"ticks": False, "domain": False, "labelLimit": 150},
    }
    scale = {"zero": False, "nice": True} if domain is None else {"domain": list(domain)}
    x = quantitative("value", scale=scale, axis={"title": axis, "tickCount": 5})
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    least, most = (min(ends, default=0), max(ends, default=0)) if domain is None else domain
    bars = [
        row
        | {
            "low": least if row["low"] is None else max(least, row["low"]),
            "high": most if row["high"] is None else min(most, row["high"]),
        }
        for row in rows
        if row["low"] is not None or row["high"] is not None
    ]
    dots = [row for row in rows if row["value"] is not None]
    point = {"type": "point", "color": BLUE, "filled": True, "size": 36, "opacity": 1}
    label = {"type": "text", "align": "left", "dx": 6, "fontSize": 9, "color": QUIET}
    layers = [
        layer([{"value": zero}], {"type": "rule", **DASHED}, {"x": x}),
        layer(
            bars,
            {"type": "rule", "color": BLUE, "strokeWidth": 1.6},
            {"y": y, "x": quantitative("low"), "x2": {"field": "high"}},
        ),
        layer(dots, point, {"y": y, "x": x}),
        layer(rows, label, {"y": y, "x": {"value": "width"}, "text": nominal("label")}),
    ]
    return finish_chart({"layer": layers, "height": STEP * len(rows)}, words)
