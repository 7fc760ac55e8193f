"""The figure of estimators: what they know of stored replies against what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.figures import queries
from analysis.figures.charts.estimators import cost_chart
from analysis.figures.charts.style import NAME_LETTERS, Row, cut_middle
from analysis.figures.figure import Figure, Source
from analysis.reports.estimators import LENGTH, EstimatorTable, estimator_tables
from analysis.reports.plain_json import json_object
from analysis.reports.tables.estimators import SIMULATED_ROWS
from analysis.statistics.estimator_quality import MOST_MISSING
from arena.text import pluralize

TITLE = "Estimators of confidence: quality and cost"
CROSSED = "Crosses: SIMULATED models were asked; no findings"


def quality_and_cost(source: Source, path: Path) -> Figure:
    """Draw AUROC over questions against dollars, or calls, a question: the arm with most replies.

    The rows have all arms.  Raises StudyError if no estimator has a value.
    """
    tables = [
        each
        for each in estimator_tables(path, source.study)
        if source.where.arm in (None, each.arm) and any(map(row_known, rows_of(each)))
    ]
    if not tables:
        raise source.nothing_to_draw("scores of replies that are right and wrong")
    every = [row for each in tables for row in rows_of(each)]
    rows, withheld = source.publishable_rows(
        every, [row["questions"] for row in every], "questions"
    )
    left = len(every) - len(rows)
    kept = {(row["arm"], row["part"]) for row in rows}
    shown = max(
        (each for each in tables if (each.arm, each.part) in kept), key=lambda each: each.replies
    )
    drawn, unit = with_cost([row for row in rows_of(shown) if row_known(row)])
    source = replace(source, simulated=source.simulated or shown.simulated)
    planted = [] if source.simulated else [row["name"] for row in drawn if row["simulated"]]
    alone = [row["name"] for row in drawn if row["may_be_best"] is None]
    counted = (
        f"{pluralize(shown.replies, 'reply', 'replies')} to"
        f" {pluralize(shown.questions, 'question')}"
    )
    which = f"{shown.arm}, {shown.part}"
    words = source.chart_title(TITLE, f"{counted}; {cut_middle(which, NAME_LETTERS)}")
    if planted:
        words = replace(words, notes=(*words.notes, CROSSED))
    caption = source.caption(
        "AUROC over pairs of replies to different questions, against what it takes an"
        f" estimator alone to rate one reply, beside the reply itself: {unit}. Bars are 95%"
        " intervals of other questions of this kind to the same models. Numbered, joined: no"
        " estimator is as good for less. Dashed: chance.",
        "Not compared with the others, since more than"
        f" {MOST_MISSING:.0%} is missing: {', '.join(alone)}."
        if alone
        else "",
        f"Drawn: {which}, the group with most replies of {len(tables)}." if tables[1:] else "",
        withheld,
        f"Crosses: {SIMULATED_ROWS}: {', '.join(planted)}." if planted else "",
    )
    sql = queries.ESTIMATORS.format(
        conditions=" and ".join(
            queries.equal_to({"e.study": source.study, "e.arm": source.where.arm})
        )
    )
    crossed = [row | {"crossed": row["name"] in planted} for row in drawn]
    chart = cost_chart(crossed, words, x_title=f"{unit} a reply that is rated")
    return Figure("estimators", TITLE, caption, tuple(rows), sql, chart, left)


def rows_of(table: EstimatorTable) -> list[Row]:
    """Return the estimators of a table as rows of numbers."""
    return [
        json_object(
            {
                "arm": table.arm,
                "part": table.part,
                "name": row.name,
                "simulated": table.simulated or row.simulated,
                "n": row.quality.n,
                "questions": table.questions,
                "auroc": row.quality.over.mean,
                "ci_low": row.quality.over.ci_low,
                "ci_high": row.quality.over.ci_high,
                "auroc_within": row.quality.within.mean,
                "dollars": row.alone.dollars,
                "calls": row.alone.calls,
                "seconds": row.alone.seconds,
                "may_be_best": row.quality.may_be_best,
            }
        )
        for row in table.estimators
    ]


def row_known(row: Row) -> bool:
    """Tell whether an estimator has a place in the chart."""
    return row["auroc"] is not None and row["name"] != LENGTH


def with_cost(rows: Sequence[Row]) -> tuple[list[Row], str]:
    """Return rows with their cost and whether none is as good for less, and the unit of the cost.

    Dollars where all are known and something costs some, else calls.
    """
    dollars = [row["dollars"] for row in rows]
    priced = None not in dollars and any(dollars)
    unit = "dollars" if priced else "calls"
    costed = [row | {"cost": row[unit] or 0.0} for row in rows]
    return [
        row
        | {
            "front": not any(
                (other["auroc"], -other["cost"]) > (row["auroc"], -row["cost"])
                and other["cost"] <= row["cost"]
                for other in costed
            )
        }
        for row in costed
    ], unit
