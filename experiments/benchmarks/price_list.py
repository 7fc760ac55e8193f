"""Write the list of prices that the package ships, and compare it with another list.

    python experiments/benchmarks/price_list.py            writes agents/providers/price_list.json
    python experiments/benchmarks/price_list.py --compare  prints where it differs from genai-prices

The list is a part of the map that the installed LiteLLM ships: the models of six providers that are
asked without it, with the fields that `agents/providers/prices.py` reads.  `--compare` needs
genai-prices (`pip install genai-prices`), and prints each price that differs by more than 5%.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version

import orjson

from agents.providers.prices import CHAT_MODES, PRICE_LIST, price_map, price_of_reference
from arena.text import utc_now

PROVIDERS = ("anthropic", "deepseek", "gemini", "mistral", "openai", "xai")
COSTS = (
    "input_cost_per_token|output_cost_per_token|output_cost_per_reasoning_token"
    "|cache_read_input_token_cost|cache_creation_input_token_cost|input_cost_per_token_cache_hit"
)
FIELDS = re.compile(
    rf"(?:{COSTS})(?:_above_1hr|_above_12hr)?(?:_above_\d+k_tokens)?(?:_batches)?"
    r"|(?:in|out)put_cost_per_(?:request|second)|cost_per_second|citation_cost_per_token"
    r"|litellm_provider|max_output_tokens|mode|off_peak_pricing|output_cost_per_image"
    r"|prompt_cache_min_tokens|supported_output_modalities|tiered_pricing"
)
LARGEST_DIFFERENCE = 0.05
# What genai-prices calls a provider.
THEIR_NAMES = {"gemini": "google", "xai": "x-ai"}


def write() -> None:
    """Write the list, one model a line, so that a change of prices is a change of lines."""
    models = {
        name: {field: entry[field] for field in sorted(entry) if FIELDS.fullmatch(field)}
        for name, entry in sorted(price_map()[0].items())
        if entry.get("litellm_provider") in PROVIDERS and entry.get("mode") in CHAT_MODES
    }
    lines = [
        f"{orjson.dumps(name).decode()}:{orjson.dumps(models[name]).decode()}" for name in models
    ]
    head = f'"date":"{utc_now():%Y-%m-%d}","litellm":"{version("litellm")}"'
    PRICE_LIST.write_text("{" + head + ',"models":{\n' + ",\n".join(lines) + "\n}}\n", "utf-8")
    print(f"{len(models)} models, {PRICE_LIST.stat().st_size:,} bytes: {PRICE_LIST.name}")


def compare() -> None:
    """Print where our list and genai-prices differ by more than 5%."""
    from genai_prices import Usage, calc_price

    # Tokens of each kind alone, in millions.
    kinds = {
        "in": Usage(input_tokens=1_000),
        "out": Usage(output_tokens=1_000),
        "read from cache": Usage(input_tokens=1_000, cache_read_tokens=1_000),
        "written to cache": Usage(input_tokens=1_000, cache_write_tokens=1_000),
    }
    compared = 0
    for name, entry in orjson.loads(PRICE_LIST.read_bytes())["models"].items():
        provider = entry["litellm_provider"]
        short = name.rpartition("/")[2]
        price = price_of_reference(f"{provider}/{short}")
        if price is None:
            continue
        ours = {
            "in": price.tokens_in,
            "out": price.tokens_out,
            "read from cache": price.tokens_cached,
            "written to cache": price.tokens_cache_written,
        }
        for kind, usage in kinds.items():
            try:
                theirs = float(
                    calc_price(
                        usage, short, provider_id=THEIR_NAMES.get(provider, provider)
                    ).total_price
                )
            except LookupError:
                break
            mine = ours[kind]
            compared += 1
            if mine is not None and abs(mine / 1e3 - theirs) > LARGEST_DIFFERENCE * max(
                theirs, 1e-12
            ):
                print(f"{name}, {kind}: {mine:g} here, {1e3 * theirs:g} there")
    print(f"{compared} prices compared")


if __name__ == "__main__":
    compare() if "--compare" in sys.argv else write()
