"""Show how much models reasoned as a block: tokens of a reply, beside the effort asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from analysis.read.efforts import EffortRow
from analysis.reports.blocks import Block, table

LEFT_OPEN = "-"


def effort_blocks(rows: Sequence[EffortRow]) -> Iterator[Block]:
    """Return the reasoning tokens of each model and effort, and which settings were left out."""
    if not any(row.has_effort or row.lost_effort for row in rows):
        if said := tuple(left_out_notes(rows)):
            yield Block("Settings left out", notes=said)
        return
    cells = [
        (
            row.model,
            " ".join((row.effort or LEFT_OPEN, *(["(left out)"] if row.lost_effort else []))),
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
    yield from left_out_notes(rows)
    carried = [row for row in rows if not row.lost_effort]
    for word in sorted({row.effort for row in carried if row.effort is not None}):
        models = sorted({row.model for row in carried if row.effort == word})
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


def left_out_notes(rows: Sequence[EffortRow]) -> Iterator[str]:
    """Say which settings no request carried, and which agents they do not tell apart."""
    for model in sorted({row.model for row in rows}):
        mine = [row for row in rows if row.model == model]
        every = sum(row.replies for row in mine)
        counts: Counter[str] = Counter()
        for row in mine:
            counts.update(dict.fromkeys(row.left_out, row.replies))
        by_count: dict[int, list[str]] = {}
        for name, count in counts.most_common():
            by_count.setdefault(count, []).append(name)
        said = "; ".join(
            f"{', '.join(names)} ({count:,} of {every:,} replies)"
            for count, names in by_count.items()
        )
        if said:
            yield f"Settings left out for {model}: {said}."
        agents = sorted({agent for row in mine if row.lost_effort for agent in row.agents})
        if len(agents) > 1:
            yield (
                f"{', '.join(agents[:-1])} and {agents[-1]} do not differ in effort: no request to"
                f" {model} carried one."
            )
