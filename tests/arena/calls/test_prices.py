"""Prices: what a reply costs, what a call can cost at most, and what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.calls.prices import cost_usd, most_tokens, parse_price, price_of, worst_case_usd
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


@given(st.text(max_size=500), st.integers(0, 1000), st.floats(0, 1))
def test_no_reply_within_its_bounds_costs_more_than_the_worst_case(
    words: str, tokens_out: int, share: float
) -> None:
    asked = request(words)
    worst = worst_case_usd(PRICE, asked)
    tokens_in = int(share * most_tokens(asked.messages))
    cost = cost_usd(
        PRICE, Reply("", tokens_in=tokens_in, tokens_out=tokens_out, tokens_cached=tokens_in // 2)
    )
    assert worst is not None
    assert cost is not None
    assert cost <= worst + 1e-15


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
    for wrong in ("m", "m=1", "=1,2", "m=1,-2", "m=a,b", "m=nan,1", "m=1,2,3,4"):
        with pytest.raises(StudyError, match="a price is written"):
            parse_price(wrong)
