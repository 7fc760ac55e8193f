"""The figures that set what was stated or spent against what was right, and what is missing: reliability, accuracy and cost, gaps.

In the manner of plots.py: rows hold shares in [0, 1], figures show percent.  Left out: accuracy against dollars, which are unknown for most
local models; the rows have calls and tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.clusters import Array
from analysis.plots import PERCENTS, SMALL, STEP, hundred
from analysis.plots_style import BLUE, COLOURS, FAINT, INK, QUIET, SHAPES, WIDTH, Chart, Row, Words, finished, values

WIDE = 279
NEAR = 0.03  # of the width of a panel
MANY = 12  # times as many tokens: from there on the axis counts in powers


def reliability(rows: Sequence[Row], words: Words, *, won: str) -> Chart:
    """Share right or won against stated confidence by bin, with intervals, around the diagonal; below it how many values a bin holds.

    `rows`: group, confidence, share, ci_low, ci_high, n, up_to (the bin's right edge); several groups have a panel each, without counts.
    """
    import altair as alt

    groups = list(dict.fromkeys(row["group"] for row in rows))
    if len(groups) == 1:
        above = diagonal(rows, title=won, below=False).properties(width=WIDE, height=180)
        return finished(alt.vconcat(above, counts(rows).properties(width=WIDE, height=42), spacing=6), words, fit=False)
    panels = []
    for number, group in enumerate(groups):
        below, left = number >= len(groups) - 2, number % 2 == 0
        title = alt.TitleParams(text=group, fontSize=9, fontWeight="normal", frame="group", offset=3, limit=SMALL + 14)
        mine = [row for row in rows if row["group"] == group]
        size = alt.Chart(values([{"percent": 92, "x": 3, "n": f"n = {sum(row['n'] for row in mine):,}"}]))
        said = size.mark_text(align="left", fontSize=8.5, color=QUIET).encode(x="x:Q", y="percent:Q", text="n:N")
        panel = alt.layer(diagonal(mine, title=won if left else None, below=below), said)
        panels.append(panel.properties(width=SMALL, height=92, title=title))
    return finished(alt.concat(*panels, columns=2, spacing=8), words, fit=False)


def diagonal(rows: Sequence[Row], *, title: str | None, below: bool) -> Chart:
    """One panel of `reliability`: points with their intervals around the diagonal."""
    import altair as alt

    shown = [row | {"x": hundred(row["confidence"]), "percent": hundred(row["share"])} for row in rows]
    shown = [row | {"low": hundred(row["ci_low"]), "high": hundred(row["ci_high"])} for row in shown]
    scale = alt.Scale(domain=[0, 100])
    under = alt.Axis(values=PERCENTS, title="stated confidence, percent" if below else None, labels=below)
    x = alt.X("x:Q", scale=scale, axis=under)
    y = alt.Y("percent:Q", scale=scale, axis=alt.Axis(values=PERCENTS, title=title, labels=title is not None, labelFlush=True))
    base = alt.Chart(values(shown))
    ideal = alt.Chart(values([{"x": 0, "percent": 0}, {"x": 100, "percent": 100}])).mark_line(color=QUIET, strokeDash=[3, 3], strokeWidth=0.8)
    # Intervals of few values can leave [0, 1]: they are drawn as far as the panel goes, and stand whole in the table.
    bars = base.transform_filter("isValid(datum.low)").transform_calculate(low="max(0, datum.low)", high="min(100, datum.high)")
    return alt.layer(
        ideal.encode(x=x, y=y),
        bars.mark_rule(color=BLUE, strokeWidth=1.4).encode(x=x, y="low:Q", y2="high:Q"),
        base.mark_point(color=BLUE, filled=True, size=36, opacity=1).encode(x=x, y=y),
    )


def counts(rows: Sequence[Row]) -> Chart:
    """How many values lie in each bin, as bars with numbers."""
    import altair as alt

    shown = [{"left": 100 * row["up_to"] - 9.6, "right": 100 * row["up_to"] - 0.4, "n": row["n"], "label": f"{row['n']:,}"} for row in rows]
    middle = [row | {"at": (row["left"] + row["right"]) / 2} for row in shown]
    scale = alt.Scale(domain=[0, 100])
    base = alt.Chart(values(middle))
    y = alt.Y("n:Q", axis=alt.Axis(title="n", titleAngle=0, titleAlign="right", labels=False, ticks=False, grid=False, domain=False))
    x = alt.X("left:Q", scale=scale, axis=alt.Axis(values=PERCENTS, title="stated confidence, percent", grid=False))
    bars = base.mark_rect(color=FAINT).encode(x=x, x2="right:Q", y=y, y2=alt.datum(0))
    said = base.mark_text(dy=-5, fontSize=8, color=INK).encode(x=alt.X("at:Q", scale=scale), y=y, text="label:N")
    return alt.layer(bars, said)


def accuracy(rows: Sequence[Row], words: Words) -> Chart:
    """Accuracy against generated tokens per question, with intervals both ways; told apart by colour and shape, the best first.

    `rows`: name, accuracy, ci_low, ci_high, tokens_out, tokens_out_ci_low, tokens_out_ci_high; arms of unknown tokens are left out.
    """
    import altair as alt

    known = sorted((row for row in rows if row["tokens_out"] is not None and row["accuracy"] is not None), key=lambda row: -row["accuracy"])
    shown = [row | {"percent": hundred(row["accuracy"]), "low": hundred(row["ci_low"]), "high": hundred(row["ci_high"])} for row in known]
    names = [row["name"] for row in shown]
    wide = max(row["tokens_out"] for row in shown) > MANY * max(min(row["tokens_out"] for row in shown), 1e-9)
    placed = side_by_side(shown, np.log if wide else np.asarray, np.exp if wide else np.asarray)
    base = alt.Chart(values(placed))
    x = alt.X(
        "at:Q",
        scale=alt.Scale(type="log" if wide else "linear", zero=False, nice=True, padding=14),
        axis=alt.Axis(title="generated tokens a question, mean", tickCount=5, format=",~r", grid=False),
    )
    ends = [value for row in shown for value in (row["percent"], row["low"], row["high"]) if value is not None]
    domain = [max(0, 5 * np.floor(min(ends) / 5 - 0.2)), min(100, 5 * np.ceil(max(ends) / 5 + 0.2))]
    y, low = (
        alt.Y(f"{field}:Q", scale=alt.Scale(domain=domain), axis=alt.Axis(title="right answers, percent", tickCount=5))
        for field in ("percent", "low")
    )
    # Seven of each: the eighth arm has the first colour with another shape.
    look = [(COLOURS[number % 7], SHAPES[(number + number // 7) % 7]) for number in range(len(names))]
    legend = alt.Legend(columns=2 if max(map(len, names)) < 28 else 1, orient="bottom", symbolOpacity=1)
    keyed = alt.Color("name:N", scale=alt.Scale(domain=names, range=[colour for colour, _ in look]), legend=legend)
    shaped = alt.Shape("name:N", scale=alt.Scale(domain=names, range=[form for _, form in look]), legend=legend)
    layers = [
        base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.2).encode(x=x, y=low, y2="high:Q", color=keyed),
        base.transform_filter("isValid(datum.from)").mark_rule(strokeWidth=1.2).encode(x="from:Q", x2="to:Q", y=y, color=keyed),
        base.mark_point(filled=True, size=44, opacity=1).encode(x=x, y=y, color=keyed, shape=shaped),
    ]
    return finished(alt.layer(*layers).properties(height=230 + 12 * len(names)), words)


def side_by_side(rows: Sequence[Row], scale: Callable[..., Array], back: Callable[..., Array]) -> list[Row]:
    """The rows with `at`, `from` and `to`: tokens and their interval, with arms of nearly the same tokens moved apart along the axis.

    `scale` takes tokens to where they lie along the axis, `back` the other way.
    """
    place = scale(np.array([row["tokens_out"] for row in rows], dtype=np.float64))
    span = float(np.ptp(place)) or max(float(np.abs(place).max()) * 0.1, 1.0)
    order = np.argsort(place, kind="stable")
    # A group begins where the next arm is further off than two marks side by side.
    group = np.cumsum(np.diff(place[order], prepend=place[order[0]]) > NEAR * span)
    moved = np.empty(len(rows))
    for number in range(int(group.max()) + 1):
        mine = order[group == number]
        moved[mine] = place[mine].mean() + NEAR * span * (np.arange(len(mine)) - (len(mine) - 1) / 2) if len(mine) > 1 else place[mine]
    shift = moved - place
    found = []
    for row, by in zip(rows, shift.tolist(), strict=True):
        ends = {"at": row["tokens_out"], "from": row["tokens_out_ci_low"], "to": row["tokens_out_ci_high"]}
        found.append(row | {name: None if value is None else float(back(scale(value) + by)) for name, value in ends.items()})
    return found


def missing(rows: Sequence[Row], words: Words) -> Chart:
    """What is missing as a share of what could be there, one bar for each reason, with the counts at its end.

    `rows`: name (what, phase and reason), share, n, of.
    """
    import altair as alt

    shown = [row | {"percent": 100 * row["share"], "label": f"{row['n']:,} of {row['of']:,}"} for row in rows]
    names = [row["name"] for row in shown]
    longest = max(row["percent"] for row in shown)
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(ticks=False, labelLimit=190))
    x = alt.X("percent:Q", scale=alt.Scale(domain=[0, longest * 1.6 or 1]), axis=alt.Axis(title="missing, percent", tickCount=4))
    base = alt.Chart(values(shown)).encode(x=x, y=y)
    bars = base.mark_bar(color=BLUE, height=9)
    said = base.mark_text(align="left", dx=4, fontSize=9, color=INK).encode(text="label:N")
    return finished(alt.layer(bars, said).properties(height=STEP * len(rows), width=WIDTH), words)
