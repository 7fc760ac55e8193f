"""Show what seats say aside against what they say in their turns, as a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from analysis.reports.asides import AsideDifference
from analysis.reports.blocks import Block, table
from analysis.reports.tables.formatting import mean_with_interval, percent

HEADINGS = "agent, phase, pairs, turn, aside, aside less turn, missing"
NOTE = (
    "In percent; differences in points with 95% intervals, plays as clusters. pairs: turns with a"
    " rating, and one aside. missing: turns + asides whose rating could not be read, or was not"
    " asked for. Nobody was shown an aside, its author included."
)


def aside_blocks(found: Sequence[AsideDifference]) -> Iterator[Block]:
    """Yield a table for each question that was asked aside."""
    for (study, ask), rows in groupby(found, key=lambda row: (row.aside_study, row.ask)):
        asked = " ".join(ask.split())
        yield table(
            f"Ratings aside ({study})",
            HEADINGS,
            [
                (
                    row.agent,
                    row.phase,
                    row.pairs,
                    percent(row.stated),
                    percent(row.aside),
                    mean_with_interval(row.difference),
                    f"{row.without_stated} + {row.without_aside}",
                )
                for row in rows
            ],
            [NOTE, f"Asked: {asked if len(asked) <= 300 else asked[:299] + '…'}"],
            text_columns=2,
        )
