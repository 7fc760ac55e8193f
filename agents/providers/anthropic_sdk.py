"""Call Anthropic's models through its SDK: anthropic/<model>, such as anthropic/claude-sonnet-4-6.

The Messages API takes no seed and requires a limit on the tokens.  If the sampling has none, it is
8192, since models from Claude 5 on think before they speak, and their thoughts count.  The system
message goes apart; thinking that is served becomes the reply's reasoning.  The settings that the
models of a version support are known from Anthropic's notes up to Claude 5 (a prefill until 4.5,
temperature and top_p until 4.6, a budget for thinking until 4.6, an effort from 4.6 on); a name
without a version is left to the provider.  Key: ANTHROPIC_API_KEY; ANTHROPIC_BASE_URL names another
address.  Left out: tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from agents.providers.anthropic_batches import AnthropicBatches
from agents.providers.cache_marks import ANTHROPIC_MARK, mark_beginnings
from agents.providers.chat_requests import merge_extra
from agents.providers.completions import chat_messages, content_words, objects_in, parse_answer
from agents.providers.faults import no_text_error
from agents.providers.sampling import drop_settings, drop_unset, out_of, unsupported_among
from agents.providers.sdk import Api, SdkModel
from agents.providers.wire import TIMEOUT_S, Answer, Key, count, label, without_key
from arena.images import Image
from arena.sampling import thaw
from arena.text import writable
from arena.types import Reply, Request, Sampling, SharedPrefix

MAX_TOKENS = 8192
# claude-opus-4-5, claude-3-5-sonnet and claude-fable: (major, minor) on either side of the family's
# name; a minor version is one digit, since longer numbers are dates.
CLAUDE = re.compile(
    r"claude-(?:(?:opus|sonnet|haiku)-(\d+)(?:-(\d)(?!\d))?|(\d)(?:-(\d)(?!\d))?-|(fable|mythos))"
)
SAMPLED = ("temperature", "top_p", "top_k")
UNSUPPORTED_SETTINGS = (
    *("min_p", "choices", "presence_penalty", "frequency_penalty", "repetition_penalty"),
)
ALWAYS_THINKS = re.compile(r"claude-(fable|mythos|(opus|sonnet)-5-5)")
LEAST_THINKING = 1024
# The lowest top_p beside thoughts.
LEAST_TOP_P = 0.95


def anthropic_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """Return the model of a reference without its "anthropic/".

    `timeout_s` > 0 is the longest that a call may take.  Raises StudyError if the SDK or the key is
    missing, or the address in ANTHROPIC_BASE_URL is not usable.
    """
    version = version_of(model)
    abilities = {
        "prefill": version is not None and version < (4, 6),
        "response_schema": version is None or version >= (4, 5),
        "images": True,
    }
    return SdkModel(
        f"anthropic/{model}",
        model,
        MESSAGES,
        capabilities=frozenset(name for name, has in abilities.items() if has),
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
    top_p together, no model logprobs, min_p, choices or penalties.  An effort is supported from 4.6
    on, a number of thinking tokens until 4.6; with thoughts temperature and top_p are bound.
    """
    version = version_of(model) or (0, 0)
    reasons = unsupported_among(sampling, *UNSUPPORTED_SETTINGS)
    thinking = {name: why for name, why in wrong_thinking(model, sampling)}
    if version >= (4, 7):
        why = f"{model} takes neither temperature nor top_p nor top_k"
        reasons |= dict.fromkeys(unsupported_among(sampling, *SAMPLED), why)
    elif thinks(drop_settings(sampling, thinking)):
        why = f"{model} takes no {{}} while it thinks"
        bound = {
            "temperature": sampling.temperature not in (None, 1),
            "top_p": sampling.top_p is not None and sampling.top_p < LEAST_TOP_P,
            "top_k": sampling.top_k is not None,
        }
        other = {"temperature": "temperature but 1", "top_p": f"top_p below {LEAST_TOP_P}"}
        reasons |= {name: why.format(other.get(name, name)) for name in bound if bound[name]}
    if (4, 1) <= version < (4, 7) and None not in (sampling.temperature, sampling.top_p):
        reasons["top_p"] = f"{model} takes a temperature or a top_p, not both"
    if sampling.logprobs is not None:
        reasons["logprobs"] = f"{model} gives no logprobs"
    return reasons | thinking


def wrong_thinking(model: str, sampling: Sampling) -> Iterator[tuple[str, str]]:
    """Yield (setting, reason) for what a model does not support of effort, thoughts and schemas."""
    version = version_of(model)
    effort = sampling.reasoning_effort
    tokens = sampling.thinking_tokens
    if effort == "minimal" or (effort == "xhigh" and version and version < (4, 7)):
        words = "low, medium, high, max" + ("" if effort == "xhigh" else ", and xhigh from 4.7 on")
        yield "reasoning_effort", f"{model} takes no reasoning_effort {effort!r}, but {words}"
    elif effort not in (None, "none") and version and version < (4, 6):
        why = f"{model} takes no reasoning_effort, but a number of thinking_tokens"
        yield "reasoning_effort", why
    off = [name for name, value in (("reasoning_effort", effort == "none"),) if value]
    off += ["thinking_tokens"] if tokens == 0 else []
    if ALWAYS_THINKS.match(model):
        yield from ((name, f"{model} always thinks") for name in off)
    if tokens and version and version >= (4, 7):
        yield (
            "thinking_tokens",
            f"{model} takes no number of thinking_tokens, but a reasoning_effort",
        )
    if tokens and version and version < (3, 7):
        yield "thinking_tokens", f"{model} does not think before it speaks"
    if sampling.response_schema is not None and version and version < (4, 5):
        yield "response_schema", f"{model} keeps to no schema"


def wrong_value(model: str, sampling: Sampling) -> str | None:
    """Return why the number of thinking tokens cannot be sent, None if it can."""
    tokens = sampling.thinking_tokens
    if not tokens or "thinking_tokens" in unsupported_settings(model, sampling):
        return None
    if tokens < LEAST_THINKING:
        return out_of(f"thinking_tokens is 0 or at least {LEAST_THINKING}", tokens)
    if sampling.max_tokens is None and tokens >= MAX_TOKENS:
        return (
            f"thinking_tokens {tokens} needs a higher max_tokens, which is {MAX_TOKENS} unless set"
            " and counts thoughts too; set max_tokens"
        )
    return None


def thinks(sampling: Sampling) -> bool:
    """Return whether a sampling asks for thoughts."""
    return bool(sampling.thinking_tokens) or sampling.reasoning_effort not in (None, "none")


def thinking_settings(sampling: Sampling) -> dict[str, object]:
    """Return the settings of thoughts: adaptive with an effort, enabled with a number of tokens."""
    effort = None if sampling.reasoning_effort == "none" else sampling.reasoning_effort
    tokens = sampling.thinking_tokens
    thinking: dict[str, object] | None = None
    if tokens:
        thinking = {"type": "enabled", "budget_tokens": tokens}
    elif tokens == 0 or sampling.reasoning_effort == "none":
        thinking = {"type": "disabled"}
    elif effort is not None:
        # From 4.7 on thoughts come back only where they are asked for.
        thinking = {"type": "adaptive", "display": "summarized"}
    schema = sampling.response_schema
    form = None if schema is None else {"type": "json_schema", "schema": thaw(schema)}
    output = drop_unset(dict(effort=effort, format=form))
    return drop_unset(dict(thinking=thinking, output_config=output or None))


def message_settings(model: str, request: Request) -> dict[str, object]:
    """Return the settings of a message; unsupported ones were refused or dropped before."""
    sampling = request.sampling
    settings = drop_unset(
        dict(
            max_tokens=MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop_sequences=list(sampling.stop) or None,
        )
    )
    return merge_extra(settings | thinking_settings(sampling), sampling)


def message_body(model: str, request: Request, settings: dict[str, object]) -> dict[str, object]:
    """Return the JSON of a message, with the system messages apart, in their order."""
    system = "\n\n".join(
        writable(message.content) for message in request.messages if message.role == "system"
    )
    others = [message for message in request.messages if message.role != "system"]
    return {
        "model": model,
        "messages": mark_beginnings(
            chat_messages(others, message_image),
            request.shared,
            ANTHROPIC_MARK,
            first=len(request.messages) - len(others),
        ),
        **settings,
        **drop_unset(dict(system=system or None)),
    }


def message_marks(model: str, request: Request) -> list[SharedPrefix]:
    """Return the beginnings to mark: the system prompt, which stands apart, has no mark."""
    roles = [message.role for message in request.messages]
    return [prefix for prefix in request.shared if roles[prefix.message] != "system"]


def message_image(image: Image) -> dict[str, object]:
    """Return an image as a part of a message."""
    source = {"type": "base64", "media_type": image.media_type, "data": image.base64}
    return {"type": "image", "source": source}


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
    # From Claude 4 on another model writes what is served as its thoughts.
    version = version_of(counts.model_served or "")
    source = None if version is None else "summary" if version >= (4, 0) else "model"
    return replace(
        counts,
        text=without_key(words.text, key),
        reasoning=thought,
        reasoning_source=source if thought else None,
    )


MESSAGES = Api(
    package="anthropic",
    client="AsyncAnthropic",
    resource="messages",
    address="https://api.anthropic.com",
    settings=message_settings,
    body=message_body,
    parameters=("model", "messages", "max_tokens"),
    read=read_message,
    unsupported_settings=unsupported_settings,
    max_temperature=1,
    wrong_value=wrong_value,
    thinks=thinks,
    marks=message_marks,
    longest_reply=MAX_TOKENS,
    batches=AnthropicBatches,
)
