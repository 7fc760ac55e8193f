"""The chart of estimators: quality against cost, with the line of those that none beats at less."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures.charts.debates import DASHED, STEP
from analysis.figures.charts.style import (
    BLUE,
    INK,
    QUIET,
    Chart,
    ChartTitle,
    Row,
    finish_chart,
    layer,
    nominal,
    quantitative,
)

HEIGHT = 190
# Estimators whose names fit beside their points.
MOST_NAMES = 8


def cost_chart(rows: Sequence[Row], words: ChartTitle, *, x_title: str) -> Chart:
    """Return AUROC with its interval against cost; a dashed line at chance.

    `rows`: name, cost, auroc, ci_low, ci_high (None: no interval), front (whether none is as good
    for less), crossed (whether the point is a cross).  Those on the front are joined by a line, and
    numbered as in the list below.
    """
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["cost"])
    ends = [
        value for row in rows for value in (row["auroc"], row["ci_low"], row["ci_high"]) if value
    ]
    domain = [max(0.0, min(0.45, *ends) - 0.02), 1.0]
    # Costs differ by powers of ten and begin at nothing, which a logarithm has no place for.
    x = quantitative(
        "cost",
        scale={"type": "sqrt", "zero": True, "padding": 12},
        axis={"title": x_title, "tickCount": 5, "grid": False},
    )
    y, low = (
        quantitative(
            entry,
            scale={"domain": domain},
            axis={"title": "AUROC over questions", "tickCount": 5},
        )
        for entry in ("auroc", "ci_low")
    )
    most = max(row["cost"] for row in rows) or 1.0
    chance = [{"cost": 0, "auroc": 0.5}, {"cost": most, "auroc": 0.5}]
    bars = [row for row in rows if row["ci_low"] is not None]
    others = [row for row in rows if not row["front"]]
    numbered = [row | {"label": str(place + 1)} for place, row in enumerate(front)]
    steps = {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 1.4}
    dot = {"type": "point", "filled": True, "size": 40, "opacity": 1}
    cross = {"type": "point", "shape": "cross", "filled": False, "size": 40, "opacity": 1}
    text = {"type": "text", "dx": 7, "dy": -7, "fontSize": 9, "color": INK}
    layers = [
        layer(chance, {"type": "line", **DASHED}, {"x": x, "y": y}),
        layer(
            bars,
            {"type": "rule", "color": QUIET, "strokeWidth": 0.8, "opacity": 0.5},
            {"x": x, "y": low, "y2": {"field": "ci_high"}},
        ),
        layer(front, steps, {"x": x, "y": y}),
        *(
            layer(some, {**mark, "color": color}, {"x": x, "y": y})
            for mark, crossed in ((dot, False), (cross, True))
            for every, color in ((others, QUIET), (front, BLUE))
            if (some := [row for row in every if row["crossed"] == crossed])
        ),
        layer(numbered, text, {"x": x, "y": y, "text": nominal("label")}),
    ]
    above = {"layer": layers, "width": 279, "height": HEIGHT}
    return finish_chart({"vconcat": [above, names_of(numbered)], "spacing": 8}, words, fit=False)


def names_of(numbered: Sequence[Row]) -> Chart:
    """Return the names of the estimators on the front, by number."""
    shown = [
        {
            "line": place,
            "at": 0,
            "words": f"{row['label']}  {row['name']}{' SIMULATED' * row['crossed']}",
        }
        for place, row in enumerate(numbered[:MOST_NAMES])
    ]
    if len(numbered) > MOST_NAMES:
        more = len(numbered) - MOST_NAMES
        shown.append({"line": MOST_NAMES, "at": 0, "words": f"and {more} more"})
    text = {"type": "text", "align": "left", "fontSize": 9, "color": INK}
    hidden = {"axis": None}
    encoding = {
        "x": quantitative("at", scale={"domain": [0, 1]}) | hidden,
        "y": quantitative("line", scale={"reverse": True, "zero": False, "padding": 6}) | hidden,
        "text": nominal("words"),
    }
    return layer(shown, text, encoding) | {"width": 279, "height": STEP * len(shown)}
