"""LiteLLM against a server on loopback: one request a call, no invented facts, no leftovers."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.providers.litellm_sdk import LiteLLMModel, litellm_library, litellm_model
from agents.references import PROVIDERS, agent, model
from arena.errors import (
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.types import Alternative, Sampling, TokenChoice
from tests.fake_server import ChatServer, Fault, chat_process, chat_server
from tests.provider_faults import FAULT_NAMES, FAULTS, KEY, ask, everything_said, no_connection_left

# Importing LiteLLM alone takes seconds.
pytestmark = pytest.mark.slow

GEMINI, OPENROUTER = "gemini/gemini-2.5-flash", "openrouter/meta-llama/llama-3-70b-instruct"
BOTH = [GEMINI, OPENROUTER]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "OPENROUTER_API_KEY", "XAI_API_KEY"):
        monkeypatch.setenv(name, KEY)


def environment(url: str) -> dict[str, str]:
    return {"GEMINI_API_BASE": url.removesuffix("/v1") + "/v1beta", "OPENROUTER_API_BASE": url}


@asynccontextmanager
async def connected(
    reference: str, server: ChatServer, timeout_s: float = 20.0
) -> AsyncIterator[LiteLLMModel]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(server.url).items():
            patch.setenv(name, value)
        speaker = litellm_model(reference, timeout_s=timeout_s)
    try:
        yield speaker
    finally:
        await speaker.close()


@pytest.mark.parametrize("reference", BOTH)
@pytest.mark.parametrize(("fault", "kind", "status"), FAULTS, ids=FAULT_NAMES)
async def test_each_fault_becomes_its_error_after_one_request(
    reference: str, fault: Fault, kind: type[ModelError], status: int | None
) -> None:
    timeout_s = 0.3 if fault.kind in ("hang", "slow body") else 20.0
    async with chat_server(lambda body: fault) as server:
        async with connected(reference, server, timeout_s) as speaker:
            with pytest.raises(ModelError) as caught:
                await speaker(ask())
        assert await no_connection_left(server)
    assert (type(caught.value), caught.value.http_status) == (kind, status)
    assert len(server.requests) == 1
    assert reference in str(caught.value)


async def test_only_settings_that_were_made_are_sent_in_geminis_own_form() -> None:
    async with chat_server(lambda body: "speech") as server, connected(GEMINI, server) as speaker:
        await speaker(ask("cut \ud83d"))
        await speaker(
            ask(sampling=Sampling(temperature=0.0, top_p=0.9, max_tokens=50, stop=("END",)))
        )
    first, second = (request.body for request in server.requests)
    assert server.requests[0].path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert first["contents"] == [{"role": "user", "parts": [{"text": "cut \ufffd"}]}]
    assert first["generationConfig"] == {"seed": 7}
    assert second["generationConfig"] == {
        "seed": 7,
        "temperature": 0.0,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "stop_sequences": ["END"],
    }


async def test_a_reply_is_read_with_its_reasoning_and_its_counts() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "a spéech"}]
    usage = {
        "promptTokenCount": 40,
        "cachedContentTokenCount": 32,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 49,
    }
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "MAX_TOKENS"}
    document = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-served"}
    async with chat_server(lambda body: document) as server, connected(GEMINI, server) as speaker:
        reply = await speaker(ask())
    assert (reply.text, reply.reasoning, reply.model_served, reply.finish_reason) == (
        "a spéech",
        "hm",
        "gemini-served",
        "length",
    )
    assert reply.reasoning_source == "summary"
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        32,
        9,
        5,
    )
    assert (reply.cost_usd, reply.cost_source, reply.http_status) == (None, None, 200)


CHOICE = {"message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}


async def test_what_openrouter_says_a_call_cost_and_its_log_probabilities_are_read() -> None:
    tokens = [
        {
            "token": "Yes",
            "logprob": -0.5,
            "bytes": None,
            "top_logprobs": [{"token": "No", "logprob": -1.5, "bytes": None}],
        }
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "cost": 0.0012}
    document = {
        "model": "m",
        "choices": [CHOICE | {"logprobs": {"content": tokens}}],
        "usage": usage,
    }
    async with (
        chat_server(lambda body: document) as server,
        connected(OPENROUTER, server) as speaker,
    ):
        reply = await speaker(ask(sampling=Sampling(logprobs=1)))
    assert (server.requests[0].body["logprobs"], server.requests[0].body["top_logprobs"]) == (
        True,
        1,
    )
    assert (reply.cost_usd, reply.cost_source) == (0.0012, "provider")
    assert reply.logprobs == (TokenChoice("Yes", -0.5, (Alternative("No", -1.5),)),)


async def test_geminis_log_probabilities_are_read() -> None:
    result = {
        "chosenCandidates": [{"token": "Yes", "logProbability": -0.5}],
        "topCandidates": [{"candidates": []}],
    }
    candidate = {
        "content": {"role": "model", "parts": [{"text": "Yes"}]},
        "finishReason": "STOP",
        "logprobsResult": result,
    }
    document = {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    }
    async with chat_server(lambda body: document) as server, connected(GEMINI, server) as speaker:
        reply = await speaker(ask(sampling=Sampling(logprobs=0)))
    assert server.requests[0].body["generationConfig"] == {"seed": 7, "responseLogprobs": True}
    assert reply.logprobs == (TokenChoice("Yes", -0.5),)


OF_NO_USE = [
    ({"promptFeedback": {"blockReason": "SAFETY"}}, RefusedError),
    (
        {"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "MAX_TOKENS"}]},
        EmptyReplyError,
    ),
]


@pytest.mark.parametrize(("answer", "kind"), OF_NO_USE)
async def test_an_answer_that_is_of_no_use_keeps_what_it_is_billed_for(
    answer: dict[str, object], kind: type[ModelError]
) -> None:
    document = answer | {
        "usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 8}
    }
    async with chat_server(lambda body: document) as server, connected(GEMINI, server) as speaker:
        with pytest.raises(kind) as caught:
            await speaker(ask())
    assert caught.value.reply is not None
    assert (caught.value.reply.text, caught.value.reply.tokens_in) == ("", 3)


BEDROCK = "bedrock/us.amazon.nova-pro-v1:0"


@asynccontextmanager
async def bedrock(server: ChatServer) -> AsyncIterator[LiteLLMModel]:
    cloud = {
        "AWS_ACCESS_KEY_ID": "AKIAPLANTED012345678",
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION_NAME": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            cloud | {"AWS_BEDROCK_RUNTIME_ENDPOINT": server.url.removesuffix("/v1")}
        ).items():
            patch.setenv(name, value)
        speaker = litellm_model(BEDROCK)
        try:
            yield speaker
        finally:
            await speaker.close()


async def test_bedrock_is_asked_over_its_own_api_and_has_a_price() -> None:
    async with chat_server(lambda body: "a speech") as server, bedrock(server) as speaker:
        reply = await speaker(ask(sampling=Sampling(max_tokens=50)))
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.http_status) == (
        "a speech",
        1,
        2,
        200,
    )
    assert server.requests[0].path.endswith("/converse")
    assert server.requests[0].body["inferenceConfig"] == {"maxTokens": 50}
    assert speaker.price is not None


BEDROCK_FAULTS = [
    (Fault("429"), RateLimitedError),
    (Fault("500"), UnreachableError),
    (Fault("reset"), UnreachableError),
    (Fault("length"), EmptyReplyError),
]


@pytest.mark.parametrize(("fault", "kind"), BEDROCK_FAULTS)
async def test_a_fault_of_bedrock_is_its_error_after_one_request_and_says_no_key(
    fault: Fault, kind: type[ModelError]
) -> None:
    async with chat_server(lambda body: fault) as server, bedrock(server) as speaker:
        with pytest.raises(kind) as caught:
            await speaker(ask())
    assert len(server.requests) == 1
    assert not any(KEY[:12] in words for words in everything_said(caught.value))


async def test_counts_and_prices_that_nobody_gave_are_missing_and_not_zero() -> None:
    document = {
        "choices": [
            {"message": {"role": "assistant", "content": "speech"}, "finish_reason": "stop"}
        ]
    }
    async with (
        chat_server(lambda body: document) as server,
        connected(OPENROUTER, server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached, reply.tokens_reasoning) == (
        None,
    ) * 4
    assert (reply.cost_usd, reply.cost_source, reply.reasoning) == (None, None, None)
    async with (
        chat_server(lambda body: "speech") as server,
        connected("openrouter/nobody/knows-me", server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.tokens_in, reply.cost_usd, reply.cost_source) == (3, None, None)


@pytest.mark.parametrize("reference", BOTH)
async def test_the_wait_that_a_provider_asks_for_is_passed_on(reference: str) -> None:
    async with (
        chat_server(lambda body: Fault("429-after", retry_after="2.5")) as server,
        connected(reference, server) as speaker,
    ):
        with pytest.raises(RateLimitedError) as caught:
            await speaker(ask())
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize("reference", BOTH)
@pytest.mark.parametrize("fault", ["400", "401", "429", "503", "bad json", "wrong schema", "reset"])
async def test_the_key_is_sent_and_never_said(
    reference: str, fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = f"your key {KEY[:9]}\u200b{KEY[9:]} and {KEY} {'and more ' * 17}{KEY}"
    with caplog.at_level(logging.INFO):
        async with (
            chat_server(lambda body: Fault(fault, echo)) as server,
            connected(reference, server) as speaker,
        ):
            with pytest.raises(ModelError) as caught:
                await speaker(ask())
    assert KEY in f"{server.requests[0].headers} {server.requests[0].path}"
    texts = [
        *everything_said(caught.value),
        repr(speaker),
        str(speaker),
        speaker.name,
        caplog.text,
        *capfd.readouterr(),
    ]
    assert not any(KEY[:12] in words for words in texts)


async def test_a_server_that_is_not_there_is_unreachable_and_the_model_can_be_used_again() -> None:
    async with chat_server(lambda body: "speech") as server:
        async with connected(GEMINI, server) as speaker:
            assert (await speaker(ask())).text == "speech"
        assert (await speaker(ask())).text == "speech"
    with pytest.raises(UnreachableError):
        await speaker(ask())
    await speaker.close()


async def test_calls_at_once_are_kept_apart() -> None:
    def reply(body: dict) -> str | Fault:
        words = body["messages"][1]["content"]
        return Fault("reset") if words.endswith("3") else words

    async with (
        chat_server(reply, latency_s=0.05) as server,
        connected(OPENROUTER, server) as speaker,
    ):
        outcomes = await asyncio.gather(
            *(speaker(ask(f"speech {i}")) for i in range(20)), return_exceptions=True
        )
    assert [h.text if not isinstance(h, Exception) else type(h).__name__ for h in outcomes] == [
        "UnreachableError" if i % 10 == 3 else f"speech {i}" for i in range(20)
    ]
    assert len(server.requests) == 20


def test_it_prints_nothing_and_leaves_nothing_running_in_several_loops() -> None:
    code = f"""
import asyncio, gc, json
from agents.references import model
from tests.provider_faults import ask
async def run():
    await asyncio.gather(*(speaker(ask()) for _ in range(3)))
    await speaker.close()
    return [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
speaker = model("{GEMINI}")
print(json.dumps([asyncio.run(run()), asyncio.run(run())]))
gc.collect()
"""
    with chat_process("--max-s", "60") as url:
        variables = {**environment(url), "GEMINI_API_KEY": KEY}
        process = subprocess.run(
            [sys.executable, "-W", "always::ResourceWarning", "-c", code],
            capture_output=True,
            text=True,
            env=variables,
            check=False,
        )
    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout) == [["run"], ["run"]]


def test_every_provider_that_a_reference_may_name_is_known_to_litellm() -> None:
    known = {
        str(getattr(provider, "value", provider)) for provider in litellm_library().provider_list
    }
    assert known >= PROVIDERS
    assert not PROVIDERS & {"openai", "anthropic", "http", "sim", "scripted"}


def test_a_missing_key_is_named_when_the_reference_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    with pytest.raises(StudyError, match=r"needs a key.*export OPENROUTER_API_KEY"):
        model(OPENROUTER)
    monkeypatch.setenv("GEMINI_API_BASE", "http://api.example.com/v1")
    with pytest.raises(StudyError, match="over http"):
        model(GEMINI)


async def test_a_setting_that_a_model_does_not_take_is_an_error_before_anything_is_sent() -> None:
    assert model(GEMINI).capabilities >= {"seed"}
    assert "seed" not in model("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0").capabilities
    with pytest.raises(StudyError, match="does not take stop"):
        agent("xai/grok-4", sampling=Sampling(stop=("END",)))
    async with chat_server(lambda body: "speech") as server, connected(GEMINI, server) as speaker:
        with pytest.raises(RefusedError, match="prefill"):
            await speaker(ask(prefill_text="I hold that"))
    assert server.requests == []


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"error": {"code": 429, "message": "slow"}}, RateLimitedError),
        ({"error": {"code": 402, "message": "no credits"}}, RefusedError),
        ({"error": {"code": 502, "message": "down"}}, UnreachableError),
        ({"model": "m", "choices": [CHOICE | {"finish_reason": "error"}]}, UnreachableError),
    ],
)
async def test_faults_at_status_200_are_what_the_provider_says(
    document: dict[str, object], kind: type[ModelError]
) -> None:
    async with (
        chat_server(lambda body: document) as server,
        connected(OPENROUTER, server) as speaker,
    ):
        with pytest.raises(ModelError) as caught:
            await speaker(ask())
    assert type(caught.value) is kind
    assert len(server.requests) == 1


async def test_a_cut_reply_is_not_called_whole() -> None:
    cut = {"model": "m", "choices": [CHOICE | {"finish_reason": "model_length"}]}
    async with chat_server(lambda body: cut) as server, connected(OPENROUTER, server) as speaker:
        assert (await speaker(ask())).finish_reason == "model_length"
