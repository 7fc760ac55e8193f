"""Show what is missing by contestant and side, and how far it could move the headlines."""

from __future__ import annotations

from analysis.reports.blocks import Block, table
from analysis.reports.debate_findings import DebateFindings
from analysis.reports.losses import Losses
from analysis.reports.tables.formatting import is_defined, percent, points
from arena.text import pluralize


def losses_notes(debates: DebateFindings) -> list[str]:
    """Say how far the headlines could move, if so much is missing that it matters."""
    lost = debates.losses
    limits = lost.bounds
    if not lost.matters or limits is None:
        return []
    words = (
        f"OF THOSE PLAYED: {percent(lost.share)}% of the ratings in {debates.phases[-1].phase} are"
        f" not there ({pluralize(lost.failed, 'debate')} failed,"
        f" {pluralize(lost.missing, 'rating')} missing). Whatever they are, the mean lies from"
        f" {percent(limits.last_low)} to {percent(limits.last_high)}"
    )
    if is_defined(limits.rise_low):
        words += f", the rise from {points(limits.rise_low)} to {points(limits.rise_high)}"
    return [f"{words}."]


def losses_block(lost: Losses) -> Block:
    """Return failed debates and missing ratings by contestant and side."""
    rows = [
        (
            *(row.contestant or "unknown", row.side, row.debates, row.failed),
            *(row.own, row.motions, row.missing),
        )
        for row in lost.rows
    ]
    notes = []
    if rows:
        notes.append("own call: debates that ended where a call of this side failed.")
    if lost.half_pairs:
        pairs = pluralize(lost.half_pairs, "mirrored pair")
        notes.append(f"Of {pairs} of debates one half is finished and the other is not.")
    title = "Failed debates and missing ratings, by contestant and side"
    headings = "contestant, side, debates, failed, own call, motions, missing"
    return table(title, headings, rows, notes, text_columns=2)
