"""Marks of what prompts share, on the wire; and what caches served and took, out of replies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents import agent
from agents.providers.anthropic_sdk import message_body
from agents.providers.api_model import ApiModel
from agents.providers.completions import completion_counts
from agents.providers.openai_sdk import chat_body, response_body
from arena.types import Message, Place, Request, Sampling, SharedPrefix

MESSAGES = (Message("system", "Be brief."), Message("user", "shared, own"))
PLAIN = Request(MESSAGES, Sampling(), 1, Place("e1", "s", 0, 0, "p", 0))
SHARED = replace(PLAIN, shared=(SharedPrefix(1, 7),))
TEXTS = ["shared,", " own"]


def test_anthropic_gets_a_mark_where_a_shared_beginning_ends() -> None:
    body: Any = message_body("claude-sonnet-5-5", SHARED, {})
    [message] = body["messages"]
    ephemeral = {"cache_control": {"type": "ephemeral"}}
    shared, own = [{"type": "text", "text": text} for text in TEXTS]
    assert message["content"] == [{**shared, **ephemeral}, own]
    plain: Any = message_body("claude-sonnet-5-5", PLAIN, {})
    assert plain["messages"][0]["content"] == "shared, own"


@pytest.mark.parametrize(("body", "field"), [(response_body, "input"), (chat_body, "messages")])
def test_openai_models_that_write_unasked_write_what_is_marked_alone(body: Any, field: str) -> None:
    sent = body("gpt-5.6", SHARED, {})
    parts = sent[field][-1]["content"]
    assert [part["text"] for part in parts] == TEXTS
    marks = [part.get("prompt_cache_breakpoint") for part in parts]
    assert marks == [{"mode": "explicit"}, None]
    assert sent["prompt_cache_options"] == {"mode": "explicit"}
    alone = body("gpt-5.6", PLAIN, {})
    assert alone[field][-1]["content"] == "shared, own"
    assert alone["prompt_cache_options"] == {"mode": "explicit"}
    assert "prompt_cache_key" not in alone


def test_earlier_openai_models_get_a_key_and_no_marks() -> None:
    sent: Any = response_body("gpt-5-mini", SHARED, {})
    assert sent["input"][-1]["content"] == "shared, own"
    assert sent.keys() == {"model", "input", "prompt_cache_key"}
    assert response_body("gpt-5-mini", PLAIN, {}).keys() == {"model", "input"}


@pytest.mark.parametrize(
    ("reference", "marks"),
    [("anthropic/claude-sonnet-5-5", 1), ("openai/gpt-5.6", 1), ("openai/gpt-5-mini", 0)],
)
def test_what_was_sent_says_how_many_marks_there_are(
    monkeypatch: pytest.MonkeyPatch, reference: str, marks: int
) -> None:
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-abcdefghijklmnop")
    speaker = agent(reference).model
    sent, plain = (speaker.request_settings(each) or {} for each in (SHARED, PLAIN))
    # As many as the body has.
    assert isinstance(speaker, ApiModel)
    body = str(speaker.request_body(SHARED))
    assert body.count("cache_control") + body.count("prompt_cache_breakpoint") == marks
    assert (sent.get("cache_marks", 0), plain.get("cache_marks", 0)) == (marks, 0)


def test_requests_that_share_a_beginning_have_one_key() -> None:
    def key(request: Request) -> object:
        return response_body("gpt-5-mini", request, {})["prompt_cache_key"]

    elsewhere = replace(SHARED, place=replace(SHARED.place, episode="e2"))
    assert key(SHARED) != key(elsewhere)
    judges = [
        replace(each, shared=(SharedPrefix(1, 7, by_episodes=True),))
        for each in (SHARED, elsewhere)
    ]
    assert key(judges[0]) == key(judges[1])


def test_words_of_a_user_about_the_cache_stand_above_ours() -> None:
    settings: dict[str, object] = {"prompt_cache_options": {"mode": "implicit"}}
    sent = response_body("gpt-5.6", PLAIN, settings)
    assert sent["prompt_cache_options"] == {"mode": "implicit"}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 5}}, (3, 5)),
        ({"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 7}, (3, None)),
        ({"cached_tokens": 3}, (3, None)),
        ({"cachedContentTokenCount": 3}, (3, None)),
        ({"prompt_tokens_details": {"cached_tokens": 3}, "cache_creation_input_tokens": 5}, (3, 5)),
        ({}, (None, None)),
    ],
)
def test_what_a_cache_served_comes_from_the_provider_s_own_field(
    usage: dict[str, object], counts: tuple[int | None, int | None]
) -> None:
    reply = completion_counts({"usage": {"prompt_tokens": 10} | usage}, {}, None, 200)
    assert (reply.tokens_cached, reply.tokens_cache_written) == counts
