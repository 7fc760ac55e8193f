"""Every setting in every lane: its words on the wire, or the sentence that names it before a call.

The servers are on loopback, the SDKs are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agents.references import agent, model
from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.sampling import LATER_SETTINGS
from arena.types import Sampling
from tests.fake_server import chat_server
from tests.provider_faults import KEY, ask

pytestmark = pytest.mark.slow

SCHEMA = {
    "type": "object",
    "properties": {"why": {"type": "string"}, "confidence": {"type": "integer"}},
    "required": ["why", "confidence"],
    "additionalProperties": False,
}
VALUES: dict[str, Any] = {
    "reasoning_effort": "low",
    "thinking_tokens": 2000,
    "response_schema": SCHEMA,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.25,
    "repetition_penalty": 1.1,
    "extra": {"chat_template_kwargs": {"enable_thinking": False}},
}
JSON_SCHEMA = {"name": "reply", "schema": SCHEMA, "strict": True}
CHAT: dict[str, Any] = {
    "reasoning_effort": {"reasoning_effort": "low"},
    "thinking_tokens": {"thinking_token_budget": 2000},
    "response_schema": {"response_format": {"type": "json_schema", "json_schema": JSON_SCHEMA}},
    "presence_penalty": {"presence_penalty": 0.5},
    "frequency_penalty": {"frequency_penalty": -0.25},
    "repetition_penalty": {"repetition_penalty": 1.1},
    "extra": {"chat_template_kwargs": {"enable_thinking": False}},
}
NONE = "it takes no {}"
NO_PENALTIES = {
    name: NONE.format(name)
    for name in ("presence_penalty", "frequency_penalty", "repetition_penalty")
}
RESPONSES = "asked through the Responses API, which takes no {}"
ADAPTIVE = {"thinking": {"type": "adaptive", "display": "summarized"}}
GEMINI_SCHEMA = {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
# A dictionary is what a request has more on the wire than one without the setting; a text is found
# in the error before the first call.
LANES: dict[str, dict[str, Any]] = {
    "http/llama": {**CHAT},
    "vllm/qwen3-8b": {**CHAT},
    "openai/gpt-4o": {
        **CHAT,
        "reasoning_effort": "gpt-4o does not reason before it speaks",
        "thinking_tokens": NONE.format("thinking_tokens"),
        "repetition_penalty": NONE.format("repetition_penalty"),
    },
    "openai/gpt-5.2": {
        "reasoning_effort": {"reasoning": {"effort": "low"}},
        "thinking_tokens": NONE.format("thinking_tokens"),
        "response_schema": {"text": {"format": {"type": "json_schema", **JSON_SCHEMA}}},
        "presence_penalty": RESPONSES.format("presence_penalty"),
        "frequency_penalty": RESPONSES.format("frequency_penalty"),
        "repetition_penalty": NONE.format("repetition_penalty"),
        "extra": CHAT["extra"],
    },
    "anthropic/claude-haiku-4-5": {
        **NO_PENALTIES,
        "reasoning_effort": "takes no reasoning_effort, but a number of thinking_tokens",
        "thinking_tokens": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "response_schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "extra": CHAT["extra"],
    },
    "anthropic/claude-sonnet-4-6": {
        **NO_PENALTIES,
        "reasoning_effort": {**ADAPTIVE, "output_config": {"effort": "low"}},
        "thinking_tokens": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "response_schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "extra": CHAT["extra"],
    },
    "anthropic/claude-opus-5": {
        **NO_PENALTIES,
        "reasoning_effort": {**ADAPTIVE, "output_config": {"effort": "low"}},
        "thinking_tokens": "takes no number of thinking_tokens, but a reasoning_effort",
        "response_schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "extra": CHAT["extra"],
    },
    "gemini/gemini-2.5-flash": {
        **CHAT,
        "reasoning_effort": {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}},
        "thinking_tokens": {"thinkingConfig": {"thinkingBudget": 2000, "includeThoughts": True}},
        "response_schema": GEMINI_SCHEMA,
        "repetition_penalty": "LiteLLM does not pass repetition_penalty on to it",
    },
    "gemini/gemini-3-flash-preview": {
        "reasoning_effort": {"thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True}},
        "thinking_tokens": "LiteLLM would not send the number of thinking_tokens",
        "response_schema": GEMINI_SCHEMA,
        "presence_penalty": "LiteLLM sends nothing for presence_penalty",
        "frequency_penalty": "LiteLLM sends nothing for frequency_penalty",
        "repetition_penalty": "LiteLLM does not pass repetition_penalty on to it",
        "extra": CHAT["extra"],
    },
    "openrouter/openai/gpt-5-mini": {
        **CHAT,
        "thinking_tokens": {"reasoning": {"max_tokens": 2000}},
    },
    "hosted_vllm/qwen3-8b": {**CHAT},
    "deepseek/deepseek-chat": {
        **CHAT,
        "reasoning_effort": {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
        "thinking_tokens": "LiteLLM would not send the number of thinking_tokens",
    },
    "mistral/mistral-small-latest": {
        "reasoning_effort": "LiteLLM would send the effort 'high' in place of 'low'",
        "thinking_tokens": "mistral does not support parameters",
        "response_schema": CHAT["response_schema"],
        "presence_penalty": "mistral does not support parameters",
        "frequency_penalty": "mistral does not support parameters",
        "repetition_penalty": "LiteLLM does not pass repetition_penalty on to it",
        "extra": CHAT["extra"],
    },
}
PROVIDERS = "OPENAI ANTHROPIC GEMINI OPENROUTER DEEPSEEK MISTRAL HOSTED_VLLM".split()  # noqa: SIM905


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Let every lane ask the server at this address."""
    with pytest.MonkeyPatch.context() as patch:
        for provider in PROVIDERS:
            patch.setenv(f"{provider}_API_KEY", KEY)
            patch.setenv(f"{provider}_API_BASE", url)
        patch.setenv("OPENAI_BASE_URL", url)
        patch.setenv("ANTHROPIC_BASE_URL", url.removesuffix("/v1"))
        yield


def address(reference: str, url: str) -> str:
    """The reference, with the address where it takes one."""
    return f"{reference}@{url}" if reference.startswith(("http/", "vllm/")) else reference


def flat(body: dict[str, Any]) -> dict[str, Any]:
    """A body with Gemini's settings beside the others."""
    return {**body, **body.get("generationConfig", {})}


@pytest.mark.parametrize("reference", LANES)
async def test_every_setting_reaches_the_wire_in_the_providers_words_or_is_named_before(
    reference: str,
) -> None:
    assert set(LANES[reference]) == set(LATER_SETTINGS) == set(VALUES)
    async with chat_server(lambda body: "a speech") as server:
        with pointed_at(server.url):
            plain = agent(address(reference, server.url), sampling=Sampling(max_tokens=4000))
            await plain.model(ask(sampling=plain.sampling))
            without = flat(server.requests[-1].body)
            for name, expected in LANES[reference].items():
                sampling = Sampling(max_tokens=4000, **{name: VALUES[name]})
                if isinstance(expected, str):
                    before = len(server.requests)
                    with pytest.raises(StudyError, match=f"leave {name} out") as caught:
                        agent(address(reference, server.url), sampling=sampling)
                    assert expected in str(caught.value)
                    left = agent(
                        address(reference, server.url), sampling=sampling, drop_unsupported=True
                    )
                    assert left.sampling == plain.sampling
                    assert len(server.requests) == before
                    continue
                speaker = agent(address(reference, server.url), sampling=sampling).model
                request = ask(sampling=sampling)
                await speaker(request)
                sent = flat(server.requests[-1].body)
                more = {key: value for key, value in sent.items() if without.get(key) != value}
                more.pop("generationConfig", None)
                assert more == expected
                told = speaker.request_settings(request)
                assert told is not None
                assert {key: told[key] for key in expected} == expected
                await speaker.close()


@pytest.mark.parametrize("name", LATER_SETTINGS)
def test_models_without_a_provider_refuse_a_setting_or_ignore_it_as_others(name: str) -> None:
    # Of extra settings, local models take arguments of their chat templates.
    sampling = Sampling(**{name: {"top_a": 0.1} if name == "extra" else VALUES[name]})
    if name in NO_PENALTIES:
        assert agent("toy/sum", sampling=sampling).sampling == sampling
    else:
        with pytest.raises(StudyError, match=f"it takes .*; leave {name} out"):
            agent("toy/sum", sampling=sampling)
        left = agent("toy/sum", sampling=sampling, drop_unsupported=True)
        assert left.sampling == Sampling()
    for ignoring in (model("sim/even"), scripted_model(lambda request: "words")):
        assert ignoring.unsupported_reason(sampling) is None
