"""The real SDKs of OpenAI and Anthropic against a server on loopback: faults, keys, connections.

Each API must behave like the others.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import agents.providers.sdk
from agents.providers.anthropic_sdk import anthropic_model
from agents.providers.openai_sdk import openai_model
from agents.providers.sdk import SdkModel
from agents.references import agent, model
from arena.errors import (
    BadReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.types import Sampling
from tests.fake_server import ChatServer, Fault, chat_process, chat_server
from tests.provider_faults import FAULT_NAMES, FAULTS, KEY, ask, everything_said, no_connection_left

# Both SDKs, over many faults.
pytestmark = pytest.mark.slow

APIS = ["openai/gpt-4o-mini", "openai/gpt-5-mini", "anthropic/claude-haiku-4-5"]
PATHS = dict(zip(APIS, ["/v1/chat/completions", "/v1/responses", "/v1/messages"], strict=True))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{package}_API_KEY", f" {KEY}\n")
        monkeypatch.delenv(f"{package}_BASE_URL", raising=False)


def pointed(reference: str, url: str, timeout_s: float = 20.0) -> SdkModel:
    kind, _, name = reference.partition("/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", url)
        patch.setenv("ANTHROPIC_BASE_URL", url.removesuffix("/v1"))
        return {"openai": openai_model, "anthropic": anthropic_model}[kind](
            name, timeout_s=timeout_s
        )


@asynccontextmanager
async def connected(
    reference: str, server: ChatServer, timeout_s: float = 20.0
) -> AsyncIterator[SdkModel]:
    speaker = pointed(reference, server.url, timeout_s)
    try:
        yield speaker
    finally:
        await speaker.close()


@pytest.mark.parametrize("reference", APIS)
async def test_a_speech_comes_over_the_api_that_its_model_needs(reference: str) -> None:
    async with (
        chat_server(lambda body: "a spéech") as server,
        connected(reference, server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.text, reply.http_status, reply.model_served) == (
        "a spéech",
        200,
        reference.partition("/")[2],
    )
    assert (
        reply.tokens_out,
        reply.tokens_cached,
        reply.tokens_reasoning,
        reply.reasoning,
        reply.cost_usd,
    ) == (2, None, None, None, None)
    assert [request.path for request in server.requests] == [PATHS[reference]]


@pytest.mark.parametrize("reference", APIS)
@pytest.mark.parametrize(("fault", "kind", "status"), FAULTS, ids=FAULT_NAMES)
async def test_each_fault_becomes_its_error_after_one_request(
    reference: str, fault: Fault, kind: type[ModelError], status: int | None
) -> None:
    timeout_s = 0.8 if fault.kind in ("hang", "slow body") else 20.0
    async with chat_server(lambda body: fault) as server:
        async with connected(reference, server, timeout_s) as speaker:
            with pytest.raises(ModelError) as caught:
                await speaker(ask())
        assert await no_connection_left(server)
    assert (type(caught.value), caught.value.http_status) == (kind, status)
    assert len(server.requests) == 1
    assert reference in str(caught.value)


@pytest.mark.parametrize("reference", APIS)
async def test_after_a_fault_the_next_call_is_answered(reference: str) -> None:
    answers = iter([Fault("reset"), "one", Fault("truncated"), "two", Fault("huge"), "three"])
    outcomes = []
    async with (
        chat_server(lambda body: next(answers)) as server,
        connected(reference, server) as speaker,
    ):
        for _ in range(6):
            try:
                outcomes.append((await speaker(ask())).text)
            except ModelError as error:
                outcomes.append(type(error).__name__)
    assert outcomes == [
        "UnreachableError",
        "one",
        "UnreachableError",
        "two",
        "BadReplyError",
        "three",
    ]


@pytest.mark.parametrize("reference", APIS)
async def test_a_server_that_is_not_there_is_unreachable(reference: str) -> None:
    async with chat_server(lambda body: "speech") as server:
        pass
    async with connected(reference, server) as speaker:
        with pytest.raises(UnreachableError, match=r"cannot be reached.*is the server up"):
            await speaker(ask())


@pytest.mark.parametrize("reference", APIS)
async def test_the_wait_that_a_provider_asks_for_is_passed_on(reference: str) -> None:
    async with (
        chat_server(lambda body: Fault("429-after", retry_after="2.5")) as server,
        connected(reference, server) as speaker,
    ):
        with pytest.raises(RateLimitedError) as caught:
            await speaker(ask())
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize("reference", APIS)
@pytest.mark.parametrize(
    "fault", ["400", "401", "429", "503", "bad json", "wrong schema", "reset", "hang"]
)
async def test_the_key_is_sent_and_never_said(
    reference: str, fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"your key {KEY[:9]}\u200b{KEY[9:]} and {KEY} {'and more ' * 17}{KEY}"
    async with (
        chat_server(lambda body: Fault(fault, echo)) as server,
        connected(reference, server, 0.3 if fault == "hang" else 20) as speaker,
    ):
        with pytest.raises(ModelError) as caught:
            await speaker(ask())
    headers = server.requests[0].headers
    assert (
        KEY in (headers.get("authorization", ""), headers.get("x-api-key"))
        or headers["authorization"] == f"Bearer {KEY}"
    )
    texts = [
        *everything_said(caught.value),
        repr(speaker),
        str(speaker),
        speaker.name,
        caplog.text,
        *capfd.readouterr(),
    ]
    assert not any(KEY[:12] in words for words in texts)


@pytest.mark.parametrize("reference", APIS)
async def test_lone_surrogates_go_neither_in_nor_out(reference: str) -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected(reference, server) as speaker,
    ):
        await speaker(ask("cut \ud83d"))
    assert "cut \ufffd" in str(server.requests[0].body)


@pytest.mark.parametrize("reference", APIS)
async def test_calls_one_after_another_share_a_connection_and_calls_at_once_are_not_limited(
    reference: str,
) -> None:
    async with (
        chat_server(lambda body: "speech", latency_s=0.6) as server,
        connected(reference, server) as speaker,
    ):
        await speaker(ask())
        await speaker(ask())
        assert server.connections_made == 1
        await asyncio.gather(*(speaker(ask(f"speech {i}")) for i in range(60)))
        assert len(server.open) == 60


@pytest.mark.parametrize("reference", APIS)
async def test_a_cancelled_call_lets_its_connection_go(reference: str) -> None:
    async with (
        chat_server(lambda body: Fault("hang")) as server,
        connected(reference, server) as speaker,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(speaker(ask()), 0.3)
        assert await no_connection_left(server)


@pytest.mark.parametrize("reference", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
def test_several_runs_each_in_its_own_loop_close_without_a_warning(reference: str) -> None:
    code = f"""
import asyncio, gc
from agents.references import model
from tests.provider_faults import ask
async def run():
    await asyncio.gather(*(speaker(ask()) for _ in range(5)))
    await speaker.close()
speaker = model("{reference}")
asyncio.run(run()); asyncio.run(run())
del speaker; gc.collect()
"""
    with chat_process("--max-s", "60") as url:
        environment = {
            "OPENAI_BASE_URL": url,
            "ANTHROPIC_BASE_URL": url.removesuffix("/v1"),
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_API_KEY": KEY,
        }
        process = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_a_reference_is_read_without_importing_an_sdk() -> None:
    code = f"""
import sys, os
os.environ.update(OPENAI_API_KEY="{KEY}", ANTHROPIC_API_KEY="{KEY}")
from agents.references import agent
for reference in {APIS!r}: agent(reference)
heavy = ("openai", "anthropic", "litellm", "httpx", "httpx2", "aiohttp", "pydantic")
print([m for m in heavy if m in sys.modules])
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.parametrize("reference", APIS)
def test_a_missing_key_and_a_missing_package_say_what_to_do(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = reference.partition("/")[0]
    monkeypatch.setenv(f"{package.upper()}_API_KEY", " ")
    with pytest.raises(
        StudyError, match=rf"{reference} needs a key.*export {package.upper()}_API_KEY=\.\.\."
    ):
        model(reference)
    monkeypatch.setattr(agents.providers.sdk, "find_spec", lambda name: None)
    with pytest.raises(
        StudyError,
        match=rf"{reference} needs the package {package}.*pip install 'peer-arena\[api\]'",
    ):
        model(reference)


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com/v1",
        "https://u:secret@h/v1",
        "ftp://h",
        "https://h/v1?key=secret",
        "nonsense",
    ],
)
def test_an_address_that_would_betray_the_key_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(StudyError, match="OPENAI_BASE_URL") as caught:
        model("openai/gpt-4o")
    assert "secret" not in str(caught.value)


OBJECTIONS = [
    ("openai/gpt-5-mini", Sampling(temperature=0.5)),
    ("openai/o3", Sampling(top_p=0.5)),
    ("openai/gpt-5.2", Sampling(stop=("END",))),
    ("anthropic/claude-opus-4-8", Sampling(temperature=0.5)),
    ("anthropic/claude-haiku-4-5", Sampling(temperature=0.5, top_p=0.5)),
    ("anthropic/claude-haiku-4-5", Sampling(temperature=1.5)),
]


@pytest.mark.parametrize(("reference", "sampling"), OBJECTIONS)
async def test_a_setting_that_a_model_does_not_take_is_an_error_before_anything_is_sent(
    reference: str, sampling: Sampling
) -> None:
    why = rf"{reference} does not support this sampling.*(leave|from 0 to 1)"
    with pytest.raises(StudyError, match=why):
        agent(reference, sampling=sampling)
    async with (
        chat_server(lambda body: "speech") as server,
        connected(reference, server) as speaker,
    ):
        with pytest.raises(RefusedError, match="was not asked"):
            await speaker(ask(sampling=sampling))
    assert server.requests == []


@pytest.mark.parametrize("reference", [*APIS[:2], "anthropic/claude-sonnet-5"])
async def test_a_begun_reply_goes_only_to_models_that_go_on_with_it(reference: str) -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected(reference, server) as speaker,
    ):
        with pytest.raises(RefusedError, match="prefill"):
            await speaker(ask(prefill_text="I hold that"))
    assert "prefill" not in speaker.capabilities
    assert server.requests == []


async def test_an_answer_that_cannot_be_decompressed_is_a_bad_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests import fake_server

    response_form = fake_server.response
    monkeypatch.setattr(
        fake_server,
        "response",
        lambda status, body: response_form(status, body, "Content-Encoding: gzip\r\n"),
    )
    async with chat_server(lambda body: "speech") as server, connected(APIS[0], server) as speaker:
        with pytest.raises(BadReplyError, match="decompressed"):
            await speaker(ask())
