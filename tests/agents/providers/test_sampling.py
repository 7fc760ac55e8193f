"""Unsupported settings are errors unless the user lets them be dropped; sent settings are recorded.

A value that no model supports is always an error.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.providers.http import HttpModel
from agents.providers.litellm_sdk import litellm_model
from agents.providers.sampling import drop_settings, out_of_range
from agents.references import agent, model
from arena.errors import RefusedError, StudyError
from arena.types import Model, Sampling
from tests.agents.providers.test_sdk import pointed
from tests.fake_server import ChatServer, chat_server
from tests.provider_faults import KEY, ask

HTTP, GEMINI, OPENROUTER = (
    "http/llama@http://127.0.0.1:8000/v1",
    "gemini/gemini-2.5-flash",
    "openrouter/openai/gpt-4o",
)
CLAUDE, CLAUDE_5, GPT_4, GPT_5 = (
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-sonnet-5",
    "openai/gpt-4o",
    "openai/gpt-5-mini",
)
LANES = [HTTP, GPT_4, GPT_5, CLAUDE, GEMINI, "sim/even"]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER"):
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


WRONG = [
    Sampling(temperature=-0.1),
    Sampling(temperature=float("nan")),
    Sampling(temperature=float("inf")),
    Sampling(temperature="hot"),  # type: ignore[arg-type]
    Sampling(top_p=0),
    Sampling(top_p=1.1),
    Sampling(max_tokens=0),
    Sampling(max_tokens=True),
    Sampling(max_tokens=1.5),  # type: ignore[arg-type]
    Sampling(stop=("",)),
    Sampling(stop="END"),  # type: ignore[arg-type]
    Sampling(logprobs=21),
    Sampling(logprobs=-1),
    Sampling(logprobs=True),
    Sampling(reasoning_effort="some"),
    Sampling(thinking_tokens=-1),
    Sampling(thinking_tokens=100, max_tokens=100),
    Sampling(presence_penalty=2.1),
    Sampling(frequency_penalty=True),
    Sampling(repetition_penalty=0),
]


@pytest.mark.slow
@pytest.mark.parametrize("reference", LANES)
@pytest.mark.parametrize("drop", [False, True])
def test_a_value_out_of_range_is_an_error_in_every_lane_and_never_dropped(
    reference: str, drop: bool
) -> None:
    for sampling in WRONG:
        with pytest.raises(
            StudyError,
            match=(
                r"does not support this sampling: .*, not .*; (choose another|write stop=).*"
                r" leave it out"
            ),
        ):
            agent(reference, sampling=sampling, drop_unsupported=drop)


def test_the_ends_of_the_ranges_are_inside() -> None:
    assert out_of_range(Sampling()) is None
    assert out_of_range(Sampling(0, 1, 1, ("END",), 20)) is None
    assert out_of_range(Sampling(temperature=1.0, logprobs=0), max_temperature=1) is None


HOT = [
    (CLAUDE, 1.5, "0 to 1"),
    ("openrouter/anthropic/claude-sonnet-5", 1.5, "0 to 1"),
    (GPT_4, 2.5, "0 to 2"),
]


@pytest.mark.parametrize(("reference", "temperature", "words"), HOT)
def test_a_temperature_that_is_too_hot_for_a_model_is_an_error_even_where_settings_may_be_dropped(
    reference: str, temperature: float, words: str
) -> None:
    with pytest.raises(StudyError, match=f"temperature from {words}, not {temperature}"):
        agent(reference, sampling=Sampling(temperature=temperature), drop_unsupported=True)


DROPPED = [
    (GPT_5, Sampling(0.5, 0.9, 50, ("END",), 3), Sampling(max_tokens=50)),
    ("openai/gpt-5.2", Sampling(0.5, 0.9, 50, ("END",), 3), Sampling(0.5, 0.9, 50, logprobs=3)),
    (CLAUDE, Sampling(0.5, 0.9, 50, ("END",), 3), Sampling(0.5, None, 50, ("END",))),
    (CLAUDE_5, Sampling(0.5, 0.9, 50, ("END",)), Sampling(max_tokens=50, stop=("END",))),
    (GEMINI, Sampling(0.5, logprobs=3), Sampling(0.5)),
    ("bedrock/meta.llama3-70b-instruct-v1:0", Sampling(0.5, logprobs=0), Sampling(0.5)),
]


@pytest.mark.parametrize(("reference", "asked", "left"), DROPPED)
def test_what_a_model_does_not_take_is_dropped_only_where_that_is_allowed(
    reference: str, asked: Sampling, left: Sampling
) -> None:
    with pytest.raises(
        StudyError,
        match=r"leave .* out, or allow it to be left out by agent\(..., drop_unsupported=True\)",
    ):
        agent(reference, sampling=asked)
    assert agent(reference, sampling=asked, drop_unsupported=True).sampling == left
    assert agent(reference, sampling=left).sampling == left


OPUS_4_6, OPUS_5 = "anthropic/claude-opus-4-6", "anthropic/claude-opus-5"
# What the rules of a provider refuse, and the setting that is left out where that is allowed.
THOUGHTS = [
    ("openai/o3", Sampling(reasoning_effort="none"), "reasoning_effort"),
    (GPT_5, Sampling(reasoning_effort="xhigh"), "reasoning_effort"),
    ("openai/gpt-5.1", Sampling(reasoning_effort="minimal"), "reasoning_effort"),
    ("openai/gpt-6-astra", Sampling(reasoning_effort="none"), "reasoning_effort"),
    ("openai/gpt-5-chat-latest", Sampling(reasoning_effort="low"), "reasoning_effort"),
    (OPUS_5, Sampling(reasoning_effort="minimal"), "reasoning_effort"),
    (OPUS_4_6, Sampling(reasoning_effort="xhigh"), "reasoning_effort"),
    ("anthropic/claude-fable-5", Sampling(reasoning_effort="none"), "reasoning_effort"),
    ("anthropic/claude-opus-5-5", Sampling(thinking_tokens=0), "thinking_tokens"),
    ("anthropic/claude-3-haiku-20240307", Sampling(thinking_tokens=2000), "thinking_tokens"),
    (OPUS_4_6, Sampling(0.5, reasoning_effort="low"), "temperature"),
    (OPUS_4_6, Sampling(top_p=0.5, thinking_tokens=2000), "top_p"),
    (OPUS_4_6, Sampling(top_k=5, thinking_tokens=2000), "top_k"),
    ("anthropic/claude-opus-4-1", Sampling(response_schema={"type": "object"}), "response_schema"),
    ("openai/gpt-4-turbo", Sampling(response_schema={"type": "object"}), "response_schema"),
]
TAKEN = [
    ("openai/o3", Sampling(reasoning_effort="high")),
    ("openai/gpt-5.2", Sampling(reasoning_effort="none", temperature=0.5)),
    ("openai/of-tomorrow", Sampling(reasoning_effort="minimal")),
    (OPUS_4_6, Sampling(1.0, reasoning_effort="max", thinking_tokens=2000)),
    (OPUS_4_6, Sampling(0.5, reasoning_effort="none")),
    (OPUS_5, Sampling(reasoning_effort="xhigh")),
    ("anthropic/claude-of-tomorrow", Sampling(reasoning_effort="low", thinking_tokens=2000)),
]


@pytest.mark.parametrize(("reference", "sampling", "name"), THOUGHTS)
def test_what_is_known_of_thoughts_is_said_before_the_first_call(
    reference: str, sampling: Sampling, name: str
) -> None:
    with pytest.raises(StudyError, match=f"; leave {name} out"):
        agent(reference, sampling=sampling)
    left = agent(reference, sampling=sampling, drop_unsupported=True).sampling
    assert left == drop_settings(sampling, {name: ""})


@pytest.mark.parametrize(("reference", "sampling"), TAKEN)
def test_what_may_be_taken_is_left_to_the_provider(reference: str, sampling: Sampling) -> None:
    assert agent(reference, sampling=sampling, drop_unsupported=True).sampling == sampling


NEVER_SENT = [
    (OPUS_4_6, Sampling(thinking_tokens=1000), "0 or at least 1024, not 1000"),
    (OPUS_4_6, Sampling(thinking_tokens=9000), "needs a higher max_tokens, which is 8192"),
    (HTTP, Sampling(extra={"temperature": 1}), "write Sampling[(]temperature=...[)]"),
    (HTTP, Sampling(extra={"stream": True}), "the arena sends itself"),
    (OPENROUTER, Sampling(extra={"seed": 1}), "the arena sends itself"),
    (HTTP, Sampling(extra={"best_of": 5}), "the arena sends itself"),
    (HTTP, Sampling(extra={"max_completion_tokens": 9}), "write Sampling[(]max_tokens=...[)]"),
    (GPT_4, Sampling(extra={"maxOutputTokens": 9}), "write Sampling[(]max_tokens=...[)]"),
    (
        HTTP,
        Sampling(extra={"options": {"num_predict": 9}}),
        "'options.num_predict', which is max_t",
    ),
    (HTTP, Sampling(extra={"options": {"topK": 9}}), "'options.topK', which is top_k in other"),
    (HTTP, Sampling(extra={"service_tier": "priority"}), "whose price is not known"),
    (
        HTTP,
        Sampling(reasoning_effort="low", extra={"reasoning": {"effort": "high"}}),
        "'reasoning.effort', which another setting says already",
    ),
    (
        OPUS_5,
        Sampling(reasoning_effort="low", extra={"output_config": {"effort": "max"}}),
        "'output_config.effort', which another setting says already",
    ),
]


@pytest.mark.parametrize(("reference", "sampling", "words"), NEVER_SENT)
def test_what_contradicts_itself_is_an_error_even_where_settings_may_be_dropped(
    reference: str, sampling: Sampling, words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        agent(reference, sampling=sampling, drop_unsupported=True)


def test_what_says_the_same_in_other_words_is_taken_alone() -> None:
    alone = {"reasoning": {"effort": "high"}, "thinking": {"type": "enabled"}, "guided_json": {}}
    for extra in (alone, {"service_tier": "flex"}, {"chat_template_kwargs": {"top_k": 1}}):
        assert agent(HTTP, sampling=Sampling(extra=extra)).sampling == Sampling(extra=extra)


@pytest.mark.parametrize("reference", [HTTP, GPT_4, OPENROUTER, "sim/even"])
def test_a_model_that_may_take_everything_gets_everything(reference: str) -> None:
    sampling = Sampling(0.5, 0.9, 50, ("END",), 3)
    assert agent(reference, sampling=sampling, drop_unsupported=True).sampling == sampling


@asynccontextmanager
async def speaking(reference: str, server: ChatServer) -> AsyncIterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENROUTER_API_BASE", server.url)
        is_sdk = reference.startswith(("openai/", "anthropic/"))
        speaker = (
            pointed(reference, server.url)
            if is_sdk
            else HttpModel("llama", server.url)
            if reference == HTTP
            else litellm_model(reference)
        )
    try:
        yield speaker
    finally:
        await speaker.close()


SENT = [
    (
        HTTP,
        Sampling(0.5, 0.9, 50, ("END",), 0),
        {"seed", "temperature", "top_p", "max_tokens", "stop", "logprobs", "top_logprobs"},
    ),
    (
        GPT_4,
        Sampling(0.5, 0.9, 50, ("END",), 3),
        {
            "seed",
            "temperature",
            "top_p",
            "max_completion_tokens",
            "stop",
            "logprobs",
            "top_logprobs",
        },
    ),
    (
        "openai/gpt-5.2",
        Sampling(0.5, 0.9, 50, (), 3),
        {"store", "temperature", "top_p", "max_output_tokens", "top_logprobs", "include"},
    ),
    (CLAUDE, Sampling(0.5, None, None, ("END",)), {"max_tokens", "temperature", "stop_sequences"}),
    (
        OPENROUTER,
        Sampling(0.5, 0.9, 50, ("END",), 3),
        {"seed", "temperature", "top_p", "max_tokens", "stop", "logprobs", "top_logprobs"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("reference", "sampling", "names"), SENT)
async def test_the_settings_that_are_told_are_those_that_were_sent(
    reference: str, sampling: Sampling, names: set[str]
) -> None:
    async with chat_server(lambda body: "speech") as server, speaking(reference, server) as speaker:
        for request in (ask(), ask(sampling=sampling)):
            await speaker(request)
            words = {
                "model",
                "messages",
                "input",
                "system",
                "usage" if reference == OPENROUTER else "",
            }
            assert speaker.request_settings(request) == {
                name: value for name, value in server.requests[-1].body.items() if name not in words
            }
    assert set(speaker.request_settings(ask(sampling=sampling))) == names


@pytest.mark.parametrize("reference", [HTTP, GPT_4, CLAUDE, OPENROUTER])
async def test_a_model_that_is_asked_without_an_agent_refuses_what_is_out_of_range(
    reference: str,
) -> None:
    async with chat_server(lambda body: "speech") as server, speaking(reference, server) as speaker:
        with pytest.raises(RefusedError, match=r"was not asked: .*logprobs"):
            await speaker(ask(sampling=Sampling(logprobs=50)))
    assert server.requests == []


ABILITIES = {
    HTTP: {"seed", "logprobs", "images", "response_schema"},
    GPT_4: {"seed", "logprobs", "images", "response_schema"},
    GPT_5: {"images", "response_schema"},
    "openai/gpt-5.2": {"logprobs", "images", "response_schema"},
    "openai/gpt-3.5-turbo": {"seed", "logprobs"},
    CLAUDE: {"prefill", "images", "response_schema"},
    "anthropic/claude-opus-4-1": {"prefill", "images"},
    GEMINI: {"seed", "logprobs", "images", "response_schema"},
    "sim/even": {"seed", "same seed, same reply", "images"},
}


@pytest.mark.parametrize(("reference", "can"), ABILITIES.items())
def test_a_model_says_what_it_can(reference: str, can: set[str]) -> None:
    assert set(model(reference).capabilities) == can


PRICED = {GPT_4: 16_384, GPT_5: 128_000, CLAUDE: 8192, GEMINI: 65_536}


@pytest.mark.parametrize(("reference", "longest"), PRICED.items())
def test_a_model_knows_its_price_and_its_longest_reply(reference: str, longest: int) -> None:
    price = getattr(model(reference), "price", None)
    assert price.longest_reply == longest
    assert 0 < price.tokens_cached < price.tokens_in < price.tokens_out


def test_an_unknown_model_has_no_price() -> None:
    unpriced: list[Model] = [
        model(reference)
        for reference in (HTTP, "openai/of-tomorrow", "anthropic/claude-of-tomorrow", "sim/even")
    ]
    assert [getattr(speaker, "price", None) for speaker in unpriced] == [None] * 4


def test_an_agent_of_an_sdk_with_settings_dropped_imports_nothing() -> None:
    code = f"""
import os, sys
os.environ["OPENAI_API_KEY"] = "{KEY}"
from agents.references import agent
from arena.types import Sampling
agent("{GPT_5}", sampling=Sampling(temperature=1.0), drop_unsupported=True)
print([m for m in ("openai", "litellm", "httpx2", "aiohttp", "pydantic") if m in sys.modules])
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
