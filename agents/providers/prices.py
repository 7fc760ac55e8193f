"""Know the prices of models: from the list in this package, or the one that LiteLLM ships.

The list in this package has OpenAI's, Anthropic's, Google's, Mistral's, DeepSeek's and xAI's own
models; `experiments/benchmarks/price_list.py` takes it from LiteLLM's map.  An installed LiteLLM
has those of all providers, and of these six as well if it is newer.  Its map is read without
importing LiteLLM, which takes seconds.  A price names its list, with version and date.

A model that is in no list, or is in it with zero, has no price.  Neither has a model whose calls
cost more than their tokens (a search, a request, a second of time): a price without that part would
be too low.  If a provider is cheaper at some hours, the price is that of the other hours.  Left
out, since no client here uses them: priority, flex, regions, sound and pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import orjson

from arena.types import Price, PromptCache

PRICE_MAP_FILE = "model_prices_and_context_window_backup.json"
PRICE_LIST = Path(__file__).with_name("price_list.json")
# Modes of the map in which text is answered with text.
CHAT_MODES = ("chat", "responses")
# Models that search the web without being told to, at a price for each search.
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
# xAI's higher price applies from a threshold on, everybody else's above it.
INCLUSIVE_THRESHOLD = ("xai",)
Fields = dict[str, object]
PriceList = tuple[dict[str, Fields], str]
# The price of a call in a batch stands in fields of this ending.
IN_BATCH = "_batches"
WRITTEN_LONG = "cache_creation_input_token_cost_above"
# Fewer tokens than this are cached nowhere, where the map says nothing.
LEAST_TOKENS = {"deepseek": 64}
OTHER_LEAST_TOKENS = 1024


@cache
def price_map() -> PriceList:
    """Return (entries by model, their source) of the installed LiteLLM.

    There are no entries if LiteLLM is not installed or has no map.
    """
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}, "no price map"
    try:
        entries = orjson.loads((Path(spec.origin).parent / PRICE_MAP_FILE).read_bytes())
        source = f"litellm {version('litellm')} price map"
    except (OSError, orjson.JSONDecodeError, PackageNotFoundError):
        return {}, "no price map"
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}, source


@cache
def shipped_list() -> tuple[PriceList, str]:
    """Return the list of this package, and the version of LiteLLM that it was taken from."""
    document = orjson.loads(PRICE_LIST.read_bytes())
    taken_from = document["litellm"]
    source = f"peer-arena price list of {document['date']} (litellm {taken_from})"
    return (document["models"], source), taken_from


def price_lists() -> Iterator[PriceList]:
    """Yield the lists of prices, the newer one first."""
    shipped, taken_from = shipped_list()
    try:
        shipped_is_older = version_key(version("litellm")) > version_key(taken_from)
    except PackageNotFoundError:
        shipped_is_older = False
    if shipped_is_older:
        yield price_map()
        yield shipped
    else:
        # LiteLLM's map is large: it is read for models alone that the list lacks.
        yield shipped
        yield price_map()


def version_key(text: str) -> tuple[int, ...]:
    """Return a version's numbers, by which versions are in order."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def find_entry(reference: str) -> tuple[Fields, str] | None:
    """Return (a model's entry, the list's name), None if no list has it.

    The whole reference is looked up first, then the name after the provider, if the list says that
    it belongs to that provider.
    """
    provider, _, name = reference.partition("/")
    for entries, source in price_lists():
        if (entry := entries.get(reference)) is not None:
            return entry, source
        if belongs_to_provider(entries.get(name), provider):
            return entries[name], source
    return None


def price_of_reference(reference: str) -> Price | None:
    """Return the price of a reference such as gemini/gemini-2.5-flash, None if it is not known."""
    found = find_entry(reference)
    if found is None:
        return None
    entry, source = found
    if (
        entry.get("mode") not in CHAT_MODES
        or SEARCHES.search(reference)
        or has_non_token_costs(entry)
    ):
        return None
    source += ", at its dearer hours" if "off_peak_pricing" in entry else ""
    provider = reference.partition("/")[0]
    price = price_from_entry(entry, provider, source)
    in_batch = {
        name.removesuffix(IN_BATCH): value
        for name, value in entry.items()
        if name.endswith(IN_BATCH)
    }
    if price is None or not {"input_cost_per_token", "output_cost_per_token"} <= in_batch.keys():
        return price
    # Whatever has no price in a batch costs what it does elsewhere, reasoning what replies do.
    others = entry | {"output_cost_per_reasoning_token": None, "tiered_pricing": None}
    batch_price = price_from_entry(others | in_batch, provider, f"{source}, in a batch")
    return replace(price, batch_price=batch_price)


def prompt_cache_of_reference(reference: str) -> PromptCache | None:
    """Return how a model's provider keeps prompts, None if that has no price of its own."""
    found = find_entry(reference)
    price = price_of_reference(reference)
    if (
        found is None
        or price is None
        or (price.tokens_cached or price.tokens_in) >= price.tokens_in
    ):
        return None
    least = found[0].get("prompt_cache_min_tokens")
    if type(least) is int and least > 0:
        return PromptCache(least)
    return PromptCache(LEAST_TOKENS.get(reference.partition("/")[0], OTHER_LEAST_TOKENS))


def price_from_entry(entry: Fields, provider: str, source: str) -> Price | None:
    """Return the price in an entry with those of longer prompts, None if it has none."""
    limit = entry.get("max_output_tokens")
    longest_reply = limit if type(limit) is int and limit > 0 else None
    price = None
    threshold = 0
    # From the highest tier down: each price holds the one that applies to longer prompts.
    for begins, fields in reversed(price_tiers(entry)):
        longer = None if price is None else (threshold - (provider in INCLUSIVE_THRESHOLD), price)
        price = price_from_fields(fields, longest_reply, longer, source)
        threshold = begins
        if price is None:
            return None
    return price


def belongs_to_provider(entry: Fields | None, provider: str) -> bool:
    """Return whether an entry that is not named after a provider is that provider's."""
    owner = str(entry.get("litellm_provider")) if entry is not None else ""
    return (
        owner == provider
        or owner in PROVIDER_ALIASES.get(provider, ())
        or (provider == "vertex_ai" and owner.startswith("vertex_ai-"))
    )


def has_non_token_costs(entry: Fields) -> bool:
    """Return whether a call that asks for text with text costs more than its tokens."""
    text_only = entry.get("supported_output_modalities") == ["text"]
    if "output_cost_per_image" in entry and not text_only:
        return True
    return any(value and NON_TOKEN_COSTS.fullmatch(field) for field, value in entry.items())


def price_tiers(entry: Fields) -> list[tuple[int, Fields]]:
    """Return (prompt tokens above which the tier applies, fields) in rising order.

    A field that a tier does not have is the same as in the tier below.
    """
    ranges = entry.get("tiered_pricing")
    if isinstance(ranges, list):
        return sorted(((int(tier["range"][0]), tier) for tier in ranges), key=lambda tier: tier[0])
    changes: dict[int, Fields] = {}
    for field, value in entry.items():
        if value is not None and (match := ABOVE_THRESHOLD.fullmatch(field)):
            changes.setdefault(int(match[2]) * 1000, {})[match[1]] = value
    tiers = [(0, entry)]
    for threshold in sorted(changes):
        # Without a reasoning price of its own, a tier bills reasoning like its other output; the
        # price of the tier below would be too low.
        fields = tiers[-1][1] | {"output_cost_per_reasoning_token": None} | changes[threshold]
        tiers.append((threshold, fields))
    return tiers


def price_from_fields(
    fields: Fields, longest_reply: int | None, longer: tuple[int, Price] | None, source: str
) -> Price | None:
    """Return the price in some fields of an entry, None if input or output has none.

    `longer` is (prompt tokens, the price of longer prompts).
    """
    tokens_in = dollars_per_million(fields, "input_cost_per_token")
    tokens_out = dollars_per_million(fields, "output_cost_per_token")
    if tokens_in is None or tokens_out is None:
        return None
    return Price(
        tokens_in,
        tokens_out,
        tokens_cached=dollars_per_million(fields, "cache_read_input_token_cost")
        or dollars_per_million(fields, "input_cost_per_token_cache_hit"),
        tokens_reasoning=dollars_per_million(fields, "output_cost_per_reasoning_token"),
        longest_reply=longest_reply,
        long_prompt_price=longer,
        source=source,
        tokens_cache_written=dollars_per_million(fields, "cache_creation_input_token_cost"),
        tokens_cache_written_long=dollars_per_million(fields, f"{WRITTEN_LONG}_1hr")
        or dollars_per_million(fields, f"{WRITTEN_LONG}_12hr"),
    )


def dollars_per_million(fields: Fields, field: str) -> float | None:
    """Return the dollars for a million tokens, None if the map says nothing or zero."""
    value = fields.get(field)
    return round(value * 1e6, 9) if isinstance(value, int | float) and 0 < value < 1 else None


def limit_longest_reply(price: Price | None, longest_reply: int | None) -> Price | None:
    """Return the price with its longest reply limited to the tokens that a client asks for at most.

    A `longest_reply` of None changes nothing.
    """
    if price is None or longest_reply is None:
        return price
    return replace(price, longest_reply=min(longest_reply, price.longest_reply or longest_reply))
