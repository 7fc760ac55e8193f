"""Charts of answers and of missing values: reliability, accuracy and cost, gaps.

Rows hold shares in [0, 1], charts show percent. Accuracy against dollars is left out, since dollars
are unknown for most local models; the rows have calls and tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.figures.charts.debates import (
    DASHED,
    PERCENTS,
    SMALL,
    STEP,
    WHOLE,
    in_percent,
    panel_title,
    to_percent,
)
from analysis.figures.charts.style import (
    BLUE,
    COLOURS,
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

WIDE = 279
LARGEST, SMALLEST = 90.0, 24.0  # areas of marks, in square pixels
MANY = 12  # times as many tokens: from there on the axis counts in powers


def reliability_chart(rows: Sequence[Row], words: ChartTitle, *, y_title: str) -> Chart:
    """Return the share right or won against confidence, by bin, around the diagonal.

    Below it are the numbers of values by bin. `rows`: group, confidence, share, ci_low, ci_high, n,
    up_to (the right edge of the bin). Several groups have a panel each, without the numbers.
    """
    groups = list(dict.fromkeys(row["group"] for row in rows))
    if len(groups) == 1:
        above = {
            "layer": diagonal_layers(rows, title=y_title, below=False),
            "width": WIDE,
            "height": 180,
        }
        under = {"layer": count_layers(rows), "width": WIDE, "height": 42}
        return finish_chart({"vconcat": [above, under], "spacing": 6}, words, fit=False)
    panels = []
    for place, group in enumerate(groups):
        below = place >= len(groups) - 2
        left = place % 2 == 0
        mine = [row for row in rows if row["group"] == group]
        size = {"percent": 92, "x": 3, "n": f"n = {sum(row['n'] for row in mine):,}"}
        mark = {"type": "text", "align": "left", "fontSize": 8.5, "color": QUIET}
        counts = layer(
            [size],
            mark,
            {"x": quantitative("x"), "y": quantitative("percent"), "text": nominal("n")},
        )
        layers = [*diagonal_layers(mine, title=y_title if left else None, below=below), counts]
        panels.append({"layer": layers, "width": SMALL, "height": 92, "title": panel_title(group)})
    return finish_chart({"concat": panels, "columns": 2, "spacing": 8}, words, fit=False)


def diagonal_layers(rows: Sequence[Row], *, title: str | None, below: bool) -> list[Chart]:
    """Return one panel of `reliability_chart`: points with intervals around the diagonal."""
    shown = [
        row | {"x": to_percent(row["confidence"]), "percent": to_percent(row["share"])}
        for row in rows
    ]
    under = {
        "values": PERCENTS,
        "title": "confidence, percent" if below else None,
        "labels": below,
    }
    beside = {"values": PERCENTS, "title": title, "labels": title is not None, "labelFlush": True}
    x, y = (
        quantitative("x", scale=WHOLE, axis=under),
        quantitative("percent", scale=WHOLE, axis=beside),
    )
    # Intervals of few values can leave [0, 1]: they are drawn as far as the panel goes, and stand
    # whole in the table.
    bars = [
        row | {"low": max(0, 100 * row["ci_low"]), "high": min(100, 100 * row["ci_high"])}
        for row in shown
        if row["ci_low"] is not None
    ]
    point = {"type": "point", "color": BLUE, "filled": True, "size": 36, "opacity": 1}
    return [
        layer(
            [{"x": 0, "percent": 0}, {"x": 100, "percent": 100}],
            {"type": "line", **DASHED},
            {"x": x, "y": y},
        ),
        layer(
            bars,
            {"type": "rule", "color": BLUE, "strokeWidth": 1.4},
            {"x": x, "y": quantitative("low"), "y2": {"field": "high"}},
        ),
        layer(shown, point, {"x": x, "y": y}),
    ]


def count_layers(rows: Sequence[Row]) -> list[Chart]:
    """Return how many values lie in each bin, as bars with numbers."""
    shown = [
        {
            "left": 100 * row["up_to"] - 9.6,
            "right": 100 * row["up_to"] - 0.4,
            "n": row["n"],
            "label": f"{row['n']:,}",
        }
        for row in rows
    ]
    middle = [row | {"at": (row["left"] + row["right"]) / 2} for row in shown]
    beside = {
        "title": "n",
        "titleAngle": 0,
        "titleAlign": "right",
        "labels": False,
        "ticks": False,
        "grid": False,
        "domain": False,
    }
    under = {"values": PERCENTS, "title": "confidence, percent", "grid": False}
    x = quantitative("left", scale=WHOLE, axis=under)
    y = quantitative("n", axis=beside)
    text = {"type": "text", "dy": -5, "fontSize": 8, "color": INK}
    return [
        layer(
            middle,
            {"type": "rect", "color": FAINT},
            {"x": x, "x2": {"field": "right"}, "y": y, "y2": {"datum": 0}},
        ),
        layer(
            middle, text, {"x": quantitative("at", scale=WHOLE), "y": y, "text": nominal("label")}
        ),
    ]


def accuracy_chart(rows: Sequence[Row], words: ChartTitle) -> Chart:
    """Return accuracy against generated tokens a question, with intervals both ways.

    Arms differ in colour and shape, the best first. `rows`: name, accuracy, ci_low, ci_high,
    tokens_out, tokens_out_ci_low, tokens_out_ci_high; arms with unknown tokens are left out.
    """
    known = sorted(
        (row for row in rows if row["tokens_out"] is not None and row["accuracy"] is not None),
        key=lambda row: -row["accuracy"],
    )
    shown = [in_percent(row, "accuracy") for row in known]
    names = [row["name"] for row in shown]
    wide = max(row["tokens_out"] for row in shown) > MANY * max(
        min(row["tokens_out"] for row in shown), 1e-9
    )
    under = {
        "title": "generated tokens a question, mean",
        "tickCount": 5,
        "format": ",~r",
        "grid": False,
    }
    x = quantitative(
        "tokens_out",
        scale={"type": "log" if wide else "linear", "zero": False, "nice": True, "padding": 14},
        axis=under,
    )
    domain = part_of_scale(shown)
    y, low = (
        quantitative(
            entry,
            scale={"domain": domain},
            axis={"title": "right answers, percent", "tickCount": 5},
        )
        for entry in ("percent", "low")
    )
    keyed, shaped = colour_and_shape(names)
    bar = {"type": "rule", "strokeWidth": 1.2}
    upright = [row for row in shown if row["low"] is not None]
    across = [row for row in shown if row["tokens_out_ci_low"] is not None]
    point = {"type": "point", "filled": True, "opacity": 1}
    # An axis with numbers lets no mark step aside: of two at one place the later one is smaller.
    sized = [row | {"size": size} for row, size in zip(shown, mark_sizes(len(shown)), strict=True)]
    size = quantitative("size", scale={"domain": [0, LARGEST], "range": [0, LARGEST]})
    marks = {"x": x, "y": y, "color": keyed, "shape": shaped, "size": size | {"legend": None}}
    marks["order"] = quantitative("size") | {"sort": "descending"}
    layers = [
        layer(upright, bar, {"x": x, "y": low, "y2": {"field": "high"}, "color": keyed}),
        layer(
            across,
            bar,
            {
                "x": quantitative("tokens_out_ci_low"),
                "x2": {"field": "tokens_out_ci_high"},
                "y": y,
                "color": keyed,
            },
        ),
        layer(sized, point, marks),
    ]
    return finish_chart({"layer": layers, "height": 230 + 12 * len(names)}, words)


def part_of_scale(rows: Sequence[Row]) -> list[int]:
    """Return the ends of an axis in percent that holds shares and their intervals."""
    ends = [
        row[entry] for row in rows for entry in ("percent", "low", "high") if row[entry] is not None
    ]
    return [
        max(0, 5 * math.floor(min(ends) / 5 - 0.2)),
        min(100, 5 * math.ceil(max(ends) / 5 + 0.2)),
    ]


def mark_sizes(count: int) -> list[float]:
    """Return the areas of marks, in square pixels, from the one behind to the one in front."""
    step = (LARGEST - SMALLEST) / max(count - 1, 1)
    return [LARGEST - step * place for place in range(count)] if count > 1 else [44.0]


def colour_and_shape(names: Sequence[str]) -> tuple[Chart, Chart]:
    """Return two channels that tell names apart, by colour and by shape, with one legend."""
    columns = 2 if max(map(len, names)) < 28 else 1
    legend = {"columns": columns, "orient": "bottom", "symbolOpacity": 1, "labelLimit": 280}
    places = range(len(names))
    # Seven of each: the eighth arm has the first colour with another shape.
    ranges = (
        [COLOURS[place % 7] for place in places],
        [SHAPES[(place + place // 7) % 7] for place in places],
    )
    colour, shape = (
        nominal("name") | {"scale": {"domain": names, "range": values}, "legend": legend}
        for values in ranges
    )
    return colour, shape


def missing_chart(rows: Sequence[Row], words: ChartTitle) -> Chart:
    """Return missing values as shares, a bar for each reason, with the counts at its end.

    `rows`: name (what, phase and reason), share, n, of.
    """
    shown = [
        row | {"percent": 100 * row["share"], "label": f"{row['n']:,} of {row['of']:,}"}
        for row in rows
    ]
    names = [row["name"] for row in shown]
    longest = max(row["percent"] for row in shown)
    step = next(size for size in (25, 10, 5, 2, 1, 0.5, 0.1) if size <= longest or size == 0.1)
    ticks = [
        step * number for number in range(int(100 / step) + 1) if step * (number - 1) < longest
    ]
    y = nominal("name") | {
        "sort": names,
        "title": None,
        "axis": {"ticks": False, "labelLimit": 190},
    }
    x = quantitative(
        "percent",
        # Room for the counts behind the bars, where the axis has no numbers: there is no 150%.
        scale={"domain": [0, longest * 1.6 or 1]},
        axis={"title": "missing, percent", "values": ticks, "domain": False},
    )
    text = {"type": "text", "align": "left", "dx": 4, "fontSize": 9, "color": INK}
    layers = [
        layer(shown, {"type": "bar", "color": BLUE, "height": 9}, {"x": x, "y": y}),
        layer(shown, text, {"x": x, "y": y, "text": nominal("label")}),
    ]
    return finish_chart({"layer": layers, "height": STEP * len(rows)}, words)
