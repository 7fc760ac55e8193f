"""Read from the store how much the earlier runs of a study have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.calls.prices import cost_usd
from arena.store.database import select_rows
from arena.types import Price, Reply

# Columns of the ledger that are fields of a reply too.
TOKEN_COUNTS = (
    *("tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning"),
    *("tokens_cache_written", "tokens_cache_written_long"),
)
FORGOTTEN = """
    select coalesce(sum(coalesce(cost_usd, 0) + coalesce(worst_usd, 0)), 0.0),
           coalesce(sum(unpriced), 0)::bigint
    from forgotten where study = ?
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """The cost of a study's calls so far, in dollars.

    Calls of unknown cost count with their worst case; `unpriced` counts calls without even that.
    """

    usd: float
    unpriced: int


def load_spending(path: Path, study: str, prices: Mapping[str, Price]) -> Spending:
    """Return the cost of the earlier runs of a study.

    Calls whose outcome died with their process are included, and those of forgotten episodes.
    `prices` (by model) apply to calls that had no price at their time: their stored tokens cost as
    much as they would today.
    """
    rows = select_rows(
        path,
        f"""
        with priced as (
            select s.model, {", ".join(TOKEN_COUNTS)}, coalesce(cost_usd, worst_usd) as usd
            from calls join all_episodes using (episode) join seats s using (episode, seat)
            where study = ?)
        select model, {", ".join(TOKEN_COUNTS)}, count(*), sum(usd)
        from priced
        -- Sums skip NULL, so calls of unknown cost need groups of their own.
        group by 1, 2, 3, 4, 5, 6, 7, usd is null
        """,
        [study],
    ).rows
    usd, unpriced = select_rows(path, FORGOTTEN, [study]).rows[0]
    for model, *tokens, count, known_usd in rows:
        if known_usd is not None:
            usd += known_usd
            continue
        reply = Reply("", **dict(zip(TOKEN_COUNTS, tokens, strict=True)))
        today = cost_usd(prices[model], reply) if model in prices else None
        if today is None:
            unpriced += count
        else:
            usd += today * count
    return Spending(usd, unpriced)
