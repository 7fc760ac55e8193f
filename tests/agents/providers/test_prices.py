"""Prices out of LiteLLM's map, without LiteLLM, and what LiteLLM itself makes of the same map."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import agents.providers.prices
from agents.providers.litellm_sdk import litellm_library
from agents.providers.prices import (
    CHAT_MODES,
    limit_longest_reply,
    price_map,
    price_of_reference,
    prompt_cache_of_reference,
)
from agents.references import PROVIDERS
from arena.calls.prices import cost_usd, price_at_length
from arena.types import Price, PromptCache, Reply


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """A map of its own, which the test fills."""
    prices: dict[str, dict[str, object]] = {}
    monkeypatch.setattr(agents.providers.prices, "price_map", lambda: (prices, "a map"))
    return prices


def entry(provider: str, **fields: object) -> dict[str, object]:
    return {
        "litellm_provider": provider,
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
        **fields,
    }


def test_a_price_has_all_that_the_map_says(entries: dict[str, dict[str, object]]) -> None:
    more = {
        "cache_read_input_token_cost": 1e-7,
        "cache_creation_input_token_cost": 1.25e-6,
        "cache_creation_input_token_cost_above_1hr": 2e-6,
        "output_cost_per_reasoning_token": 3e-6,
        "max_output_tokens": 64,
        "prompt_cache_min_tokens": 4096,
    }
    entries["gemini/m"] = entry("gemini", **more)
    full = Price(1.0, 2.0, 0.1, 3.0, 64, None, "a map", 1.25, 2.0)
    assert price_of_reference("gemini/m") == full
    assert prompt_cache_of_reference("gemini/m") == PromptCache(4096)
    entries["gemini/m"] |= {
        "input_cost_per_token_batches": 5e-7,
        "output_cost_per_token_batches": 1e-6,
        "cache_read_input_token_cost_batches": 5e-8,
        "cache_creation_input_token_cost_batches": 6e-7,
    }
    batch = Price(0.5, 1.0, 0.05, None, 64, None, "a map, in a batch", 0.6, 2.0)
    assert price_of_reference("gemini/m") == replace(full, batch_price=batch)


def test_models_without_a_lower_price_for_cached_tokens_have_no_cache(
    entries: dict[str, dict[str, object]],
) -> None:
    entries |= {
        "xai/m": entry("xai"),
        "xai/n": entry("xai", cache_read_input_token_cost=1e-6),
        "deepseek/m": entry("deepseek", input_cost_per_token_cache_hit=1e-7),
    }
    caches = [prompt_cache_of_reference(name) for name in ("xai/m", "xai/n", "deepseek/m")]
    assert caches == [None, None, PromptCache(64)]


def test_the_newer_list_of_prices_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {"gpt-4o": entry("openai")}
    monkeypatch.setattr(agents.providers.prices, "price_map", lambda: (newer, "newer"))
    monkeypatch.setattr(agents.providers.prices, "version", lambda package: "999.0")
    sources = [price_of_reference(name).source for name in ("openai/gpt-4o", "openai/gpt-5")]
    assert sources[0] == "newer"
    assert sources[1].startswith("peer-arena price list of 20")


def test_a_name_without_its_provider_counts_only_for_that_provider(
    entries: dict[str, dict[str, object]],
) -> None:
    entries |= {
        "m": entry("openai"),
        "us.nova": entry("bedrock_converse"),
        "claude@1": entry("vertex_ai-anthropic_models"),
    }
    priced = ["openai/m", "bedrock/us.nova", "vertex_ai/claude@1"]
    assert [
        reference
        for reference in [*priced, "http/m", "groq/m", "anthropic/m"]
        if price_of_reference(reference)
    ] == priced


UNPRICED = [
    {"input_cost_per_token": 0.0},
    {"output_cost_per_token": None},
    {"mode": "embedding"},
    {"input_cost_per_request": 0.005},
    {"input_cost_per_second": 0.01},
    {"citation_cost_per_token": 1e-6},
    {"output_cost_per_image": 0.1, "supported_output_modalities": ["text", "image"]},
    {"input_cost_per_token_above_200k_tokens": 0},
]


@pytest.mark.parametrize("fields", UNPRICED)
def test_what_the_map_does_not_have_or_what_costs_beside_tokens_is_no_price(
    fields: dict, entries: dict[str, dict[str, object]]
) -> None:
    entries["openai/m"] = entry("openai", **fields)
    assert price_of_reference("openai/m") is None


@pytest.mark.parametrize(
    "reference",
    [
        "perplexity/sonar",
        "openrouter/perplexity/sonar-pro",
        "openai/gpt-4o-search-preview",
        "openai/o3-deep-research",
    ],
)
def test_a_model_that_searches_has_no_price(
    reference: str, entries: dict[str, dict[str, object]]
) -> None:
    entries |= {reference: entry("any"), "nebius/NousResearch/Hermes-4-70B": entry("nebius")}
    assert price_of_reference(reference) is None
    assert price_of_reference("nebius/NousResearch/Hermes-4-70B") is not None


def test_a_longer_prompt_has_its_own_price(entries: dict[str, dict[str, object]]) -> None:
    tiers = {
        "input_cost_per_token_above_200k_tokens": 4e-6,
        "output_cost_per_token_above_200k_tokens": 6e-6,
    }
    entries |= {
        "gemini/m": entry("gemini", cache_read_input_token_cost=1e-7, **tiers),
        "xai/m": entry("xai", **tiers),
    }
    gemini, xai = price_of_reference("gemini/m"), price_of_reference("xai/m")
    assert gemini is not None
    assert xai is not None
    assert [price_at_length(gemini, size).tokens_in for size in (200_000, 200_001)] == [1.0, 4.0]
    assert [price_at_length(xai, size).tokens_in for size in (199_999, 200_000)] == [1.0, 4.0]
    assert price_at_length(gemini, 300_000).tokens_cached == 0.1


def test_ranges_are_read_like_tiers(entries: dict[str, dict[str, object]]) -> None:
    ranges = [
        {"range": [low, high], "input_cost_per_token": cost, "output_cost_per_token": 1e-6}
        for low, high, cost in [(32e3, 1e6, 3e-6), (0, 32e3, 1e-6)]
    ]
    entries["dashscope/m"] = {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "tiered_pricing": ranges,
    }
    price = price_of_reference("dashscope/m")
    assert price is not None
    assert [price_at_length(price, size).tokens_in for size in (32_000, 32_001)] == [1.0, 3.0]


def test_a_lane_that_asks_for_less_shortens_the_longest_reply() -> None:
    price = Price(1, 2, longest_reply=64_000)
    assert limit_longest_reply(price, 8192) == replace(price, longest_reply=8192)
    assert limit_longest_reply(replace(price, longest_reply=4096), 8192) == replace(
        price, longest_reply=4096
    )
    assert (limit_longest_reply(None, 8192), limit_longest_reply(price, None)) == (None, price)


def test_the_map_is_read_when_first_asked_for_and_without_litellm() -> None:
    code = """
import sys, agents.providers.prices
assert agents.providers.prices.price_map.cache_info().currsize == 0
price = agents.providers.prices.price_of_reference("anthropic/claude-haiku-4-5")
assert agents.providers.prices.price_map.cache_info().currsize == 0
print(price.tokens_in, price.tokens_out, price.source.startswith("peer-arena price list"))
assert agents.providers.prices.price_of_reference("bedrock/amazon.nova-pro-v1:0") is not None
print("litellm" in sys.modules)
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["1.0", "5.0", "True", "False"]


def test_without_litellm_the_list_of_the_package_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    price_map.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(agents.providers.prices, "find_spec", lambda name: None)
        assert price_of_reference("bedrock/amazon.nova-pro-v1:0") is None
        assert price_of_reference("openai/gpt-4o") is not None
    price_map.cache_clear()


def reference_of(name: str, provider: str) -> str:
    provider = {"bedrock_converse": "bedrock", "cohere_chat": "cohere"}.get(
        provider, provider.partition("-")[0]
    )
    return name if name.startswith(f"{provider}/") else f"{provider}/{name}"


# LiteLLM halves prices that the map lacks (cached tokens of Fireworks), takes zero for a price
# (cached tokens of a robot), asks the clock (off-peak hours of DeepSeek), logs in (Copilot), and
# does not find names that are in its own map (AI21, Mistral at Azure).
LEFT_OUT = (
    "fireworks_ai/",
    "github_copilot/",
    "ai21/",
    "azure/mistral",
    "vertex_ai/gemini-robotics",
)
REFERENCES = sorted(
    {
        reference_of(name, str(entry["litellm_provider"]))
        for name, entry in price_map()[0].items()
        if entry.get("mode") in CHAT_MODES and "off_peak_pricing" not in entry
    }
)


def priced_references() -> list[tuple[str, Price]]:
    """Every reference of the map that a lane can ask and that has a price."""
    references = [
        r
        for r in REFERENCES
        if r.partition("/")[0] in PROVIDERS | {"openai", "anthropic"} and not r.startswith(LEFT_OUT)
    ]
    prices = [(reference, price_of_reference(reference)) for reference in references]
    return [(reference, price) for reference, price in prices if price is not None]


def theirs(reference: str, tokens_in: int, cached: int, reasoning: int) -> float:
    """Dollars by LiteLLM itself, for 500 tokens that come out."""
    from litellm.types.utils import (
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
        Usage,
    )

    usage = Usage(
        prompt_tokens=tokens_in,
        completion_tokens=500,
        total_tokens=tokens_in + 500,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=cached) if cached else None,
        completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=reasoning)
        if reasoning
        else None,
    )
    return sum(litellm_library().cost_per_token(model=reference, usage_object=usage))


@pytest.mark.slow
def test_our_price_of_a_call_is_litellms_for_every_model_of_its_map() -> None:
    different, compared = {}, 0
    for reference, price in priced_references()[::4]:
        sizes, step = [1000], price
        while step.long_prompt_price is not None:
            sizes += [step.long_prompt_price[0], step.long_prompt_price[0] + 1]
            step = step.long_prompt_price[1]
        for tokens_in in sizes:
            for cached, reasoning in ((0, 0), (300, 200)):
                counts = Reply(
                    "",
                    tokens_in=tokens_in,
                    tokens_out=500,
                    tokens_cached=cached,
                    tokens_reasoning=reasoning,
                )
                ours, compared = cost_usd(price, counts), compared + 1
                if ours != pytest.approx(theirs(reference, tokens_in, cached, reasoning), rel=1e-6):
                    different[reference] = ours
    assert different == {}
    assert compared > 1000
