"""Define what a model's tokens cost, and how its provider keeps prompts for the next reader."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from arena.errors import StudyError
from arena.former_names import former_fields

# The rates of a price, of which the first two are always known.
RATES = (
    *("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning"),
    *("tokens_cache_written", "tokens_cache_written_long"),
)


@former_fields({"longer": "long_prompt_price"})
@dataclass(frozen=True, slots=True)
class Price:
    """Prices in dollars for a million tokens.

    `tokens_cached` and `tokens_reasoning` are None if they cost the same as `tokens_in` and
    `tokens_out`.  `longest_reply` is the largest number of tokens in a reply, None if unknown.
    `long_prompt_price` is a pair (tokens, price): a prompt of more than that many tokens costs that
    price instead.  `source` says who stated the prices, with the version of a list.

    `tokens_cache_written` is the price of prompt tokens that are written to a cache, and
    `tokens_cache_written_long` of those to be kept for longer than the provider's shortest time;
    None where these cost the same as `tokens_in`, and as `tokens_cache_written`.  `batch_price` is
    the price of calls in a batch, None if there is none or it is not known.
    """

    tokens_in: float
    tokens_out: float
    tokens_cached: float | None = None
    tokens_reasoning: float | None = None
    longest_reply: int | None = None
    long_prompt_price: tuple[int, Price] | None = None
    source: str = "by hand"
    tokens_cache_written: float | None = None
    tokens_cache_written_long: float | None = None
    batch_price: Price | None = None

    def __post_init__(self) -> None:
        for name in RATES:
            rate = getattr(self, name)
            number = is_number(rate) and 0 <= rate <= sys.float_info.max
            if not number and (rate is not None or name in RATES[:2]):
                raise StudyError(
                    f"a price is a number of dollars for a million tokens, 0 or more; found"
                    f" {name}={rate!r:.40}"
                )
        longest = self.longest_reply
        if longest is not None and not is_count(longest):
            raise StudyError(
                f"the longest reply is a number of tokens above 0, found {longest!r:.40}; leave it"
                " out where it is not known"
            )
        pair = self.long_prompt_price
        if pair is not None and not is_threshold(pair):
            raise StudyError(
                "the price of long prompts is a number of tokens above 0 and a Price, such as"
                f" (200_000, Price(2.5, 15)); found {pair!r:.80}"
            )
        if self.batch_price is not None and not isinstance(self.batch_price, Price):
            raise StudyError(
                f"the price of calls in a batch is a Price; found {self.batch_price!r:.40}"
            )


def is_number(value: object) -> bool:
    """Tell whether a value is a number; True, which is 1 to Python, is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_threshold(pair: object) -> bool:
    """Tell whether a value is a number of tokens and the price above it."""
    match pair:
        case (tokens, Price()):
            return is_count(tokens)
        case _:
            return False


@dataclass(frozen=True, slots=True)
class PromptCache:
    """How a provider keeps the beginnings of prompts, to read them again at a lower price.

    A beginning of fewer than `least_tokens` is not kept.
    """

    least_tokens: int = 1024
