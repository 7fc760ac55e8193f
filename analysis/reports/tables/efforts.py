"""Show how much models reasoned as a block: tokens of a reply, beside the effort asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.read.efforts import EffortRow
from analysis.reports.blocks import Block, table

LEFT_OPEN = "-"


def effort_blocks(rows: Sequence[EffortRow]) -> Iterator[Block]:
    """Return the reasoning tokens of each model and effort, none without an effort."""
    if not rows:
        return
    cells = [
        (
            row.model,
            row.effort or LEFT_OPEN,
            "-" if row.bound is None else f"{row.bound:,}",
            f"{row.replies:,}",
            f"{row.counted:,}",
            *(
                "-" if value is None else f"{value:,.0f}"
                for value in (row.mean, row.median, row.most, row.mean_out)
            ),
        )
        for row in rows
    ]
    headings = (
        "model, effort asked for, thinking tokens, replies, counted, reasoning mean, median, most,"
        " tokens out"
    )
    title = "Reasoning tokens of a reply"
    yield table(title, headings, cells, list(effort_notes(rows)), text_columns=2)


def effort_notes(rows: Sequence[EffortRow]) -> Iterator[str]:
    """Say what the words of efforts do not say, and where nothing was counted."""
    words = sorted({row.effort for row in rows if row.effort is not None})
    for word in words:
        models = sorted({row.model for row in rows if row.effort == word})
        if len(models) > 1:
            names = f"{', '.join(models[:-1])} and {models[-1]}"
            yield (
                f"{names} were asked with the same word, {word!r}: each model means another amount"
                " by it. `arena compare --match tokens` compares at equal spending."
            )
    if any(row.effort is None and row.bound is None for row in rows):
        yield "Without an effort (-) each model reasons as its provider has set it, or not at all."
    if missing := sorted({row.model for row in rows if row.counted < row.replies}):
        yield f"Some replies of {', '.join(missing)} came without a number of reasoning tokens."
