"""Show as a block what share of the prompts providers' caches have served, and what it saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.read.prompt_caches import PromptCacheRow
from analysis.reports.blocks import Block, table


def prompt_cache_blocks(rows: Sequence[PromptCacheRow]) -> Iterator[Block]:
    """Return what caches have served of each model's prompts, none where they served nothing."""
    if not rows:
        return
    cells = [
        (
            row.model,
            f"{row.calls:,}",
            f"{row.tokens_in:,}",
            f"{row.cached:,}",
            "-" if row.written is None else f"{row.written:,}",
            f"{100 * row.share:.0f}%",
            "-" if row.saved_usd is None else f"{row.saved_usd:,.4f}",
        )
        for row in rows
    ]
    headings = "model, calls, prompt tokens, from cache, written to it, share, saved $"
    notes = []
    if any(row.saved_usd is None for row in rows):
        notes.append("No dollars (-): the model has no price, or none for tokens from a cache.")
    if any(row.saved_usd is not None and row.saved_usd < 0 for row in rows):
        notes.append("Below 0: what was written to a cache cost more than reading it has saved.")
    yield table("Prompts served from providers' caches", headings, cells, notes)
