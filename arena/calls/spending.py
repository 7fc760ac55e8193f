"""Read from the store how much the earlier runs of a study have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.calls.prices import cost_usd
from arena.store.database import select_rows
from arena.types import Price, Reply


@dataclass(frozen=True, slots=True)
class Spending:
    """The cost of a study's calls so far, in dollars.

    Calls of unknown cost count with their worst case; `unpriced` counts calls without even that.
    """

    usd: float
    unpriced: int


def load_spending(path: Path, study: str, prices: Mapping[str, Price]) -> Spending:
    """Return the cost of the earlier runs of a study.

    Calls whose outcome died with their process are included.  `prices` (by model) apply to calls
    that had no price at their time: their stored tokens cost as much as they would today.
    """
    rows = select_rows(
        path,
        """
        with priced as (
            select
                s.model, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
                coalesce(cost_usd, worst_usd) as usd
            from calls join episodes using (episode) join seats s using (episode, seat)
            where study = ?)
        select model, tokens_in, tokens_cached, tokens_out, tokens_reasoning, count(*), sum(usd)
        from priced
        -- Sums skip NULL, so calls of unknown cost need groups of their own.
        group by 1, 2, 3, 4, 5, usd is null
        """,
        [study],
    ).rows
    usd = 0.0
    unpriced = 0
    for model, tokens_in, cached, out, reasoning, count, known_usd in rows:
        reply = Reply(
            "",
            tokens_in=tokens_in,
            tokens_cached=cached,
            tokens_out=out,
            tokens_reasoning=reasoning,
        )
        today = cost_usd(prices[model], reply) if known_usd is None and model in prices else None
        if known_usd is None and today is None:
            unpriced += count
        usd += (today or 0.0) * count if known_usd is None else known_usd
    return Spending(usd, unpriced)
