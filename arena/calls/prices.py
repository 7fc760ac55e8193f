"""What calls cost: pure functions of prices and token counts.  Missing is None: an unknown price is not zero.

The worst case of a call is what is reserved before it is sent.  No tokenizer is asked, since that would need a download: a token of a prompt
has at least one byte, so that the bytes of a prompt bound its tokens from above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from arena.errors import StudyError
from arena.types import Message, Model, Price, Reply, Request

# What a provider's template may put around each message and before the reply.
TOKENS_AROUND_A_MESSAGE = 16
EXAMPLE = "http/llama-3.1-8b=0.20,0.60"


def parse_price(text: str) -> tuple[str, Price]:
    """(model, price) of "MODEL=IN,OUT" or "MODEL=IN,OUT,CACHED", in dollars per million tokens.  Raises StudyError for anything else."""
    model, _, figures = text.rpartition("=")
    try:
        parts = [float(figure) for figure in figures.split(",")]
    except ValueError:
        parts = []
    if not model or len(parts) not in (2, 3) or not all(0 <= part < float("inf") for part in parts):
        raise StudyError(
            f"a price is written MODEL=IN,OUT or MODEL=IN,OUT,CACHED in dollars per million tokens, such as {EXAMPLE}; found {text!r}"
        )
    return model, Price(parts[0], parts[1], parts[2] if len(parts) == 3 else None)


def price_of(model: Model, by_hand: Mapping[str, Price]) -> Price | None:
    """The price of a model: the one given by hand for its name before the one that it knows itself, None where there is neither."""
    known = model.price
    given = by_hand.get(model.name)
    if given is None or given.longest_reply is not None:
        return given or known
    return replace(given, longest_reply=known.longest_reply if known else model.longest_reply)


def price_at_length(price: Price, tokens_in: int) -> Price:
    """The price that holds for a prompt of this many tokens."""
    while price.long_prompt_price is not None and tokens_in > price.long_prompt_price[0]:
        price = price.long_prompt_price[1]
    return price


def cost_usd(price: Price, reply: Reply) -> float | None:
    """Dollars for a reply by its token counts, None where these are not known."""
    if reply.tokens_in is None or reply.tokens_out is None:
        return None
    price = price_at_length(price, reply.tokens_in)
    cached, reasoning = (
        min(reply.tokens_cached or 0, reply.tokens_in),
        min(reply.tokens_reasoning or 0, reply.tokens_out),
    )
    per_cached = price.tokens_in if price.tokens_cached is None else price.tokens_cached
    per_reasoning = price.tokens_out if price.tokens_reasoning is None else price.tokens_reasoning
    fresh, spoken = reply.tokens_in - cached, reply.tokens_out - reasoning
    return (
        fresh * price.tokens_in
        + cached * per_cached
        + spoken * price.tokens_out
        + reasoning * per_reasoning
    ) / 1e6


def most_tokens(messages: Sequence[Message]) -> int:
    """A number of tokens that a prompt cannot exceed, whatever the tokenizer."""
    return (
        sum(
            len(message.content.encode("utf-8", "replace")) + TOKENS_AROUND_A_MESSAGE
            for message in messages
        )
        + TOKENS_AROUND_A_MESSAGE
    )


def worst_case_usd(price: Price, request: Request) -> float | None:
    """Dollars that a call can cost at most, None where neither the sampling nor the price bounds the length of the reply."""
    longest = (
        price.longest_reply if request.sampling.max_tokens is None else request.sampling.max_tokens
    )
    if longest is None:
        return None
    most = most_tokens(request.messages)
    dear = price_at_length(price, most)
    per_in = max(price.tokens_in, dear.tokens_in, price.tokens_cached or 0, dear.tokens_cached or 0)
    per_out = max(
        price.tokens_out, dear.tokens_out, price.tokens_reasoning or 0, dear.tokens_reasoning or 0
    )
    return (most * per_in + longest * per_out) / 1e6
