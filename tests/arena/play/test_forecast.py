"""Forecasts: lengths of replies and of tokens from stored calls, and what caches will serve."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arena import Agent, Arena, Arm, Study, Subject
from arena.batches import BatchTerms
from arena.calls.batch_calls import BatchSettings
from arena.types import BaseModel, Price, PromptCache, Reply, Request
from protocols.debate import debate

pytestmark = pytest.mark.slow
SPEECH_WORDS = 120
ROUND_TRIP = "<speech>{}</speech><thoughts>{}</thoughts><rating>60</rating>"


class CountedModel(BaseModel):
    """A model that counts a token for 6 bytes, with a cache of its own; its replies differ."""

    name = "m/a"
    price = Price(2, 10, 0.2, tokens_cache_written=2.5)
    prompt_cache = PromptCache(64)

    async def __call__(self, request: Request) -> Reply:
        # Two placeholders of six letters tell replies apart.
        tag = f"{request.seed % 10**6:06d}"
        words, thoughts = f"{tag} " * SPEECH_WORDS, f"{tag} " * 10
        text = ROUND_TRIP.format(words.strip(), thoughts.strip())
        size = sum(len(message.content.encode()) for message in request.messages)
        # What is marked for reading was written before, by the first of both sides.
        ends = [prefix.end for prefix in request.shared]
        written = [p.end for p in request.shared if p.readers]
        cached = ends[0] // 6 if len(ends) > 1 else 0
        return Reply(
            text,
            tokens_in=size // 6,
            tokens_out=len(text) // 6,
            tokens_cached=cached,
            tokens_cache_written=max(0, max(written, default=0) // 6 - cached),
        )


def study(name: str, motion: str, model: CountedModel | None = None) -> Study:
    model = model or CountedModel()
    lineup = {"proposition": Agent("a", model), "opposition": Agent("a", model)}
    return Study(name, [Arm("d", debate, [lineup])], [Subject(motion)])


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    arena = Arena(tmp_path_factory.mktemp("forecast") / "a.duckdb")
    arena.run(study("played", "This house would play."))
    return arena


def test_a_forecast_is_near_what_the_same_debate_has_taken(arena: Arena) -> None:
    took = arena.sql("select sum(tokens_in), sum(tokens_out), sum(cost_usd) from calls").rows[0]
    expected = arena.dry_run(study("next", "This house would play."))
    assert expected.tokens_in == pytest.approx(took[0], rel=0.05)
    assert expected.tokens_out == pytest.approx(took[1], rel=0.02)
    assert expected.tokens_cached > 0.25 * expected.tokens_in
    assert expected.lengths is not None
    assert "6 stored calls" in expected.lengths
    assert "m/a" in expected.lengths


def test_a_length_by_hand_counts_instead_of_stored_ones(arena: Arena) -> None:
    expected = arena.dry_run(study("next", "This house would play."), reply_tokens=300)
    assert (expected.tokens_out, expected.lengths) == (6 * 300, None)


def test_batches_have_their_price_and_read_no_cache(tmp_path: Path) -> None:
    model = CountedModel()
    endpoint: Any = SimpleNamespace(terms=BatchTerms(1000, 10**8, 0.4))
    model.batches = endpoint
    planned = study("next", "This house would play.", model)
    alone = Arena(tmp_path / "a.duckdb").dry_run(planned)
    batched = Arena(tmp_path / "a.duckdb", batches=BatchSettings()).dry_run(planned)
    assert (batched.tokens_in, batched.tokens_out) == (alone.tokens_in, alone.tokens_out)
    assert alone.tokens_cached > batched.tokens_cached == 0
    plain = (alone.tokens_in * 2 + alone.tokens_out * 10) / 1e6
    assert batched.usd == pytest.approx(0.4 * plain)


def test_an_empty_store_tells_nothing(tmp_path: Path) -> None:
    expected = Arena(tmp_path / "a.duckdb").dry_run(study("next", "This house would play."))
    assert (expected.tokens_out, expected.lengths) == (6 * 500, None)
