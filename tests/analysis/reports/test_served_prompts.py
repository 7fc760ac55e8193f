"""A report says what share of the prompts providers' caches have served, and what it saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena import Agent, Arena, Arm, Study, Subject
from arena.types import BaseModel, Price, Reply, Request
from protocols.single import single


class Solver(BaseModel):
    """A model whose provider counts what its cache served and took."""

    def __init__(self, name: str, price: Price | None, cached: int, written: int | None) -> None:
        self.name = name
        self.price = price
        self._counts = cached, written

    async def __call__(self, request: Request) -> Reply:
        cached, written = self._counts
        return Reply(
            r"\boxed{4}",
            tokens_in=1000,
            tokens_out=10,
            tokens_cached=cached,
            tokens_cache_written=written,
        )


@pytest.mark.slow
def test_a_report_says_what_caches_have_served_and_saved(tmp_path: Path) -> None:
    price = Price(2, 10, 0.2, tokens_cache_written=2.5)
    models = [
        Solver("m/reads", price, cached=500, written=0),
        Solver("m/writes", price, cached=0, written=1000),
        Solver("m/unpriced", None, cached=100, written=None),
        Solver("m/plain", price, cached=0, written=0),
    ]
    lineups = [{"solver": Agent(model.name, model)} for model in models]
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("s", [Arm("one", single, lineups)], [Subject("2 + 2?", "question", "4")]))
    (found,) = arena.report("s")
    rows = {row.model: row for row in found.caches or ()}
    assert rows.keys() == {"m/reads", "m/writes", "m/unpriced"}
    assert (rows["m/reads"].share, rows["m/unpriced"].share) == (0.5, 0.1)
    saved = [rows[name].saved_usd for name in ("m/reads", "m/writes")]
    # 500 tokens at 0.2 instead of 2; 1,000 at 2.5 instead of 2.
    assert saved == pytest.approx([900e-6, -500e-6])
    assert rows["m/unpriced"].saved_usd is None
    text = " ".join(repr(arena.report("s")).split())
    assert "Prompts served from providers' caches" in text
    assert "Below 0: what was written to a cache cost more than reading it has saved." in text
    assert arena.sql("from prompt_caches where study = 's' and share_cached > 0").rows
