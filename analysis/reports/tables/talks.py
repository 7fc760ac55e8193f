"""Show what talking changes at tables of agents, and what a place does, as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.blocks import Block, table
from analysis.reports.tables.formatting import interval, is_defined, percent, points
from analysis.reports.talks import PlaceRow, StageRow, TalkFindings
from analysis.statistics.bootstrap import Interval


def talk_blocks(found: TalkFindings) -> Iterator[Block]:
    """Return the findings of one study."""
    if found.stages:
        yield stages_block(found.stages)
    if found.places:
        yield places_block(found.places)


def in_points(difference: Interval) -> str:
    """Return a difference with its interval, in points."""
    if not is_defined(difference.ci_low):
        return points(difference.mean)
    low, high = points(difference.ci_low), points(difference.ci_high)
    return f"{points(difference.mean)} ({low} to {high})"


def stages_block(rows: Sequence[StageRow]) -> Block:
    """Return the share of right answers by stage, against the first answers of the same seats."""
    cells = [
        (
            row.arm,
            row.stage,
            row.plays,
            row.answers,
            f"{percent(row.accuracy.mean)} ({interval(row.accuracy, 0)})",
            percent(row.at_first),
            in_points(row.change),
        )
        for row in rows
    ]
    return table(
        "Tables: right answers of seats by stage, percent, and against their first, points (95%)",
        "arm, stage, plays, answers, right (95%), at first, change",
        cells,
        ["at first: first answers of the seats that have one at this stage; talks may end early."],
    )


def places_block(rows: Sequence[PlaceRow]) -> Block:
    """Return how often replies were followed by their place in the reader's prompt."""
    cells = [
        (
            row.arm,
            row.place,
            row.shown,
            row.authors,
            f"{percent(row.followed.mean)} ({interval(row.followed, 0)})",
            in_points(row.against_first),
        )
        for row in rows
    ]
    return table(
        "Tables: replies whose answer the reader changed to, by place in the prompt, percent (95%)",
        "arm, place, shown, authors, followed (95%), against the first",
        cells,
        [
            "Of prompts that show more than one answer of others. Where one author alone stands in"
            " a place, its seat and the place cannot be told apart (places=williams mixes them)."
        ],
    )
