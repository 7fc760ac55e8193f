"""Figures of stated confidence by phase: of all debaters, by side and by contestant.

The rows come from the same functions as the report's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.figures import queries
from analysis.figures.charts import debates as charts
from analysis.figures.charts.style import Row, debate_link, short_names
from analysis.figures.debates import (
    MOST_DRAWN,
    MOST_PANELS,
    OF_EACH_CONTESTANT,
    PANEL_LETTERS,
    Mask,
    contestant_seats,
    debate_count_words,
    interval_sentence,
    phase_names,
    sample_rows,
)
from analysis.figures.figure import Figure, Source, phase_index
from analysis.read.debates import SIDES, Debates
from analysis.reports.debate_findings import phase_rows
from analysis.reports.plain_json import json_object
from analysis.statistics.clustered import Codes


def confidence(source: Source, debates: Debates) -> Figure:
    """Draw the mean confidence by phase, over single debaters."""
    mask = np.ones(debates.model.shape, dtype=bool)
    every = confidence_rows(source, debates, mask, debates.model_code)
    check_any_rating(source, every)
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    labels = {
        row["phase"]: f"{name}\nn = {row['n']:,}"
        for row, name in zip(rows, phase_names(rows).values(), strict=True)
    }
    lines, drawn = debater_lines(source, debates, lambda row, side: "", labels)
    title = source.title("How sure of winning debaters are", "debaters")
    chart = charts.confidence_chart(
        [row | {"phase": labels[row["phase"]]} for row in rows],
        lines,
        source.chart_title(title, debate_count_words(debates)),
    )
    caption = source.caption(
        f"Mean {source.number} by phase, percent. {interval_sentence(rows)}",
        drawn,
        withheld,
        missing_sentence(every),
    )
    query = rating_query(source)
    left_out = len(every) - len(rows)
    return Figure("confidence", title, caption, tuple(rows), query, chart, left_out)


def confidence_by_side(source: Source, debates: Debates) -> Figure:
    """Draw the mean confidence by phase of the proposition and of the opposition."""
    every: list[Row] = []
    model = debates.model_code
    for side, name in enumerate(SIDES):
        mask = np.zeros(debates.model.shape, dtype=bool)
        mask[:, side] = True
        every += [{"seat": name, **row} for row in confidence_rows(source, debates, mask, model)]
    check_any_rating(source, every)
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    labels = phase_names(rows)
    lines, drawn = debater_lines(source, debates, lambda row, side: SIDES[side], labels)
    title = source.title("How sure each side is of winning", "each side")
    shown = [row | {"phase": labels[row["phase"]], "group": row["seat"]} for row in rows]
    caption = source.caption(
        f"Mean {source.number} by phase and side, percent. {interval_sentence(rows)}",
        drawn,
        withheld,
        size_sentence(rows),
        missing_sentence(every),
    )
    chart = charts.confidence_by_side_chart(
        shown, lines, source.chart_title(title, debate_count_words(debates))
    )
    query = rating_query(source, by="seat")
    left_out = len(every) - len(rows)
    return Figure("confidence_by_side", title, caption, tuple(rows), query, chart, left_out)


def confidence_by_model(source: Source, debates: Debates) -> Figure:
    """Draw the mean confidence by phase of each contestant, the surest at the end first."""
    model = debates.model_code
    every = [
        {"contestant": name, **row}
        for name, mask in contestant_seats(debates)
        for row in confidence_rows(source, debates, mask, model)
    ]
    check_any_rating(source, every)
    shown, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    # A contestant need not be in every arm, nor an arm have every phase.
    rows = [row for row in shown if row["n"] or row["missing"]]
    last = {row["contestant"]: -1.0 if row["mean"] is None else row["mean"] for row in rows}
    names = sorted(last, key=lambda name: (-last[name], name))
    rows.sort(key=lambda row: names.index(row["contestant"]))
    most = {name: max(row["n"] for row in rows if row["contestant"] == name) for name in names}
    panels = [
        name
        for name in names
        if name in sorted(names, key=lambda name: (-most[name], name))[:MOST_PANELS]
    ]
    labels = phase_names(shown)
    titles = short_names(panels, letters=PANEL_LETTERS)
    panelled = [
        row | {"phase": labels[row["phase"]], "group": titles[row["contestant"]]}
        for row in rows
        if row["contestant"] in titles
    ]
    lines, drawn = debater_lines(
        source, debates, lambda row, side: titles.get(debates.contestant[row, side]), labels
    )
    title = source.title("How sure each contestant is of winning", "each contestant")
    left = (
        f"The {MOST_PANELS} contestants with most ratings of {len(names)} are drawn."
        if len(panels) < len(names)
        else ""
    )
    caption = source.caption(
        f"Mean {source.number} by phase and contestant, percent; n: ratings a phase at"
        f" most. {OF_EACH_CONTESTANT}",
        drawn,
        left,
        withheld,
        missing_sentence(every),
    )
    chart = charts.confidence_by_model_chart(
        panelled,
        lines,
        source.chart_title(title, debate_count_words(debates)),
        phases=list(labels.values()),
    )
    query = rating_query(source, by="contestant")
    left_out = len(every) - len(shown)
    return Figure("confidence_by_model", title, caption, tuple(rows), query, chart, left_out)


def confidence_rows(source: Source, debates: Debates, mask: Mask, model: Codes) -> list[Row]:
    """Return the report's rows of confidence over the chosen seats, (G, 2).

    The rows are of all phases, or of the phase that the filter names; `model` (G, 2) are the codes
    of models that intervals speak of.
    """
    at = phase_index(debates, source.where)
    rows = [json_object(row) for row in phase_rows(debates, mask, model)]
    # A figure draws one interval.
    for row in rows:
        for name in ("these_models_ci_low", "these_models_ci_high", "these_models_p"):
            del row[name]
        del row["interval_note"]
    return [rows[at]] if source.where.phase else rows


def check_any_rating(source: Source, rows: Sequence[Row]) -> None:
    """Raise StudyError unless a row has a rating."""
    if not sum(row["n"] for row in rows):
        raise source.nothing_to_draw("finished debate with a rating")


def debater_lines(
    source: Source,
    debates: Debates,
    group: Callable[[int, int], str | None],
    labels: dict[str, str],
) -> tuple[list[Row], str]:
    """Return the points of single debaters, and a sentence that says how many are drawn.

    At most MOST_DRAWN debaters are drawn, of those with a rating in two phases, or in the only one
    shown.  `group` gives the group of a debater by its debate and side, None to leave it out.
    """
    if not source.single_ratings:
        return [], "Single debaters are not drawn: their ratings were private."
    columns = [debates.phases.index(phase) for phase in labels]
    there = ~np.isnan(debates.confidence[:, :, columns])
    pool = np.argwhere(there.sum(axis=2) >= min(2, len(columns)))
    pool = pool[[group(*pair) is not None for pair in pool.tolist()]] if len(pool) else pool
    points = []
    for row, side in sample_rows(pool).tolist():
        link = {"href": debate_link(debates.episode[row])} if source.links else {}
        for k in columns:
            value = float(debates.confidence[row, side, k])
            if value == value:
                point = {"phase": labels[debates.phases[k]], "confidence": value}
                points.append(
                    {"debater": f"{row}/{side}", "group": group(row, side)} | point | link
                )
    drawn = (
        f"{MOST_DRAWN} debaters drawn at random of {len(pool):,}"
        if len(pool) > MOST_DRAWN
        else f"all {len(pool):,} debaters"
    )
    return points, f"Thin lines: {drawn}."


def rating_query(source: Source, by: str = "") -> str:
    """Return the query for confidence by phase, and by a column of the view `ratings`."""
    conditions = [
        *([f"label = {queries.literal(source.where.phase)}"] if source.where.phase else []),
        *(["contestant is not null"] if by == "contestant" else []),
        queries.debate_conditions(source.study, source.where),
    ]
    return queries.CONFIDENCE.format(
        by=f"{by}, " if by else "", conditions=" and ".join(conditions)
    )


def size_sentence(rows: Sequence[Row]) -> str:
    """Return a sentence with n by side and phase, for panels with several lines."""
    return "n: " + ", ".join(f"{row['seat']} {row['phase']} {row['n']:,}" for row in rows) + "."


def missing_sentence(rows: Sequence[Row]) -> str:
    """Return a sentence with how many ratings are missing, by phase."""
    missing = {
        phase: sum(row["missing"] for row in rows if row["phase"] == phase)
        for phase in dict.fromkeys(row["phase"] for row in rows)
    }
    some = ", ".join(f"{phase} {n:,}" for phase, n in missing.items() if n)
    if not some:
        return "No rating that was asked for is missing."
    return f"Asked for and missing: {some}."
