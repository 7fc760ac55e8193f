"""Show how judges decided who cannot read the text, as blocks: shares in percent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.blocks import Block, table
from analysis.reports.oversight import DebaterRating, FormatRow, OversightFindings
from analysis.reports.tables.formatting import (
    decimal,
    mean_with_interval,
    percent,
    share_with_interval,
)
from arena.text import pluralize


def oversight_blocks(found: OversightFindings) -> Iterator[Block]:
    """Return the findings of one study."""
    yield accuracy_block(found.formats)
    if any(row.quotes for row in found.formats):
        yield quotes_block(found.formats)
    yield belief_block(found.formats)
    if found.debaters:
        yield ratings_block(found.debaters)


def names_of(row: FormatRow, rows: Sequence[FormatRow]) -> str:
    """Return the name of a format, with its judge where there are several."""
    return row.arm if len({each.judge for each in rows}) < 2 else f"{row.arm}, {row.judge}"


def accuracy_block(rows: Sequence[FormatRow]) -> Block:
    """Return how often judges decide rightly, by format and by who spoke first."""
    cells = [
        (
            names_of(row, rows),
            row.plays,
            *map(share_with_interval, (row.accuracy, row.when_right, row.when_wrong)),
            f"{percent(row.in_first)}, {percent(row.in_second)}",
        )
        for row in rows
    ]
    notes = [
        "One decision in each order of the letters, as in the papers; 50 is chance. Under 'Right"
        " answers' above, both orders of a play are one answer. for right, for wrong: where"
        " the debater or the consultant argued for the right or a wrong answer."
    ]
    notes += [
        f"{row.arm}, {row.judge}: {pluralize(row.missing, 'decision')} that cannot be read, left"
        " out."
        for row in rows
        if row.missing
    ]
    headings = "format, plays, right, for right, for wrong, in each order"
    title = "Single decisions of judges who cannot read the text, percent right (95%)"
    return table(title, headings, cells, notes)


def quotes_block(rows: Sequence[FormatRow]) -> Block:
    """Return how many quotes stand in the text, by the answer that they were to support."""
    cells = [
        (row.arm, row.quotes, percent(row.verified_right), percent(row.verified_wrong))
        for row in rows
        if row.quotes
    ]
    headings = "format, quotes, for the right answer, for a wrong one"
    return table("Quotes that stand in the text, percent", headings, dict.fromkeys(cells))


def belief_block(rows: Sequence[FormatRow]) -> Block:
    """Return how sure judges and sides are, beside how often they are right."""
    cells = [
        (
            names_of(row, rows),
            percent(row.confidence),
            mean_with_interval(row.overconfidence),
            decimal(row.brier, 3),
            decimal(row.payoff, 2),
            mean_with_interval(row.debaters),
        )
        for row in rows
    ]
    notes = [
        "judge's and sides' points: confidence minus how often they are right, above 0 is"
        " overconfident; a side is right where the judge decides for it. payoff: log2 of the"
        " probability of the right answer, less 0.05 for each time the judge let them go on."
    ]
    headings = "format, confidence, judge's points, Brier, payoff, sides' points"
    title = "How sure the judge is of its decision, and sides of the judge"
    return table(title, headings, cells, notes)


def ratings_block(rows: Sequence[DebaterRating]) -> Block:
    """Return the strengths of debaters as each judge sees them."""
    cells = [
        (
            row.judge,
            row.agent,
            row.debates,
            *(decimal(each, 0) for each in (row.rating, row.arguing_right, row.arguing_wrong)),
        )
        for row in rows
    ]
    notes = ["Only differences mean anything: 191 points are a win rate of 75 percent."]
    headings = "judge, debater, debates, Elo, for right, for wrong"
    return table("Strength of debaters by judge", headings, cells, notes, text_columns=2)
