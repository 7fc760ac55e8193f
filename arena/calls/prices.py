"""Compute the cost of calls: pure functions of prices and token counts.

An unknown price is None, never zero.  The worst case of a call is reserved before it is sent.  No
tokenizer is used for it, since that would need a download: a token of a prompt has at least one
byte, so the bytes of a prompt, and of what is sent beside it, bound its tokens from above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from arena.errors import StudyError
from arena.images import MOST_TOKENS_OF_AN_IMAGE
from arena.price import RATES
from arena.sampling import beside_messages
from arena.types import Message, Model, Price, Reply, Request

# Tokens that a provider's template may put around each message and before the reply.
TOKENS_AROUND_A_MESSAGE = 16
EXAMPLE = "http/llama-3.1-8b=0.20,0.60"


def parse_price(text: str) -> tuple[str, Price]:
    """Return (model, price) of "MODEL=IN,OUT", "...,CACHED" or "...,CACHED,WRITTEN".

    Prices are dollars per million tokens: of a prompt, of a reply, of prompt tokens that a cache
    serves, and of those that are written to one.  Raises StudyError for anything else.
    """
    model, _, figures = text.rpartition("=")
    try:
        parts = [float(figure) for figure in figures.split(",")]
    except ValueError:
        parts = []
    if (
        not model
        or len(parts) not in (2, 3, 4)
        or not all(0 <= part < float("inf") for part in parts)
    ):
        raise StudyError(
            "a price is written MODEL=IN,OUT or MODEL=IN,OUT,CACHED or MODEL=IN,OUT,CACHED,WRITTEN"
            f" in dollars per million tokens, such as {EXAMPLE}; found {text!r}"
        )
    cached, written = (*parts[2:], None, None)[:2]
    return model, Price(parts[0], parts[1], cached, tokens_cache_written=written)


def price_of(model: Model, by_hand: Mapping[str, Price]) -> Price | None:
    """Return the price of a model, None if unknown.

    A price by hand for its name takes precedence over the one that it states itself.
    """
    own = model.price
    override = by_hand.get(model.name)
    if override is None or override.longest_reply is not None:
        return override or own
    # A price on the command line has no bound of the reply: the model's own one still holds.
    return replace(override, longest_reply=own.longest_reply if own else model.longest_reply)


def price_at_length(price: Price, tokens_in: int) -> Price:
    """Return the price that holds for a prompt of this many tokens."""
    # Prices are nested: each one names the next length and the price beyond it.
    while price.long_prompt_price is not None and tokens_in > price.long_prompt_price[0]:
        price = price.long_prompt_price[1]
    return price


def price_in_batch(price: Price, factor: float = 1.0) -> Price:
    """Return the price of a call in a batch: its own, or the share that its provider charges."""
    if price.batch_price is not None or factor == 1:
        return price.batch_price or price
    rates: dict[str, Any] = {
        name: rate * factor for name in RATES if (rate := getattr(price, name)) is not None
    }
    longer = price.long_prompt_price
    if longer is not None:
        longer = longer[0], price_in_batch(longer[1], factor)
    source = f"{price.source}, times {factor:g} in a batch"
    return replace(price, **rates, long_prompt_price=longer, source=source)


def cost_usd(price: Price, reply: Reply) -> float | None:
    """Return the dollars for a reply by its token counts, None if these are unknown."""
    if reply.tokens_in is None or reply.tokens_out is None:
        return None
    price = price_at_length(price, reply.tokens_in)
    # Some providers count more reasoning tokens than tokens: never a negative rest.
    reasoning = min(reply.tokens_reasoning or 0, reply.tokens_out)
    per_reasoning = price.tokens_out if price.tokens_reasoning is None else price.tokens_reasoning
    spoken = reply.tokens_out - reasoning
    return (prompt_cost(price, reply) + spoken * price.tokens_out + reasoning * per_reasoning) / 1e6


def cache_saved_usd(price: Price, reply: Reply) -> float | None:
    """Return the dollars that a cache saved: below 0 where writing to it cost more.

    None if the provider did not count what the cache served.
    """
    if reply.tokens_in is None or reply.tokens_cached is None:
        return None
    price = price_at_length(price, reply.tokens_in)
    return (reply.tokens_in * price.tokens_in - prompt_cost(price, reply)) / 1e6


def prompt_cost(price: Price, reply: Reply) -> float:
    """Return the cost of a prompt in millionths of a dollar, by what a cache served and took."""
    tokens = reply.tokens_in or 0
    # Some providers count more cached tokens than tokens: never a negative rest.
    cached = min(reply.tokens_cached or 0, tokens)
    written = min(reply.tokens_cache_written or 0, tokens - cached)
    written_long = min(reply.tokens_cache_written_long or 0, written)
    per_cached = price.tokens_in if price.tokens_cached is None else price.tokens_cached
    per_long = written_price(price)
    if price.tokens_cache_written_long is not None:
        per_long = price.tokens_cache_written_long
    read = (tokens - cached - written) * price.tokens_in + cached * per_cached
    return read + (written - written_long) * written_price(price) + written_long * per_long


def written_price(price: Price) -> float:
    """Return the price of prompt tokens that are written to a cache."""
    return price.tokens_in if price.tokens_cache_written is None else price.tokens_cache_written


def prompt_bytes(messages: Sequence[Message]) -> int:
    """Return the bytes of a prompt's words in UTF-8."""
    return sum(len(message.content.encode("utf-8", "replace")) for message in messages)


def most_tokens(messages: Sequence[Message]) -> int:
    """Return a number of tokens that a prompt cannot exceed, whatever the tokenizer."""
    size = prompt_bytes(messages)
    images = sum(len(message.images) for message in messages)
    around = TOKENS_AROUND_A_MESSAGE * (len(messages) + 1)
    return size + around + MOST_TOKENS_OF_AN_IMAGE * images


def worst_case_usd(price: Price, request: Request, replies_in_prompt: int = 0) -> float | None:
    """Return the dollars that a call can cost at most.

    The prompt may hold so many replies more, each as long as one can be.  A schema and the tools in
    `extra` count as words of it, since providers bill them so.  None if neither the sampling nor
    the price bounds the length of a reply.
    """
    limit = request.sampling.max_tokens
    longest = price.longest_reply if limit is None else limit
    if longest is None:
        return None
    most = most_tokens(request.messages) + beside_messages(request.sampling)
    most += replies_in_prompt * longest
    dear = price_at_length(price, most)
    # The true count may lie below the length at which the price changes: take the dearer one.
    # Some models write whole prompts to their cache unasked, at more than the price of reading.
    per_in = max(
        max(
            *(each.tokens_in, each.tokens_cached or 0),
            *(written_price(each), each.tokens_cache_written_long or 0),
        )
        for each in (price, dear)
    )
    per_out = max(max(each.tokens_out, each.tokens_reasoning or 0) for each in (price, dear))
    return (most * per_in + longest * per_out) / 1e6
