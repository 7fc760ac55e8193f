"""OpenAI's models: the choice of the API, the requests, and the answers of both forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.providers.openai_sdk import openai_model, read_response
from arena.errors import (
    BadReplyError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)
from arena.types import Sampling, TokenChoice
from tests.agents.providers.test_sdk import connected
from tests.fake_server import chat_server
from tests.provider_faults import KEY, ask


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


CHATTING = (
    "gpt-4o gpt-4.1-nano gpt-3.5-turbo gpt-5-chat-latest gpt-5.3-chat-latest"
    " gpt-4o-search-preview chatgpt-4o-latest ft:gpt-4o:a:b:c"
)
REASONING = (
    "gpt-5 gpt-5-mini gpt-5.6-sol gpt-5.2-pro gpt-6 gpt-10-mini o1 o3-mini o4-mini-2025-04-16"
    " codex-mini-latest ft:o4-mini:a:b:c"
)


@pytest.mark.parametrize(("names", "has"), [(CHATTING, True), (REASONING, False)])
def test_only_models_behind_chat_completions_take_a_seed(names: str, has: bool) -> None:
    assert {name: "seed" in openai_model(name).capabilities for name in names.split()} == {
        name: has for name in names.split()
    }


async def test_a_chat_completion_gets_the_settings_that_were_made_and_a_seed() -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected("openai/gpt-4o", server) as speaker,
    ):
        await speaker(ask())
        await speaker(
            ask(sampling=Sampling(temperature=0.0, top_p=0.9, max_tokens=50, stop=("END",)))
        )
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "motion"}]
    assert server.requests[0].body == {"model": "gpt-4o", "messages": messages, "seed": 7}
    made = {"temperature": 0.0, "top_p": 0.9, "max_completion_tokens": 50, "stop": ["END"]}
    assert server.requests[1].body == server.requests[0].body | made


async def test_a_response_is_not_stored_and_gets_no_seed() -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected("openai/gpt-5.2", server) as speaker,
    ):
        await speaker(ask())
        await speaker(ask(sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=50)))
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "motion"}]
    assert server.requests[0].body == {"model": "gpt-5.2", "input": messages, "store": False}
    assert server.requests[1].body == server.requests[0].body | {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
    }


async def test_a_chat_completion_is_read_with_all_its_counts() -> None:
    usage = {
        "prompt_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 32},
        "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    document = {
        "model": "gpt-4o-2024",
        "choices": [{"message": {"content": "speech"}, "finish_reason": "length"}],
        "usage": usage,
    }
    async with (
        chat_server(lambda body: document) as server,
        connected("openai/gpt-4o", server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.text, reply.model_served, reply.finish_reason, reply.http_status) == (
        "speech",
        "gpt-4o-2024",
        "length",
        200,
    )
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        32,
        9,
        5,
    )


def response(text: str | None = "a speech", **changes: Any) -> dict[str, Any]:
    thinking = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": t} for t in ("first", "then")],
    }
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    usage = {"input_tokens": 40, "output_tokens": 9}
    usage |= {
        "input_tokens_details": {"cached_tokens": 32},
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    return {
        "model": "gpt-5-served",
        "status": "completed",
        "output": [thinking, message],
        "usage": usage,
    } | changes


async def test_a_response_is_read_with_its_reasoning_and_all_its_counts() -> None:
    async with (
        chat_server(lambda body: response()) as server,
        connected("openai/gpt-5", server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.text, reply.reasoning, reply.model_served, reply.finish_reason) == (
        "a speech",
        "first\n\nthen",
        "gpt-5-served",
        "completed",
    )
    assert reply.reasoning_source == "summary"
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        32,
        9,
        5,
    )


async def test_the_log_probabilities_of_a_response_are_asked_for_and_read() -> None:
    tokens = [
        {"token": t, "logprob": -0.5, "bytes": [], "top_logprobs": []} for t in ("a ", "speech")
    ]
    message = {
        "type": "message",
        "content": [{"type": "output_text", "text": "a speech", "logprobs": tokens}],
    }
    async with (
        chat_server(lambda body: response(output=[message])) as server,
        connected("openai/gpt-5.2", server) as speaker,
    ):
        reply = await speaker(ask(sampling=Sampling(logprobs=0)))
    sent = {"top_logprobs": 0, "include": ["message.output_text.logprobs"]}
    assert {name: server.requests[0].body[name] for name in sent} == sent
    assert reply.logprobs == (TokenChoice("a ", -0.5), TokenChoice("speech", -0.5))


async def test_the_log_probabilities_of_a_chat_completion_are_asked_for_and_read() -> None:
    choice = {
        "message": {"content": "Yes", "reasoning_content": "hm"},
        "logprobs": {"content": [{"token": "Yes", "logprob": -0.5}]},
    }
    async with (
        chat_server(lambda body: {"choices": [choice]}) as server,
        connected("openai/gpt-4o", server) as speaker,
    ):
        reply = await speaker(ask(sampling=Sampling(logprobs=3)))
    assert (server.requests[0].body["logprobs"], server.requests[0].body["top_logprobs"]) == (
        True,
        3,
    )
    assert (reply.reasoning, reply.logprobs) == ("hm", (TokenChoice("Yes", -0.5),))


OF_NO_USE = [
    (response(output=[]), EmptyReplyError),
    (
        response(output=[{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]),
        RefusedError,
    ),
    (response(output=None), BadReplyError),
    (
        response(status="failed", error={"code": "server_error", "message": "broken"}),
        UnreachableError,
    ),
]


@pytest.mark.parametrize(("document", "kind"), OF_NO_USE)
def test_a_response_that_is_of_no_use_keeps_what_it_is_billed_for(
    document: dict[str, Any], kind: type[ModelError]
) -> None:
    with pytest.raises(kind) as caught:
        read_response(json.dumps(document).encode(), endpoint="it", key=None, http_status=200)
    reply = caught.value.reply
    assert reply is not None
    assert (reply.text, reply.model_served, reply.finish_reason, reply.http_status) == (
        "",
        "gpt-5-served",
        document["status"],
        200,
    )
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        32,
        9,
        5,
    )


def test_no_lone_surrogate_comes_out_of_a_response() -> None:
    document = json.dumps(response("cut \ud83d", model="m\ud800")).encode()
    reply = read_response(document, endpoint="it", key=None, http_status=200)
    f"{reply.text}{reply.reasoning}{reply.model_served}".encode()


FAILED = [
    ({"code": "rate_limit_exceeded", "message": "slow"}, RateLimitedError),
    ({"code": "server_error", "message": "broken"}, UnreachableError),
    ({"code": "invalid_prompt", "message": "no"}, RefusedError),
]


@pytest.mark.parametrize(("error", "kind"), FAILED)
def test_a_response_that_failed_at_status_200_is_its_error(
    error: dict[str, str], kind: type[ModelError]
) -> None:
    with pytest.raises(kind, match=error["message"]):
        read_response(
            json.dumps(response(status="failed", error=error, output=[])).encode(),
            endpoint="it",
            key=None,
            http_status=200,
        )


def test_a_response_without_text_says_why() -> None:
    cut = response(
        output=[], status="incomplete", incomplete_details={"reason": "max_output_tokens"}
    )
    with pytest.raises(EmptyReplyError, match=r"max_output_tokens.*raise max_tokens"):
        read_response(json.dumps(cut).encode(), endpoint="it", key=None, http_status=200)
    refusal = [
        {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot say that"}]}
    ]
    with pytest.raises(RefusedError, match=r"declined.*I cannot say that"):
        read_response(
            json.dumps(response(output=refusal)).encode(), endpoint="it", key=None, http_status=200
        )


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
KINDS = st.sampled_from(["output_text", "refusal", "summary_text"])
PIECE = st.fixed_dictionaries({"type": KINDS, "text": JSON}, optional={"logprobs": JSON})
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning"])},
    optional={"content": JSON | st.lists(PIECE), "summary": JSON},
)
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "output": JSON | st.lists(ITEM),
        "usage": JSON,
        "model": JSON,
        "status": JSON,
        "error": JSON,
        "incomplete_details": JSON,
    },
)


@settings(max_examples=60, deadline=None)
@given(DOCUMENT | JSON)
def test_whatever_json_comes_is_a_reply_with_text_or_a_model_error(document: object) -> None:
    try:
        reply = read_response(
            json.dumps(document).encode(), endpoint="it", key=None, http_status=200
        )
    except ModelError:
        return
    assert reply.text.strip()
    assert all(
        isinstance(word, str | None)
        for word in (reply.reasoning, reply.model_served, reply.finish_reason)
    )
