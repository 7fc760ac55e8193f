"""Test how replies end: faults at status 200, content in parts, empty replies, cut and broken ones.

The same fault has the same class in every lane, and the same request is not paid for twice if it
must fail again.
"""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.providers.anthropic_sdk import read_message
from agents.providers.completions import content_words, read_reply
from agents.providers.faults import read_fault
from agents.providers.litellm_sdk import own_finish_reason
from agents.providers.openai_sdk import read_response
from agents.providers.wire import Answer
from arena.calls.retry import Retry, wait_before_next
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)
from arena.types import Reply


def read(document: object) -> Reply:
    """Read a chat completion."""
    return read_reply(json.dumps(document).encode(), endpoint="it")


def fault_in(document: object) -> ModelError:
    """Return the error that a chat completion becomes."""
    with pytest.raises(ModelError) as caught:
        read(document)
    return caught.value


def completion(content: object, finish: str | None, **message: object) -> dict[str, object]:
    """Return a chat completion with one choice."""
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}


def is_tried_again(error: ModelError) -> bool:
    """Return whether the retry layer sends the request once more."""
    return wait_before_next(Retry(), [error], 0.0, random.Random(1)) is not None


STATED = [
    ({"code": 429, "message": "slow"}, RateLimitedError),
    ({"code": "429"}, RateLimitedError),
    ({"type": "rate_limit_error", "message": "slow"}, RateLimitedError),
    ({"status": "RESOURCE_EXHAUSTED", "message": "slow"}, RateLimitedError),
    ({"code": 402, "message": "no credits"}, RefusedError),
    ({"code": 429, "message": "billing_hard_limit_reached"}, RefusedError),
    ({"message": "Your credit balance is too low"}, RefusedError),
    ({"code": 403, "message": "moderation"}, RefusedError),
    ({"code": "content_filter", "message": "filtered"}, RefusedError),
    ({"code": 502, "message": "upstream is down"}, UnreachableError),
    ({"type": "overloaded_error", "message": "Overloaded"}, UnreachableError),
    ({"code": 400, "message": "maximum context length is 5 tokens"}, ContextOverflowError),
    ({"message": "the maximum context length is 5 tokens"}, ContextOverflowError),
    ({"message": "something odd"}, BadReplyError),
]


@pytest.mark.parametrize(("error", "kind"), STATED)
def test_an_error_at_status_200_is_what_it_says(
    error: dict[str, object], kind: type[ModelError]
) -> None:
    caught = fault_in({"error": error})
    assert type(caught) is kind
    assert caught.http_status == 200
    assert is_tried_again(caught) == (kind not in (RefusedError, ContextOverflowError))


UNPAID = [
    "insufficient_quota: you exceeded your current quota",
    "billing_hard_limit_reached",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "You are out of credits",
    "Insufficient Balance",
]


@pytest.mark.parametrize("words", UNPAID)
@pytest.mark.parametrize("status", [402, 403, 429])
def test_an_account_without_money_is_asked_once(words: str, status: int) -> None:
    body = json.dumps({"error": {"message": words}}).encode()
    fault = read_fault(status, {}, body, endpoint="it", key=None)
    assert type(fault) is RefusedError
    assert "billing" in str(fault)


def test_a_limit_a_minute_is_no_empty_account() -> None:
    words = "You exceeded your current quota. Please retry in 20 s. RESOURCE_EXHAUSTED"
    body = json.dumps({"error": {"message": words, "code": 429}}).encode()
    assert type(read_fault(429, {}, body, endpoint="it", key=None)) is RateLimitedError


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource", "MALFORMED_RESPONSE"])
def test_a_part_of_a_broken_reply_is_no_reply(finish: str) -> None:
    caught = fault_in(completion("so the answer could be \\boxed{4", finish))
    assert type(caught) is UnreachableError
    assert is_tried_again(caught)
    assert caught.reply is not None
    assert (caught.reply.text, caught.reply.tokens_out) == ("", 4)


def test_the_choice_says_why_it_broke() -> None:
    choice = {"message": {"content": "so"}, "finish_reason": "error"}
    for code, kind in ((429, RateLimitedError), (502, UnreachableError), (403, RefusedError)):
        broken = choice | {"error": {"code": code, "message": "provider"}}
        assert type(fault_in({"choices": [broken]})) is kind


def test_an_error_beside_a_part_of_the_text_is_an_error() -> None:
    whole = {"error": {"code": 502, "message": "lost"}}
    assert type(fault_in(whole | completion("So \\boxed{4}", None))) is UnreachableError
    # A reply that ended is a reply, whatever stands beside it.
    assert read(whole | completion("So \\boxed{4}", "stop")).text == "So \\boxed{4}"


@pytest.mark.parametrize("finish", ["length", "model_length", "max_tokens"])
def test_a_limit_that_was_spent_on_thought_is_paid_for_once(finish: str) -> None:
    caught = fault_in(completion(None, finish, reasoning_content="hm"))
    assert type(caught) is EmptyReplyError
    assert "raise max_tokens" in str(caught)
    assert not is_tried_again(caught)


def test_a_call_of_a_tool_is_paid_for_once() -> None:
    for document in (
        completion(None, "tool_calls"),
        completion("", "stop", tool_calls=[{"id": "1", "function": {"name": "f"}}]),
        completion([{"type": "tool_use", "name": "f"}], "stop"),
    ):
        caught = fault_in(document)
        assert type(caught) is EmptyReplyError
        assert "it called a tool" in str(caught)
        assert not is_tried_again(caught)


def test_an_empty_reply_without_a_cause_is_tried_again() -> None:
    assert is_tried_again(fault_in(completion("", "stop")))


def test_a_filtered_or_declined_reply_is_asked_for_once() -> None:
    for document in (
        completion(None, "content_filter"),
        completion(None, "SAFETY"),
        completion(None, "stop", refusal="I cannot"),
        completion([{"type": "refusal", "refusal": "I cannot"}], "stop"),
    ):
        caught = fault_in(document)
        assert type(caught) is RefusedError
        assert not is_tried_again(caught)


PARTS = [
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", ""),
    ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "42"}], "42", "hm"),
    (
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "42"},
        ],
        "42",
        "hm",
    ),
    ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "42"}], "42", "hm"),
    (["4", "2"], "42", ""),
    ([{"type": "text", "text": {"value": "42", "annotations": []}}], "42", ""),
]


@pytest.mark.parametrize(("content", "text", "reasoning"), PARTS)
def test_content_in_parts_is_read(content: object, text: str, reasoning: str) -> None:
    reply = read(completion(content, "stop"))
    assert (reply.text, reply.reasoning) == (text, reasoning or None)


def test_thoughts_beside_and_inside_the_content_are_kept_together() -> None:
    parts = [{"type": "thinking", "thinking": "inside"}, {"type": "text", "text": "42"}]
    assert read(completion(parts, "stop", reasoning="beside")).reasoning == "beside\n\ninside"


def test_parts_that_are_no_words_are_named_where_there_is_no_text() -> None:
    caught = fault_in(completion([{"type": "image_url", "image_url": {}}], "stop"))
    assert "image_url" in str(caught)
    thought = fault_in(completion([{"type": "thinking", "thinking": "hm"}], "length"))
    assert (type(thought), is_tried_again(thought)) == (EmptyReplyError, False)


SPOKEN = st.lists(
    st.tuples(st.sampled_from(["text", "output_text", "thinking", "reasoning"]), st.text())
)


@given(SPOKEN)
def test_no_thought_is_text_and_no_text_is_lost(parts: list[tuple[str, str]]) -> None:
    words = content_words(
        [{"type": kind, "thinking" if kind == "thinking" else "text": text} for kind, text in parts]
    )
    assert words.text == "".join(text for kind, text in parts if "text" in kind)
    thoughts = [text for kind, text in parts if "text" not in kind and text]
    assert words.reasoning == "\n\n".join(thoughts)


def test_responses_and_messages_end_in_the_same_errors() -> None:
    def responses(**fields: object) -> ModelError:
        body = json.dumps({"output": [], **fields}).encode()
        with pytest.raises(ModelError) as caught:
            read_response(body, endpoint="it", key=None, http_status=200)
        return caught.value

    def messages(**fields: object) -> ModelError:
        body = json.dumps({"content": [], **fields}).encode()
        with pytest.raises(ModelError) as caught:
            read_message(body, endpoint="it", key=None, http_status=200)
        return caught.value

    failed = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}
    assert type(responses(**failed)) is RateLimitedError
    assert type(responses(status="failed", error={"code": "server_error"})) is UnreachableError
    assert type(responses(status="failed", error={"code": "invalid_prompt"})) is RefusedError
    cut = responses(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert (type(cut), is_tried_again(cut)) == (EmptyReplyError, False)
    tool = responses(status="completed", output=[{"type": "function_call", "name": "f"}])
    assert (type(tool), is_tried_again(tool)) == (EmptyReplyError, False)
    assert type(messages(stop_reason="refusal")) is RefusedError
    for ending in ("max_tokens", "model_context_window_exceeded"):
        assert not is_tried_again(messages(stop_reason=ending))
    tool = messages(stop_reason="tool_use", content=[{"type": "tool_use", "name": "f"}])
    assert (type(tool), is_tried_again(tool)) == (EmptyReplyError, False)
    overloaded = messages(content=None, type="error", error={"type": "overloaded_error"})
    assert type(overloaded) is UnreachableError


@pytest.mark.parametrize(
    ("fields", "litellms", "word"),
    [
        ({"choices": [{"finish_reason": "error"}]}, "stop", "error"),
        ({"choices": [{"finish_reason": "model_length"}]}, "stop", "model_length"),
        ({"candidates": [{"finishReason": "MALFORMED_RESPONSE"}]}, "stop", "MALFORMED_RESPONSE"),
        ({"candidates": [{"finishReason": "OTHER"}]}, "content_filter", "OTHER"),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, "length", "length"),
        ({"candidates": [{"finishReason": "STOP"}]}, "stop", "stop"),
        ({"stop_reason": "model_context_window_exceeded"}, "stop", "model_context_window_exceeded"),
        ({"stopReason": "guardrail_intervened"}, "content_filter", "content_filter"),
        ({}, "stop", "stop"),
    ],
)
def test_a_finish_reason_that_litellm_hides_is_read_from_the_answer(
    fields: dict[str, object], litellms: str, word: str
) -> None:
    assert own_finish_reason(Answer(b"", fields, "it", None, 200), litellms) == word


CLASSES = {
    RateLimitedError: [429, "429", "rate_limit_exceeded", "RESOURCE_EXHAUSTED", "throttled"],
    RefusedError: [400, 401, "402", 403, "content_filter", "invalid_api_key", "NOT_FOUND"],
    UnreachableError: [500, "502", 503, 504, "overloaded_error", "UNAVAILABLE", "server_error"],
}


@settings(max_examples=60)
@given(
    st.sampled_from([(kind, code) for kind, codes in CLASSES.items() for code in codes]),
    st.sampled_from(["code", "status", "type"]),
    st.sampled_from(["", "provider", "Something went wrong."]),
    st.booleans(),
)
def test_a_fault_is_the_same_wherever_the_answer_says_it(
    stated: tuple[type[ModelError], int | str], field: str, words: str, in_choice: bool
) -> None:
    kind, code = stated
    error = {"error": {field: code, "message": words}}
    choice = {"message": {"content": "so"}, "finish_reason": "error"}
    caught = fault_in({"choices": [choice | error]} if in_choice else error)
    assert type(caught) is kind
    assert is_tried_again(caught) == (kind is not RefusedError)


NOTHING = [None, "", [], [{"type": "text", "text": ""}], [{"type": "thinking", "thinking": "hm"}]]


@settings(max_examples=60)
@given(
    st.sampled_from(NOTHING),
    st.sampled_from(["length", "max_tokens", "model_length", "MAX_TOKENS", "tool_calls", "stop"]),
    st.sampled_from([{}, {"reasoning_content": "hm"}, {"reasoning": "hm"}]),
    st.booleans(),
)
def test_an_empty_reply_is_asked_for_again_only_if_it_may_end_otherwise(
    content: object, finish: str, thought: dict[str, object], has_tool: bool
) -> None:
    tools = {"tool_calls": [{"id": "1", "function": {"name": "f"}}]} if has_tool else {}
    caught = fault_in(completion(content, finish, **thought, **tools))
    assert type(caught) is EmptyReplyError
    assert is_tried_again(caught) == (finish == "stop" and not has_tool)
