"""Prices from the map that LiteLLM ships, read without importing LiteLLM, which takes seconds.

What the map does not have, or has as zero, is no price.  Nor have models whose calls cost more than their tokens (a search, a request, a
second of time): a price without that would say too little.  Where a provider is cheaper at some hours, the price is that of the other ones.
What is left out, since no lane asks for it: writing to caches, batches, priority, sound and pictures.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import orjson

from arena.types import Price

PRICE_MAP_FILE = "model_prices_and_context_window_backup.json"
# Modes of the map in which text is answered with text.
CHAT_MODES = ("chat", "responses")
# Models that search the web unasked, at a price for each search.
SEARCHES = re.compile(r"^perplexity/|sonar|(?<!nousre)search|-online$", re.IGNORECASE)
NON_TOKEN_COSTS = re.compile(
    r"(?:input|output)_cost_per_(?:request|second)|cost_per_second|citation_cost_per_token"
)
ABOVE_THRESHOLD = re.compile(r"(.+)_above_(\d+)k_tokens")
# The names that the map has for a provider besides its own.
PROVIDER_ALIASES = {
    "bedrock": ("bedrock_converse",),
    "cohere": ("cohere_chat",),
    "vertex_ai_beta": ("vertex_ai",),
}
# xAI's higher price holds from so many tokens on, everybody else's above so many.
INCLUSIVE_THRESHOLD = ("xai",)
Fields = dict[str, object]


@cache
def price_map() -> tuple[dict[str, dict[str, object]], str]:
    """(entries by model, where they are from) of the installed LiteLLM; no entries where it is not installed or has no map."""
    found = find_spec("litellm")
    try:
        entries = (
            orjson.loads((Path(found.origin).parent / PRICE_MAP_FILE).read_bytes())
            if found is not None and found.origin is not None
            else {}
        )
        return {
            name: entry for name, entry in entries.items() if isinstance(entry, dict)
        }, f"litellm {version('litellm')} price map"
    except (OSError, orjson.JSONDecodeError, PackageNotFoundError):
        return {}, "no price map"


def price_of_reference(reference: str) -> Price | None:
    """The price of a reference such as openai/gpt-5-mini or gemini/gemini-2.5-flash, None where LiteLLM's map has none.

    The whole reference is looked up first, then the name after the provider, where the map says that it is that provider's.
    """
    entries, source = price_map()
    provider, _, name = reference.partition("/")
    entry = entries.get(reference)
    if entry is None and belongs_to_provider(entries.get(name), provider):
        entry = entries[name]
    if (
        entry is None
        or entry.get("mode") not in CHAT_MODES
        or SEARCHES.search(reference)
        or has_non_token_costs(entry)
    ):
        return None
    source += ", at its dearer hours" if "off_peak_pricing" in entry else ""
    longest = entry.get("max_output_tokens")
    longest = longest if type(longest) is int and longest > 0 else None
    price, above = None, 0
    for begins, fields in reversed(price_tiers(entry)):
        longer = None if price is None else (above - (provider in INCLUSIVE_THRESHOLD), price)
        price, above = price_from_fields(fields, longest, longer, source), begins
        if price is None:
            return None
    return price


def belongs_to_provider(entry: Fields | None, provider: str) -> bool:
    """Whether an entry that is not named after a provider is that provider's."""
    of = str(entry.get("litellm_provider")) if entry is not None else ""
    return (
        of == provider
        or of in PROVIDER_ALIASES.get(provider, ())
        or (provider == "vertex_ai" and of.startswith("vertex_ai-"))
    )


def has_non_token_costs(entry: Fields) -> bool:
    """Whether a call that asks for text with text costs more than its tokens."""
    paints = "output_cost_per_image" in entry and entry.get("supported_output_modalities") != [
        "text"
    ]
    return paints or any(
        NON_TOKEN_COSTS.fullmatch(field) and value for field, value in entry.items()
    )


def price_tiers(entry: Fields) -> list[tuple[int, Fields]]:
    """(tokens of a prompt above which they hold, fields) in rising order; what a step does not say is as in the step below it."""
    ranges = entry.get("tiered_pricing")
    if isinstance(ranges, list):
        return sorted(((int(step["range"][0]), step) for step in ranges), key=lambda step: step[0])
    found: dict[int, Fields] = {}
    for field, value in entry.items():
        if value is not None and (match := ABOVE_THRESHOLD.fullmatch(field)):
            found.setdefault(int(match[2]) * 1000, {})[match[1]] = value
    rising = [(0, entry)]
    for above in sorted(found):
        rising.append(
            (above, rising[-1][1] | {"output_cost_per_reasoning_token": None} | found[above])
        )
    return rising


def price_from_fields(
    fields: Fields, longest: int | None, longer: tuple[int, Price] | None, source: str
) -> Price | None:
    """The price that some fields state, None where there is none for what goes in or comes out."""
    tokens_in, tokens_out = (
        dollars_per_million(fields, "input_cost_per_token"),
        dollars_per_million(fields, "output_cost_per_token"),
    )
    if tokens_in is None or tokens_out is None:
        return None
    return Price(
        tokens_in,
        tokens_out,
        tokens_cached=dollars_per_million(fields, "cache_read_input_token_cost")
        or dollars_per_million(fields, "input_cost_per_token_cache_hit"),
        tokens_reasoning=dollars_per_million(fields, "output_cost_per_reasoning_token"),
        longest_reply=longest,
        long_prompt_price=longer,
        source=source,
    )


def dollars_per_million(fields: Fields, field: str) -> float | None:
    """Dollars for a million tokens, None where the map says nothing or zero."""
    value = fields.get(field)
    return round(value * 1e6, 9) if isinstance(value, int | float) and 0 < value < 1 else None


def limit_longest_reply(price: Price | None, longest_reply: int | None) -> Price | None:
    """The price of a model whose lane asks for no more than so many tokens where the sampling has no limit; None changes nothing."""
    if price is None or longest_reply is None:
        return price
    return replace(price, longest_reply=min(longest_reply, price.longest_reply or longest_reply))
