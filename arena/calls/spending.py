"""What the earlier runs of a study have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.calls.prices import cost_usd
from arena.store.database import query
from arena.types import Price, Reply


@dataclass(frozen=True, slots=True)
class Spending:
    """What a study's calls have cost: dollars, calls of unknown cost at their worst case, and how many calls have not even that."""

    usd: float
    unpriced: int


def load_spending(path: Path, study: str, prices: Mapping[str, Price]) -> Spending:
    """What the earlier runs of a study have cost, calls included whose outcome died with their process.

    `prices` (by model) are for calls that had no price when they were made: their stored tokens cost what they would today.
    """
    rows = query(
        path,
        """
        with made as (
            select s.model, tokens_in, tokens_cached, tokens_out, tokens_reasoning, coalesce(cost_usd, worst_usd) as usd
            from calls join episodes using (episode) join seats s using (episode, seat) where study = ?)
        select model, tokens_in, tokens_cached, tokens_out, tokens_reasoning, count(*), sum(usd)
        from made group by 1, 2, 3, 4, 5, usd is null
        """,
        [study],
    ).rows
    usd, unpriced = 0.0, 0
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
