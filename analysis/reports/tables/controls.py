"""Show the contrasts of control arms as blocks: ratings in percent, differences in points."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from analysis.reports.blocks import Block, table
from analysis.reports.controls import ContrastRow, ControlFindings
from analysis.reports.tables.claims import claim_headings, these_interval
from analysis.reports.tables.formatting import (
    HasInterval,
    decimal,
    interval,
    number_interval,
    p_value,
    percent,
    points,
)
from analysis.statistics.claims import LIKE_THESE

WHAT = {
    "opening": "first rating",
    "rise": "rise",
    "closing": "last rating",
    "words": "words a speech",
    "wins": "proposition's wins",
}


def control_blocks(findings: ControlFindings) -> Iterator[Block]:
    """Return the table of contrasts, with what each isolates in words."""
    rows = findings.contrasts
    several = len({row.plain for row in rows}) > 1
    scopes = claim_headings([row.claims for row in rows])
    notes = [
        f"{row.name}, {WHAT[row.what]}: {row.arm} ({number(row, row.a)}) minus {row.control}"
        f" ({number(row, row.b)}): {row.isolates}."
        for row in rows
    ]
    notes += [*scope_notes(findings), *findings.notes]
    if not rows:
        notes.append("No debate of a control arm has a match in the arm that it belongs to.")
    yield table(
        "Controls: what moves a rating; points, or words of a speech, with 95% intervals",
        ("contrast", "of", "pairs", "difference", *scopes, "p", "Holm"),
        [contrast_cells(row, scopes, several=several) for row in rows],
        notes,
        text_columns=2,
    )


def contrast_cells(row: ContrastRow, scopes: tuple[str, ...], *, several: bool) -> tuple[str, ...]:
    """Return the cells of a contrast, with the arm that it is of if there are several."""
    wider = limits(row, row.claims) if row.claims.speaks_of == LIKE_THESE else "-"
    cells = (wider, limits_of_these(row))[-len(scopes) :]
    pairs = str(row.difference.clusters)
    change = number(row, row.difference.mean, signed=True)
    p, p_holm = p_value(row.difference.p), p_value(row.p_holm)
    name = f"{row.plain}: {row.name}" if several else row.name
    return (name, WHAT[row.what], pairs, change, *cells, p, p_holm)


def number(row: ContrastRow, value: float, *, signed: bool = False) -> str:
    """Return a mean of a contrast in its unit."""
    if row.what == "words":
        return decimal(value, 1, signed=signed)
    return points(value) if signed or row.what == "rise" else percent(value)


def limits(row: ContrastRow, found: HasInterval) -> str:
    """Return an interval of a contrast in its unit, or "-"."""
    return number_interval(found, 1) if row.what == "words" else interval(found)


def limits_of_these(row: ContrastRow) -> str:
    """Return the interval of these models in the contrast's unit, or "-"."""
    if row.what != "words":
        return these_interval(row.claims)
    low, high = (decimal(end, 1) for end in (row.claims.these_ci_low, row.claims.these_ci_high))
    return low if low == "-" else f"{low} to {high}"


def scope_notes(findings: ControlFindings) -> Iterator[str]:
    """Say what the intervals speak of, and give those over motions where there are any."""
    if not findings.contrasts:
        return
    widest = max(findings.contrasts, key=lambda row: row.claims.models)
    if widest.claims.note:
        yield f"Intervals: {widest.claims.note}."
    motions = [
        f"{row.name}, {WHAT[row.what]}, {limits(row, row.over_motions)}"
        for row in findings.contrasts
        if not isnan(row.over_motions.ci_low)
    ]
    if motions:
        yield f"95% intervals of models and motions like these: {'; '.join(motions)}."
    elif widest.over_motions.note and widest.over_motions.note != widest.claims.note:
        yield f"No intervals over motions: {widest.over_motions.note}."
