"""Anthropic's models through Anthropic's SDK: `anthropic/<model>`, such as anthropic/claude-sonnet-4-6.

Asked through the Messages API, which takes no seed and wants a limit on the tokens: where the sampling has none it is 8192, since from
Claude 5 on models think before they speak, and their thoughts count.  The system message goes apart; thinking that is served becomes the
reply's reasoning.  What models of a version take is known from Anthropic's notes up to Claude 5 (a begun reply until 4.5, temperature and
top_p until 4.6); a name that cannot be read so is left to the provider.  Key: ANTHROPIC_API_KEY; ANTHROPIC_BASE_URL names another address.
Left out: budgets for thinking, prompt caching, tools.
"""

from __future__ import annotations

import re

from agents.sdk import Api, SdkModel
from agents.wire import TIMEOUT_S, Key, count, json_reply, label, no_text, without_key, wrong_schema
from arena.journal import writable
from arena.types import Reply, Request, Sampling

MAX_TOKENS = 8192
CLAUDE = re.compile(r"claude-(?:(?:opus|sonnet|haiku)-(\d+)(?:-(\d)(?!\d))?|(\d)(?:-(\d)(?!\d))?-|(fable|mythos))")


def anthropic_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """The model of a reference, given without its "anthropic/"; `timeout_s` > 0 is the longest a call may take.

    Raises StudyError where the SDK or the key is missing, or the address in ANTHROPIC_BASE_URL is not usable.
    """
    version = version_of(model)
    takes_prefill = version is not None and version < (4, 6)
    return SdkModel(f"anthropic/{model}", model, MESSAGES, can=frozenset(("prefill",) if takes_prefill else ()), timeout_s=timeout_s)


def version_of(model: str) -> tuple[int, int] | None:
    """The version in a Claude model's name, None where there is none; names without a number came with or after 4.7."""
    match = CLAUDE.match(model)
    if match is None:
        return None
    if match[5]:
        return (4, 7)
    return int(match[1] or match[3]), int(match[2] or match[4] or 0)


def objection(model: str, sampling: Sampling) -> str | None:
    """Why a model cannot be sampled so: 4.7 and later take no temperature and top_p, 4.1 to 4.6 not both, and no model more than 1."""
    version = version_of(model)
    temperature, top_p = sampling.temperature, sampling.top_p
    if version is not None and version >= (4, 7) and (temperature, top_p) != (None, None):
        return f"{model} takes neither temperature nor top_p; leave them out"
    if version is not None and version >= (4, 1) and temperature is not None and top_p is not None:
        return f"{model} takes a temperature or a top_p, not both; leave one out"
    if temperature is not None and temperature > 1:
        return f"{model} takes a temperature from 0 to 1, not {temperature:g}"
    return None


def message_arguments(model: str, request: Request) -> dict[str, object]:
    """The arguments of a message.  System messages go apart, in their order; the SDK has no names for what new models do not take."""
    sampling = request.sampling
    system = "\n\n".join(writable(message.content) for message in request.messages if message.role == "system")
    odd = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    settings = {
        "system": system or None,
        "stop_sequences": list(sampling.stop) or None,
        "extra_body": {name: value for name, value in odd.items() if value is not None} or None,
    }
    return {
        "model": model,
        "max_tokens": MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens,
        "messages": [{"role": m.role, "content": writable(m.content)} for m in request.messages if m.role != "system"],
        **{name: value for name, value in settings.items() if value is not None},
    }


def read_message(body: bytes, *, asked: str, key: Key, http_status: int) -> Reply:
    """The reply in the body of an answer of the Messages API.

    `tokens_in` includes what was read from and written to Anthropic's cache.  Raises BadReply where the body has not the form of a
    message, EmptyReply where it has no text, Refused where the model declined.
    """
    document = json_reply(body, asked=asked, key=key, http_status=http_status)
    content = document.get("content") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise wrong_schema(document, body, asked=asked, key=key, http_status=http_status, lacks="a list of content")
    said = [(block.get("text") if block.get("type") == "text" else None, block.get("thinking")) for block in content]
    text = "".join(text for text, _ in said if isinstance(text, str))
    reasoning = "\n\n".join(thinking for _, thinking in said if isinstance(thinking, str))
    finish_reason = label(document.get("stop_reason"), key)
    if not text.strip():
        details = document.get("stop_details")
        why = label(details.get("explanation") or details.get("category"), key) if isinstance(details, dict) else None
        raise no_text(asked, finish_reason, why, http_status=http_status)
    usage = document.get("usage")
    fresh, cached = count(usage, "input_tokens"), count(usage, "cache_read_input_tokens")
    return Reply(
        text=without_key(text, key),
        reasoning=without_key(reasoning, key) or None,
        model_served=label(document.get("model"), key),
        finish_reason=finish_reason,
        http_status=http_status,
        tokens_in=None if fresh is None else fresh + (cached or 0) + (count(usage, "cache_creation_input_tokens") or 0),
        tokens_cached=cached,
        tokens_out=count(usage, "output_tokens"),
        tokens_reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )


MESSAGES = Api("anthropic", "AsyncAnthropic", "messages", "https://api.anthropic.com", message_arguments, read_message, objection)
