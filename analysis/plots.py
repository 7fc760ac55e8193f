"""The figures about debates, each a pure function of rows to a chart: confidence by phase, both sides at once, and estimates by name.

Rows hold shares and confidences in [0, 1], as reports do; figures show percent.  What an interval is, and what is missing, is for the
caption to say (figures.py).  Left out: densities and box plots (a debate has two ratings a phase, and models state round numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.plots_style import BLUE, COLOURS, DASHES, FAINT, INK, QUIET, SHAPES, Chart, Row, Words, finished, values

if TYPE_CHECKING:
    import altair as alt

PERCENTS = [0, 25, 50, 75, 100]
PANEL, ROOM = 280, 68
SMALL, SQUARE, HIGH = 129, 130, 190
STEP = 17
DODGE = 5


@dataclass(frozen=True, slots=True)
class Axes:
    """What all layers of a panel share: phases along x, percent along y."""

    x: alt.X
    y: alt.Y


def axes(phases: Sequence[str], *, below: bool = True, left: bool = True, padding: float = 0.4, title: str = "confidence, percent") -> Axes:
    """The axes of a panel, with or without their words; a phase may have several lines."""
    import altair as alt

    under = alt.Axis(title=None, labelAngle=0, labels=below, labelExpr="split(datum.label, '\\n')", labelLimit=110, grid=False)
    beside = alt.Axis(values=PERCENTS, title=title if left else None, labels=left, labelFlush=True)
    x = alt.X("phase:N", sort=list(phases), scale=alt.Scale(type="point", padding=padding), axis=under)
    return Axes(x, alt.Y("percent:Q", scale=alt.Scale(domain=[0, 100]), axis=beside))


def phases_of(rows: Sequence[Row]) -> list[str]:
    """The phases in their order."""
    return list(dict.fromkeys(row["phase"] for row in rows))


def confidence(rows: Sequence[Row], lines: Sequence[Row], words: Words) -> Chart:
    """Mean confidence by phase with its interval, over single debaters as thin lines.

    `rows`: phase, mean, ci_low, ci_high, n; `lines`: debater, phase, confidence, and href where marks link.
    """
    import altair as alt

    shared = axes(phases_of(rows))
    return finished(alt.layer(half(), *debaters(lines, shared), *means(rows, shared)).properties(height=HIGH), words)


def confidence_by_side(rows: Sequence[Row], lines: Sequence[Row], words: Words) -> Chart:
    """As `confidence`, with a line for each value of the entry `group`, told apart by colour, shape and dash, and named at its end."""
    import altair as alt

    phases = phases_of(rows)
    # As wide as the longer name of a side to the right of the last phase, in steps between phases.
    shared, layers = axes(phases, padding=ROOM * (len(phases) - 1) / (PANEL - 2 * ROOM)), []
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for number, group in enumerate(groups):
        mine = [row for row in rows if row["group"] == group]
        layers += means(mine, shared, number, offset=DODGE * (2 * number - len(groups) + 1), labels=False)
    layers.append(ends([row for row in rows if row["phase"] == phases[-1]], groups, shared))
    return finished(alt.layer(half(), *debaters(lines, shared), *layers).properties(height=HIGH), words)


def ends(rows: Sequence[Row], groups: Sequence[str], shared: Axes) -> Chart:
    """The names of lines at their ends, moved apart where they would lie on each other."""
    import altair as alt

    shown, floor = [], -100.0
    for row in sorted((row for row in rows if row["mean"] is not None), key=lambda row: row["mean"]):
        floor = max(100 * row["mean"], floor + 7)
        colour = COLOURS[groups.index(row["group"]) % len(COLOURS)]
        shown.append({"phase": row["phase"], "percent": floor, "label": row["group"], "colour": colour})
    base = alt.Chart(values(shown)).mark_text(align="left", dx=12, fontSize=9, fontWeight="bold")
    return base.encode(x=shared.x, y=shared.y, text="label:N", color=alt.Color("colour:N", scale=None, legend=None))


def confidence_by_model(rows: Sequence[Row], lines: Sequence[Row], words: Words, *, phases: Sequence[str]) -> Chart:
    """As `confidence`, with a small panel for each value of the entry `group`, in the order of the rows; `phases` in playing order."""
    import altair as alt

    panels = []
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for number, group in enumerate(groups):
        shared = axes(phases, below=number >= len(groups) - 2, left=number % 2 == 0, title="percent")
        mine, own = ([row for row in some if row["group"] == group] for some in (rows, lines))
        title = alt.TitleParams(text=group, fontSize=9, fontWeight="normal", frame="group", offset=3, limit=SMALL + 14)
        size = alt.Chart(values([{"percent": 9, "n": f"n = {max(row['n'] for row in mine):,}"}]))
        said = size.mark_text(align="right", dx=-3, fontSize=8.5, color=QUIET).encode(x=alt.value("width"), y=shared.y, text="n:N")
        panel = alt.layer(half(), *debaters(own, shared), *means(mine, shared, labels=False), said)
        panels.append(panel.properties(width=SMALL, height=62, title=title))
    return finished(alt.concat(*panels, columns=2, spacing=8), words, fit=False)


def half() -> Chart:
    """The line at 50%: one side of each debate must lose, so that the two cannot be surer on average and right."""
    import altair as alt

    return alt.Chart(values([{"percent": 50}])).mark_rule(color=QUIET, strokeDash=[3, 3], strokeWidth=0.8).encode(y="percent:Q")


def debaters(lines: Sequence[Row], shared: Axes) -> list[Chart]:
    """Single debaters as thin lines, or as ticks where there is one phase; nothing without any."""
    import altair as alt

    if not lines:
        return []
    rows = [line | {"percent": 100 * line["confidence"]} for line in lines]
    base = alt.Chart(values(rows)).encode(x=shared.x, y=shared.y)
    # Many lines are paler each, so that they show where most of them run, and the means stay in front.
    strong = min(0.6, max(0.16, 24 / len({line["debater"] for line in lines})))
    if len({line["phase"] for line in lines}) == 1:
        drawn = base.mark_tick(color=FAINT, thickness=1, width=24, opacity=strong)
    else:
        drawn = base.encode(detail="debater:N").mark_line(color=FAINT, strokeWidth=0.6, opacity=strong)
    return [drawn.encode(href="href:N") if "href" in lines[0] else drawn]


def means(rows: Sequence[Row], shared: Axes, number: int | None = None, *, offset: int = 0, labels: bool = True) -> list[Chart]:
    """Means with their intervals, joined by a line; the colour, shape and dash are those of a `number`, or those of a single group."""
    import altair as alt

    colour = INK if number is None else COLOURS[number % len(COLOURS)]
    shape, dash = SHAPES[(number or 0) % len(SHAPES)], DASHES[(number or 0) % len(DASHES)]
    drawn = [row | {"percent": hundred(row["mean"]), "low": hundred(row["ci_low"]), "high": hundred(row["ci_high"])} for row in rows]
    base = alt.Chart(values([row | {"label": f"{row['percent']:.1f}"} for row in drawn if row["percent"] is not None]))
    at = base.encode(x=shared.x, y=shared.y)
    layers = [
        at.mark_line(color=colour, strokeWidth=1.4, strokeDash=dash, xOffset=offset),
        base.encode(x=shared.x, y="low:Q", y2="high:Q").mark_rule(color=colour, strokeWidth=1.4, xOffset=offset, x2Offset=offset),
        at.mark_point(color=colour, filled=True, opacity=1, size=34, shape=shape, xOffset=offset),
    ]
    if labels:
        said = at.encode(text="label:N")
        for stroke in ("white", None):  # a halo, since thin lines run below
            text = {"stroke": stroke, "strokeWidth": 3} if stroke else {"color": colour}
            layers.append(said.mark_text(dx=7, dy=-9, align="left", fontSize=9, fontWeight="bold", **text))
    return layers


def hundred(value: float | None) -> float | None:
    """A share in percent, None where there is none."""
    return None if value is None else 100 * value


def both_sides(rows: Sequence[Row], points: Sequence[Row], words: Words) -> Chart:
    """The two ratings of each debate against each other, a panel for each phase, the corner where both are above 50% shaded.

    `rows`: phase, debates, above_50; `points`: phase, proposition, opposition, and href where marks link.
    """
    import altair as alt

    panels = []
    for number, row in enumerate(rows):
        mine = [point for point in points if point["phase"] == row["phase"]]
        panels.append(corner_panel(row, mine, left=number == 0))
    return finished(alt.hconcat(*panels, spacing=14), words, fit=False)


def corner_panel(row: Row, points: Sequence[Row], *, left: bool) -> Chart:
    """One phase of `both_sides`."""
    import altair as alt

    scale = alt.Scale(domain=[0, 100])
    y = alt.Axis(values=PERCENTS, title="opposition, percent" if left else None, labels=left, labelFlush=True)
    corner = alt.Chart(values([{"low": 50, "high": 100}])).mark_rect(color="#ececec")
    shade = corner.encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=alt.Y("low:Q", scale=scale), y2="high:Q")
    drawn = [point | {side: 100 * point[side] for side in ("proposition", "opposition")} for point in points]
    dots = alt.Chart(values(drawn)).mark_point(color=BLUE, filled=True, size=12, opacity=0.55)
    dots = dots.encode(
        x=alt.X("proposition:Q", scale=scale, axis=alt.Axis(values=PERCENTS, title="proposition, percent", grid=False)),
        y=alt.Y("opposition:Q", scale=scale, axis=y),
    )
    counted = f"both above 50: {row['above_50']:,} of {row['debates']:,}"
    title = alt.TitleParams(text=row["phase"], subtitle=counted, fontSize=9.5, subtitleColor=INK, frame="group", offset=4, limit=SQUARE)
    linked = dots.encode(href="href:N") if points and "href" in points[0] else dots
    return alt.layer(shade, linked).properties(width=SQUARE, height=SQUARE, title=title)


def estimates(rows: Sequence[Row], words: Words, *, axis: str, zero: float, domain: tuple[float, float] | None = None) -> Chart:
    """Estimates with their intervals, one below the other in the order of the rows, around a line at `zero`.

    `rows`: name, value, low, high (in the units of the axis; None where undefined) and label, which stands at the right.  Intervals are
    drawn as far as a given domain goes, and stand whole in the table.
    """
    import altair as alt

    names = [row["name"] for row in rows]
    scale = alt.Scale(zero=False, nice=True) if domain is None else alt.Scale(domain=list(domain))
    base = alt.Chart(values(rows)).encode(y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150)))
    x = alt.X("value:Q", scale=scale, axis=alt.Axis(title=axis, tickCount=5))
    line = alt.Chart(values([{"value": zero}])).mark_rule(color=QUIET, strokeDash=[3, 3], strokeWidth=0.8).encode(x=x)
    drawn = base.transform_filter("isValid(datum.low)")
    if domain is not None:
        least, most = domain
        drawn = drawn.transform_calculate(low=f"max({least}, datum.low)", high=f"min({most}, datum.high)")
    bars = drawn.mark_rule(color=BLUE, strokeWidth=1.6).encode(x="low:Q", x2="high:Q")
    dots = base.transform_filter("isValid(datum.value)").mark_point(color=BLUE, filled=True, size=36, opacity=1).encode(x=x)
    right = base.mark_text(align="left", dx=6, fontSize=9, color=QUIET).encode(x=alt.value("width"), text="label:N")
    return finished(alt.layer(line, bars, dots, right).properties(height=STEP * len(rows)), words)
