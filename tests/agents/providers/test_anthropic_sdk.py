"""Anthropic's models: what is sent, and what is read from an answer of the Messages API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.providers.anthropic_sdk import MAX_TOKENS, anthropic_model, read_message, version_of
from arena.errors import BadReplyError, EmptyReplyError, ModelError, RefusedError
from arena.types import Sampling
from tests.agents.providers.test_sdk import connected
from tests.fake_server import chat_server
from tests.provider_faults import KEY, ask


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)


VERSIONS = {
    "claude-3-haiku-20240307": (3, 0),
    "claude-3-5-sonnet-20241022": (3, 5),
    "claude-sonnet-4-20250514": (4, 0),
    "claude-haiku-4-5-20251001": (4, 5),
    "claude-opus-4-8": (4, 8),
    "claude-sonnet-5-5": (5, 5),
    "claude-fable-5-2": (4, 7),
    "claude-of-a-proxy": None,
}


@pytest.mark.parametrize(("name", "version"), VERSIONS.items())
def test_the_version_of_a_model_is_read_from_its_name(
    name: str, version: tuple[int, int] | None
) -> None:
    assert version_of(name) == version
    assert ("prefill" in anthropic_model(name).capabilities) == (
        version is not None and version < (4, 6)
    )


async def test_only_settings_that_were_made_are_sent_with_the_limit_that_is_required() -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected("anthropic/claude-haiku-4-5", server) as speaker,
    ):
        await speaker(ask())
        await speaker(ask(sampling=Sampling(temperature=0.0, max_tokens=50, stop=("END",))))
        await speaker(ask(sampling=Sampling(top_p=0.9)))
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": MAX_TOKENS,
        "system": "be brief",
        "messages": [{"role": "user", "content": "motion"}],
    }
    made = [{}, {"temperature": 0.0, "max_tokens": 50, "stop_sequences": ["END"]}, {"top_p": 0.9}]
    assert [request.body for request in server.requests] == [body | settings for settings in made]


async def test_a_begun_reply_is_sent_to_a_model_that_goes_on_with_it() -> None:
    async with (
        chat_server(lambda body: "speech") as server,
        connected("anthropic/claude-haiku-4-5", server) as speaker,
    ):
        await speaker(ask(prefill_text="I hold that"))
    assert server.requests[0].body["messages"][-1] == {
        "role": "assistant",
        "content": "I hold that",
    }


def message(**changes: Any) -> dict[str, Any]:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
    ]
    content += [{"type": "text", "text": "a "}, {"type": "text", "text": "spéech"}]
    usage = {
        "input_tokens": 8,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 2,
        "output_tokens": 9,
    }
    usage |= {"output_tokens_details": {"thinking_tokens": 5}}  # type: ignore[dict-item]
    return {
        "type": "message",
        "model": "claude-served",
        "content": content,
        "stop_reason": "stop_sequence",
        "usage": usage,
    } | changes


async def test_an_answer_is_read_with_its_thinking_and_all_its_counts() -> None:
    async with (
        chat_server(lambda body: message()) as server,
        connected("anthropic/claude-sonnet-5", server) as speaker,
    ):
        reply = await speaker(ask())
    assert (reply.text, reply.reasoning, reply.model_served, reply.finish_reason) == (
        "a spéech",
        "hm",
        "claude-served",
        "stop_sequence",
    )
    assert (
        reply.tokens_in,
        reply.tokens_cached,
        reply.tokens_out,
        reply.tokens_reasoning,
        reply.http_status,
    ) == (40, 30, 9, 5, 200)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        {"input_tokens": None, "output_tokens": "9"},
        {"input_tokens": -1, "output_tokens": True},
    ],
)
def test_a_count_that_was_not_given_is_missing_and_not_zero(usage: object) -> None:
    reply = read_message(
        json.dumps(message(usage=usage)).encode(), endpoint="it", key=None, http_status=200
    )
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        None,
    ) * 4


def test_a_model_that_declined_is_refused_with_its_reason() -> None:
    declined = message(
        content=[], stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"}
    )
    with pytest.raises(RefusedError, match=r"declined.*cyber"):
        read_message(json.dumps(declined).encode(), endpoint="it", key=None, http_status=200)


OF_NO_USE = [
    (message(content=[]), EmptyReplyError),
    (message(content=[], stop_reason="refusal"), RefusedError),
    (message(content=None), BadReplyError),
]


@pytest.mark.parametrize(("document", "kind"), OF_NO_USE)
def test_an_answer_that_is_of_no_use_keeps_what_it_is_billed_for(
    document: dict[str, Any], kind: type[ModelError]
) -> None:
    with pytest.raises(kind) as caught:
        read_message(json.dumps(document).encode(), endpoint="it", key=None, http_status=200)
    reply = caught.value.reply
    assert reply is not None
    assert (reply.text, reply.model_served, reply.finish_reason, reply.http_status) == (
        "",
        "claude-served",
        document["stop_reason"],
        200,
    )
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        30,
        9,
        5,
    )


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking"])}, optional={"text": JSON, "thinking": JSON}
)
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "content": JSON | st.lists(BLOCK),
        "usage": JSON,
        "model": JSON,
        "stop_reason": JSON,
        "stop_details": JSON,
    },
)


@settings(max_examples=60, deadline=None)
@given(DOCUMENT | JSON)
def test_whatever_json_comes_is_a_reply_with_text_or_a_model_error(document: object) -> None:
    try:
        reply = read_message(
            json.dumps(document).encode(), endpoint="it", key=None, http_status=200
        )
    except ModelError:
        return
    assert reply.text.strip()
    assert all(
        isinstance(word, str | None)
        for word in (reply.reasoning, reply.model_served, reply.finish_reason)
    )


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("claude-3-7-sonnet-20250219", "model"),
        ("claude-sonnet-4-20250514", "summary"),
        ("claude-opus-5-5", "summary"),
        ("claude-served", None),
    ],
)
def test_thoughts_that_another_model_wrote_are_marked(model: str, source: str | None) -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
    said = {"type": "text", "text": "yes"}
    for content, expected in (([thinking, said], source), ([said], None)):
        document = {"model": model, "content": content, "stop_reason": "end_turn"}
        body = json.dumps(document).encode()
        reply = read_message(body, endpoint="claude", key=None, http_status=200)
        assert (reply.reasoning is not None, reply.reasoning_source) == (
            thinking in content,
            expected,
        )


async def test_a_begun_reply_is_not_thought_about() -> None:
    speaker = anthropic_model("claude-haiku-4-5")
    sampling = Sampling(thinking_tokens=2000, max_tokens=4000)
    with pytest.raises(RefusedError, match="leave reasoning_effort and thinking_tokens out"):
        await speaker(ask(sampling=sampling, prefill_text="I say"))
