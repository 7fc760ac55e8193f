"""Anthropic's models through Anthropic's SDK: `anthropic/<model>`, such as anthropic/claude-sonnet-4-6.

Asked through the Messages API, which takes no seed and wants a limit on the tokens: where the sampling has none it is 8192, since from
Claude 5 on models think before they speak, and their thoughts count.  The system message goes apart; thinking that is served becomes the
reply's reasoning.  What models of a version take is known from Anthropic's notes up to Claude 5 (a begun reply until 4.5, temperature and
top_p until 4.6); a name that cannot be read so is left to the provider.  Key: ANTHROPIC_API_KEY; ANTHROPIC_BASE_URL names another address.
Left out: budgets for thinking, prompt caching, tools.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.providers.sampling import unsupported_among
from agents.providers.sdk import Api, SdkModel
from agents.providers.wire import (
    TIMEOUT_S,
    Key,
    count,
    json_reply,
    label,
    no_text_error,
    without_key,
    wrong_schema_error,
)
from arena.text import writable
from arena.types import Reply, Request, Sampling

MAX_TOKENS = 8192
CLAUDE = re.compile(
    r"claude-(?:(?:opus|sonnet|haiku)-(\d+)(?:-(\d)(?!\d))?|(\d)(?:-(\d)(?!\d))?-|(fable|mythos))"
)


def anthropic_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """The model of a reference, given without its "anthropic/"; `timeout_s` > 0 is the longest a call may take.

    Raises StudyError where the SDK or the key is missing, or the address in ANTHROPIC_BASE_URL is not usable.
    """
    version = version_of(model)
    takes_prefill = version is not None and version < (4, 6)
    return SdkModel(
        f"anthropic/{model}",
        model,
        MESSAGES,
        capabilities=frozenset(("prefill",) if takes_prefill else ()),
        timeout_s=timeout_s,
    )


def version_of(model: str) -> tuple[int, int] | None:
    """The version in a Claude model's name, None where there is none; names without a number came with or after 4.7."""
    match = CLAUDE.match(model)
    if match is None:
        return None
    if match[5]:
        return (4, 7)
    return int(match[1] or match[3]), int(match[2] or match[4] or 0)


def unsupported_settings(model: str, sampling: Sampling) -> dict[str, str]:
    """The reason for each setting that a model does not take: 4.7 and later no temperature and top_p, 4.1 to 4.6 not both, none logprobs."""
    version, reasons = version_of(model), unsupported_among(sampling, "min_p", "choices")
    if version is not None and version >= (4, 7):
        for name in ("temperature", "top_p", "top_k"):
            if getattr(sampling, name) is not None:
                reasons[name] = f"{model} takes neither temperature nor top_p nor top_k"
    elif (
        version is not None
        and version >= (4, 1)
        and None not in (sampling.temperature, sampling.top_p)
    ):
        reasons["top_p"] = f"{model} takes a temperature or a top_p, not both"
    if sampling.logprobs is not None:
        reasons["logprobs"] = f"{model} gives no logprobs"
    return reasons


def message_settings(request: Request) -> dict[str, object]:
    """The settings of a message; what a model does not take has been refused or dropped."""
    sampling = request.sampling
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop_sequences": list(sampling.stop) or None,
    }
    limit = MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens
    return {
        "max_tokens": limit,
        **{name: value for name, value in settings.items() if value is not None},
    }


def message_arguments(
    model: str, request: Request, settings: dict[str, object]
) -> dict[str, object]:
    """The arguments of a message.  System messages go apart, in their order; the SDK has no names for what new models do not take."""
    system = "\n\n".join(
        writable(message.content) for message in request.messages if message.role == "system"
    )
    odd = {name: settings[name] for name in ("temperature", "top_p", "top_k") if name in settings}
    apart = {"system": system or None, "extra_body": odd or None}
    return {
        "model": model,
        "messages": [
            {"role": m.role, "content": writable(m.content)}
            for m in request.messages
            if m.role != "system"
        ],
        **{name: value for name, value in settings.items() if name not in odd},
        **{name: value for name, value in apart.items() if value is not None},
    }


def message_counts(document: object, *, key: Key, http_status: int) -> Reply:
    """What a message counts and is called, without its words; `tokens_in` includes what was read from and written to the cache."""
    document = document if isinstance(document, dict) else {}
    usage = document.get("usage")
    fresh, cached = count(usage, "input_tokens"), count(usage, "cache_read_input_tokens")
    return Reply(
        text="",
        model_served=label(document.get("model"), key),
        finish_reason=label(document.get("stop_reason"), key),
        http_status=http_status,
        tokens_in=None
        if fresh is None
        else fresh + (cached or 0) + (count(usage, "cache_creation_input_tokens") or 0),
        tokens_cached=cached,
        tokens_out=count(usage, "output_tokens"),
        tokens_reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )


def read_message(body: bytes, *, endpoint: str, key: Key, http_status: int) -> Reply:
    """The reply in the body of an answer of the Messages API.

    Raises BadReply where the body has not the form of a message, EmptyReply where it has no text, Refused where the model declined.
    """
    document = json_reply(body, endpoint=endpoint, key=key, http_status=http_status)
    counts = message_counts(document, key=key, http_status=http_status)
    content = document.get("content") if isinstance(document, dict) else None
    if (
        not isinstance(document, dict)
        or not isinstance(content, list)
        or not all(isinstance(block, dict) for block in content)
    ):
        raise wrong_schema_error(
            document, body, endpoint=endpoint, key=key, reply=counts, lacks="a list of content"
        )
    said = [
        (block.get("text") if block.get("type") == "text" else None, block.get("thinking"))
        for block in content
    ]
    text = "".join(text for text, _ in said if isinstance(text, str))
    reasoning = "\n\n".join(thinking for _, thinking in said if isinstance(thinking, str))
    if not text.strip():
        details = document.get("stop_details")
        why = (
            label(details.get("explanation") or details.get("category"), key)
            if isinstance(details, dict)
            else None
        )
        raise no_text_error(endpoint, counts, why)
    return replace(
        counts, text=without_key(text, key), reasoning=without_key(reasoning, key) or None
    )


MESSAGES = Api(
    package="anthropic",
    client="AsyncAnthropic",
    resource="messages",
    address="https://api.anthropic.com",
    settings=message_settings,
    arguments=message_arguments,
    read=read_message,
    unsupported_settings=unsupported_settings,
    max_temperature=1,
    longest_reply=MAX_TOKENS,
)
