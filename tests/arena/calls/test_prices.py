"""Prices: what a reply costs, what a call can cost at most, and what is not known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.calls.prices import (
    cache_saved_usd,
    cost_usd,
    most_tokens,
    parse_price,
    price_in_batch,
    price_of,
    worst_case_usd,
)
from arena.errors import StudyError
from arena.types import Message, Place, Price, Reply, Request, Sampling
from tests.fake_agents import agent

LONG = Price(4, 8, 1)
PRICE = Price(2, 4, 0.5, longest_reply=1000, long_prompt_price=(200, LONG))


def request(words: str = "", max_tokens: int | None = None) -> Request:
    return Request(
        (Message("user", words),), Sampling(max_tokens=max_tokens), 1, Place("e", "s", 0, 0, "p", 0)
    )


@pytest.mark.parametrize(
    ("price", "counts", "dollars"),
    [
        (PRICE, {"tokens_in": 100, "tokens_out": 10}, 240e-6),
        (PRICE, {"tokens_in": 100, "tokens_out": 10, "tokens_cached": 60}, 150e-6),
        (PRICE, {"tokens_in": 201, "tokens_out": 10, "tokens_cached": 1}, 881e-6),
        (
            Price(2, 4, tokens_reasoning=6),
            {"tokens_in": 100, "tokens_out": 10, "tokens_reasoning": 4},
            248e-6,
        ),
        # 20 tokens at 2, 30 from the cache, 40 written for a short and 10 for a long time.
        (
            Price(2, 4, 0.2, tokens_cache_written=2.5, tokens_cache_written_long=4),
            {
                "tokens_in": 100,
                "tokens_out": 10,
                "tokens_cached": 30,
                "tokens_cache_written": 50,
                "tokens_cache_written_long": 10,
            },
            226e-6,
        ),
        # Counts of a provider that count tokens twice.
        (
            Price(2, 4, 0.2, tokens_cache_written=2.5),
            {"tokens_in": 100, "tokens_out": 0, "tokens_cached": 90, "tokens_cache_written": 100},
            43e-6,
        ),
        (PRICE, {"tokens_in": 100}, None),
        (PRICE, {"tokens_out": 100}, None),
    ],
)
def test_a_reply_costs_what_a_hand_would_add_up(
    price: Price, counts: dict[str, int], dollars: float | None
) -> None:
    assert cost_usd(price, Reply("", **counts)) == (
        None if dollars is None else pytest.approx(dollars)
    )  # type: ignore[arg-type]


def test_a_cache_saves_the_reads_and_costs_the_writes() -> None:
    price = Price(2, 4, 0.2, tokens_cache_written=2.5)
    read = Reply("", tokens_in=100, tokens_out=10, tokens_cached=50)
    written = Reply("", tokens_in=100, tokens_out=10, tokens_cached=0, tokens_cache_written=100)
    uncounted = Reply("", tokens_in=100, tokens_out=10)
    saved = [cache_saved_usd(price, reply) for reply in (read, written)]
    assert saved == pytest.approx([90e-6, -50e-6])
    assert cache_saved_usd(price, uncounted) is None


def test_a_call_in_a_batch_costs_the_price_of_batches_where_it_is_known() -> None:
    half = Price(1, 2, source="a list, in a batch")
    assert price_in_batch(Price(2, 4, batch_price=half)) == half
    assert price_in_batch(PRICE) == PRICE


@given(st.text(max_size=500), st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_no_reply_within_its_bounds_costs_more_than_the_worst_case(
    words: str, tokens_out: int, share: float, long: float
) -> None:
    asked = request(words)
    price = replace(PRICE, tokens_cache_written=2.5, tokens_cache_written_long=9)
    worst = worst_case_usd(price, asked)
    tokens_in = int(share * most_tokens(asked.messages))
    counts = {"tokens_in": tokens_in, "tokens_out": tokens_out, "tokens_cached": tokens_in // 2}
    written = tokens_in // 2
    counts |= {"tokens_cache_written": written, "tokens_cache_written_long": int(long * written)}
    cost = cost_usd(price, Reply("", **counts))
    assert worst is not None
    assert cost is not None
    assert cost <= worst + 1e-15


def test_a_schema_and_tools_count_in_the_worst_case_by_their_bytes() -> None:
    plain = request("words", max_tokens=10)
    schema = {"type": "object", "properties": {"größe": {"type": "number"}}}
    for setting in ("response_schema", "extra"):
        named: dict[str, Any] = {setting: schema}
        sampling = replace(plain.sampling, **named)
        more = worst_case_usd(PRICE, replace(plain, sampling=sampling))
        least = worst_case_usd(PRICE, plain)
        assert more is not None
        assert least is not None
        assert more - least == pytest.approx(2e-6 * len(orjson.dumps(schema)))


def test_the_sampling_bounds_a_reply_before_the_price_and_without_either_nothing_does() -> None:
    assert worst_case_usd(Price(0, 1), request(max_tokens=10)) == pytest.approx(10e-6)
    assert worst_case_usd(Price(0, 1, longest_reply=500), request()) == pytest.approx(500e-6)
    assert worst_case_usd(Price(0, 1), request()) is None


def test_a_price_by_hand_comes_before_the_models_own_and_keeps_its_bound() -> None:
    model = agent().model
    object.__setattr__(model, "price", PRICE)
    assert price_of(model, {}) == PRICE
    assert price_of(model, {"scripted/echo": Price(1, 1)}) == Price(1, 1, longest_reply=1000)


def test_a_price_is_read_from_text() -> None:
    assert parse_price("http/a=b:8b=0.2,0.6") == ("http/a=b:8b", Price(0.2, 0.6))
    assert parse_price("m=1,2,0.1") == ("m", Price(1, 2, 0.1))
    written = Price(1, 2, 0.1, tokens_cache_written=1.25)
    assert parse_price("m=1,2,0.1,1.25") == ("m", written)
    for wrong in ("m", "m=1", "=1,2", "m=1,-2", "m=a,b", "m=nan,1", "m=1,2,3,4,5"):
        with pytest.raises(StudyError, match="a price is written"):
            parse_price(wrong)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((-1, -1), "0 or more; found tokens_in=-1"),
        ((1, None), "found tokens_out=None"),
        ((1, float("inf")), "found tokens_out=inf"),
        ((1, 2, "a tenth"), "found tokens_cached='a tenth'"),
        ((1, 2, None, None, 0), "the longest reply is a number of tokens above 0, found 0"),
    ],
)
def test_a_price_that_is_none_is_refused_in_a_sentence(rates: Any, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Price(*rates)


@pytest.mark.parametrize(
    "odd",
    [
        {"tokens_in": True},
        {"tokens_in": 10**400},
        {"tokens_cached": math.nan},
        {"longest_reply": True},
        {"long_prompt_price": LONG},
        {"long_prompt_price": (math.nan, LONG)},
        {"long_prompt_price": (-5, LONG)},
        {"long_prompt_price": (True, LONG)},
        {"long_prompt_price": (200, 3)},
        {"batch_price": 0.5},
    ],
)
def test_a_price_of_other_types_is_refused_with_what_was_found(odd: dict[str, Any]) -> None:
    with pytest.raises(StudyError, match=r"price|longest reply"):
        Price(**{"tokens_in": 2, "tokens_out": 4, **odd})
