"""Define what a model's tokens cost, and how its provider keeps prompts for the next reader."""

from __future__ import annotations

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
            number = isinstance(rate, int | float) and 0 <= rate < float("inf")
            if not number and (rate is not None or name in RATES[:2]):
                raise StudyError(
                    f"a price is a number of dollars for a million tokens, 0 or more; found"
                    f" {name}={rate!r:.40}"
                )
        longest = self.longest_reply
        if longest is not None and not (isinstance(longest, int) and longest > 0):
            raise StudyError(
                f"the longest reply is a number of tokens above 0, found {longest!r:.40}; leave it"
                " out where it is not known"
            )


@dataclass(frozen=True, slots=True)
class PromptCache:
    """How a provider keeps the beginnings of prompts, to read them again at a lower price.

    A beginning of fewer than `least_tokens` is not kept.
    """

    least_tokens: int = 1024
