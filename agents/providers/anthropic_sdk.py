"""Call Anthropic's models through its SDK: anthropic/<model>, such as anthropic/claude-sonnet-4-6.

The Messages API takes no seed and requires a limit on the tokens.  If the sampling has none, it is
8192, since models from Claude 5 on think before they speak, and their thoughts count.  The system
message goes apart; thinking that is served becomes the reply's reasoning.  The settings that the
models of a version support are known from Anthropic's notes up to Claude 5 (a prefill until 4.5,
temperature and top_p until 4.6); a name without a version is left to the provider.  Key:
ANTHROPIC_API_KEY; ANTHROPIC_BASE_URL names another address.  Left out: budgets for thinking, prompt
caching, tools.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.providers.completions import chat_messages, content_words, objects_in, parse_answer
from agents.providers.faults import no_text_error
from agents.providers.sampling import drop_unset, unsupported_among
from agents.providers.sdk import Api, SdkModel
from agents.providers.wire import TIMEOUT_S, Answer, Key, count, label, without_key
from arena.text import writable
from arena.types import Reply, Request, Sampling

MAX_TOKENS = 8192
# claude-opus-4-5, claude-3-5-sonnet and claude-fable: (major, minor) on either side of the family's
# name; a minor version is one digit, since longer numbers are dates.
CLAUDE = re.compile(
    r"claude-(?:(?:opus|sonnet|haiku)-(\d+)(?:-(\d)(?!\d))?|(\d)(?:-(\d)(?!\d))?-|(fable|mythos))"
)
# Settings for which the SDK's newest versions have no parameter.
EXTRA_SETTINGS = ("temperature", "top_p", "top_k")


def anthropic_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """Return the model of a reference without its "anthropic/".

    `timeout_s` > 0 is the longest that a call may take.  Raises StudyError if the SDK or the key is
    missing, or the address in ANTHROPIC_BASE_URL is not usable.
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
    """Return the version in a Claude model's name, None if there is none.

    Families without a number came with or after 4.7, and count as (4, 7).
    """
    match = CLAUDE.match(model)
    if match is None:
        return None
    if match[5]:
        return (4, 7)
    return int(match[1] or match[3]), int(match[2] or match[4] or 0)


def unsupported_settings(model: str, sampling: Sampling) -> dict[str, str]:
    """Return the reason for each setting that a model does not support.

    4.7 and later support neither temperature nor top_p nor top_k, 4.1 to 4.6 not temperature and
    top_p together, no model logprobs, min_p or choices.
    """
    version = version_of(model) or (0, 0)
    reasons = unsupported_among(sampling, "min_p", "choices")
    if version >= (4, 7):
        why = f"{model} takes neither temperature nor top_p nor top_k"
        reasons |= dict.fromkeys(unsupported_among(sampling, *EXTRA_SETTINGS), why)
    elif version >= (4, 1) and None not in (sampling.temperature, sampling.top_p):
        reasons["top_p"] = f"{model} takes a temperature or a top_p, not both"
    if sampling.logprobs is not None:
        reasons["logprobs"] = f"{model} gives no logprobs"
    return reasons


def message_settings(request: Request) -> dict[str, object]:
    """Return the settings of a message; unsupported ones were refused or dropped before."""
    sampling = request.sampling
    return drop_unset(
        dict(
            max_tokens=MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop_sequences=list(sampling.stop) or None,
        )
    )


def message_arguments(
    model: str, request: Request, settings: dict[str, object]
) -> dict[str, object]:
    """Return the arguments of a message, with the system messages apart, in their order."""
    system = "\n\n".join(
        writable(message.content) for message in request.messages if message.role == "system"
    )
    # extra_body puts settings into the request that the SDK has no parameter for.
    extra = {name: settings[name] for name in EXTRA_SETTINGS if name in settings}
    return {
        "model": model,
        "messages": chat_messages([m for m in request.messages if m.role != "system"]),
        **{name: value for name, value in settings.items() if name not in extra},
        **drop_unset(dict(system=system or None, extra_body=extra or None)),
    }


def message_counts(answer: Answer) -> Reply:
    """Return the counts and names in a message, as a reply without words.

    `tokens_in` includes tokens that were read from and written to the cache.
    """
    usage = answer.fields.get("usage")
    # Anthropic counts three kinds of input apart; the arena's tokens_in is all of them.
    tokens_in = count(usage, "input_tokens")
    cached = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    if tokens_in is not None:
        tokens_in += (cached or 0) + (written or 0)
    return Reply(
        text="",
        model_served=label(answer.fields.get("model"), answer.key),
        finish_reason=label(answer.fields.get("stop_reason"), answer.key),
        http_status=answer.http_status,
        tokens_in=tokens_in,
        tokens_cached=cached,
        tokens_cache_written=written,
        tokens_cache_written_long=count(usage, "cache_creation", "ephemeral_1h_input_tokens"),
        tokens_out=count(usage, "output_tokens"),
        tokens_reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )


def read_message(body: bytes, *, endpoint: str, key: Key, http_status: int) -> Reply:
    """Return the reply in the body of an answer of the Messages API.

    Raises BadReplyError if the body has not the form of a message, EmptyReplyError if it has no
    text, RefusedError if the model declined.
    """
    answer = parse_answer(body, endpoint=endpoint, key=key, http_status=http_status)
    counts = message_counts(answer)
    content = objects_in(answer, "content", counts)
    words = content_words(content)
    if not words.text.strip():
        details = answer.fields.get("stop_details")
        details = details if isinstance(details, dict) else {}
        refusal = label(details.get("explanation") or details.get("category"), key)
        raise no_text_error(endpoint, counts, refusal, words.others)
    thought = without_key(words.reasoning, key) or None
    return replace(counts, text=without_key(words.text, key), reasoning=thought)


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
