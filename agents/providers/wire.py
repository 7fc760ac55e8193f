"""What goes over the wire, read without trust: addresses, keys, chat completions and the faults of servers.

Shared by all lanes to API models, so that the same fault has the same error and the same words in each.  What servers write is cut, cleaned
and freed of keys.  Imports no HTTP client.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import orjson

from arena.calls.secrets import SHORTEST
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.text import writable
from arena.types import Alternative, Reply, TokenChoice

KEY_VARIABLE = "ARENA_HTTP_API_KEY"
EXAMPLE = "http/llama-3.1-8b@http://127.0.0.1:8000/v1"
TIMEOUT_S = 600.0
CONNECT_S = 30.0
# uvicorn (vLLM, SGLang) and llama.cpp close an idle connection after 5 s; a request sent at that moment would be lost.
KEEP_ALIVE_S = 4.0
MAX_REPLY_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
EXCERPT_CHARACTERS = 200
# A log probability is at most 0, but for rounding.
ROUNDING = 1e-4
Key = str | tuple[str, ...] | None
# How an answer ended, in the words of chat completions, Responses, Messages and Gemini.
CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded")
DECLINED = ("content_filter", "refusal")
# The wordings of OpenAI, vLLM (older and newer), llama.cpp (sometimes at status 500), llama-cpp-python, SGLang, TGI, Anthropic, Gemini,
# Bedrock.
OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|maximum model length|max_tokens must be at least 1, got -|exceed_context_size"
    r"|available context size|context size has been exceeded|exceed context window|model's context length"
    r"|input length .{0,40}exceeds the maximum|inputs`? tokens \+ `?max_new_tokens|prompt is too long"
    r"|exceeds the context window|exceed context limit|input token count .{0,40}exceeds the maximum|input is too long for requested model",
    re.IGNORECASE,
)


def is_private(host: str) -> bool:
    """Whether a host is on this machine or, as far as its name or number tells, on a private network; no look-up is made."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(
            (".localhost", ".local", ".internal", ".lan", ".home.arpa")
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_address(name: str, base_url: str, *, variable: str = KEY_VARIABLE) -> SplitResult:
    """The parts of a base url; `variable` is where its key belongs.  Raises StudyError, which never repeats what may hold a secret."""
    try:
        url = urlsplit(base_url)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x20\x7f\\]", base_url):
        raise StudyError(
            f"the address of {name} is not usable: it must begin with http:// or https:// and have a host, such as http://127.0.0.1:8000/v1"
        )
    if "@" in url.netloc:
        raise StudyError(
            f"the address of {name} holds a user name or a password; leave them out and put the key into {variable}"
        )
    if "?" in base_url or "#" in base_url:
        raise StudyError(
            f"the address of {name} holds a query or a fragment; give only the base url, and put a key into {variable}"
        )
    return url


def key_in(variable: str) -> str:
    """The key that an environment variable holds, "" where it is not set.  Raises StudyError where it cannot stand in a header."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise StudyError(
            f"{variable} holds characters that no key has, such as a line break: set it again"
        )
    return key


def without_key(text: str, key: Key) -> str:
    """The text as it can be written down: without the key, or each of several, which a server may echo."""
    for secret in (key,) if isinstance(key, str) else key or ():
        # A word as short as that is no secret (servers without keys take any), and may stand in any speech.
        text = text.replace(secret, "[key]") if len(secret) >= SHORTEST else text
    return writable(text)


def excerpt(text: str, key: Key) -> str:
    """The first 200 printable characters of what a server wrote, without the key, or each of several."""
    words = " ".join(
        "".join(
            c if c.isprintable() else " " if c.isspace() else "" for c in text[:MAX_ERROR_BYTES]
        ).split()
    )
    words = without_key(words, key)
    return words if len(words) <= EXCERPT_CHARACTERS else words[: EXCERPT_CHARACTERS - 1] + "…"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After header asks for, >= 0, from a number or a date; None where there is none or it is neither."""
    value = headers.get("Retry-After", "").strip()
    try:
        if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
            return float(value)
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def document_of(body: bytes) -> object:
    """The JSON of a body, None where it is not JSON in UTF-8 or is nested too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Slower, but takes lone surrogates and NaN, which some servers write.
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def body_text(body: bytes) -> str:
    """A body, or the beginning of a long one, as text."""
    return body[:MAX_ERROR_BYTES].decode("utf-8", "replace")


def error_text(document: object) -> str | None:
    """The message and code of an error document, in the forms that servers use; None where it is not one."""
    if not isinstance(document, dict):
        return None
    error = document.get(
        "error", document if document.get("object") == "error" else document.get("detail")
    )
    if isinstance(error, dict):
        return " ".join(
            str(error[k]) for k in ("message", "type", "code") if error.get(k) not in (None, "")
        )
    return None if error in (None, "") else str(error)


def count(usage: object, *path: str) -> int | None:
    """A token count in a usage document, None where it is absent or not a whole number from 0 on."""
    for step in path:
        usage = usage.get(step) if isinstance(usage, dict) else None
    return usage if type(usage) is int and 0 <= usage < 2**53 else None


def label(value: object, key: Key) -> str | None:
    """A short word that a server gave, such as a finish reason; None where there is none."""
    if not isinstance(value, str):
        return None
    return repeated_label(value, key) if len(value) <= 64 else excerpt(value, key) or None


@lru_cache(maxsize=256)
def repeated_label(value: str, key: Key) -> str | None:
    """The label of a word that comes with every answer."""
    return excerpt(value, key) or None


def stated_cost(usage: object) -> float | None:
    """Dollars that a provider says it charges for a call, in a usage document of OpenRouter's or Perplexity's form; None where it does not."""
    cost = usage.get("cost") if isinstance(usage, dict) else None
    cost = cost.get("total_cost") if isinstance(cost, dict) else cost
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < 1e9:
        return None
    # With a key of the user's own, OpenRouter charges a fee, and the provider behind it the rest.
    details = (
        usage.get("cost_details")
        if isinstance(usage, dict) and usage.get("is_byok") is True
        else None
    )
    behind = details.get("upstream_inference_cost") if isinstance(details, dict) else None
    return float(cost) + (behind if isinstance(behind, int | float) and 0 <= behind < 1e9 else 0.0)


def token_choices(found: object, key: Key) -> tuple[TokenChoice, ...] | None:
    """The tokens in a list of chat completions' form, with their log probabilities.

    None where there is no such list, one of them is no text with a finite number up to 0, or together they spell the key.
    """
    if not isinstance(found, list) or not found:
        return None
    choices = []
    for piece in found:
        chosen = alternative(piece, key)
        beside = piece.get("top_logprobs") if isinstance(piece, dict) else None
        others = [alternative(other, key) for other in beside] if isinstance(beside, list) else []
        if chosen is None or None in others:
            return None
        choices.append(
            TokenChoice(
                chosen.token, chosen.logprob, tuple(other for other in others if other is not None)
            )
        )
    whole = "".join(choice.token for choice in choices)
    return tuple(choices) if without_key(whole, key) == writable(whole) else None


def alternative(piece: object, key: Key) -> Alternative | None:
    """A token with its log probability, None where it is not one."""
    token, logprob = (
        (piece.get("token"), piece.get("logprob")) if isinstance(piece, dict) else (None, None)
    )
    if (
        not isinstance(token, str)
        or isinstance(logprob, bool)
        or not isinstance(logprob, int | float)
        or not -1e300 < logprob <= ROUNDING
    ):
        return None
    return Alternative(without_key(token, key), min(float(logprob), 0.0))


def completion_reply(
    choice: Mapping[str, object],
    document: object,
    *,
    key: Key,
    http_status: int,
    text: str = "",
    reasoning: str | None = None,
) -> Reply:
    """The reply of a chat completion: the words given, with what its document counts and is called."""
    document = document if isinstance(document, dict) else {}
    usage, tokens = document.get("usage"), choice.get("logprobs")
    cost = stated_cost(usage)
    return Reply(
        text=text,
        reasoning=reasoning,
        model_served=label(document.get("model"), key),
        finish_reason=label(choice.get("finish_reason"), key),
        http_status=http_status,
        tokens_in=count(usage, "prompt_tokens"),
        tokens_cached=count(usage, "prompt_tokens_details", "cached_tokens"),
        tokens_out=count(usage, "completion_tokens"),
        tokens_reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
        cost_usd=cost,
        cost_source=None if cost is None else "provider",
        logprobs=token_choices(tokens.get("content"), key) if isinstance(tokens, dict) else None,
    )


def billable_reply(reply: Reply) -> Reply | None:
    """A reply without its words, for an error that is billed all the same; None where the provider counted nothing."""
    if (reply.tokens_in, reply.tokens_out, reply.cost_usd) == (None, None, None):
        return None
    return replace(reply, text="", reasoning=None, logprobs=None)


def read_reply(body: bytes, *, endpoint: str, key: Key = None, http_status: int = 200) -> Reply:
    """The reply in the body of a successful answer.

    `asked` names model and server in errors.  Counts that are absent or no whole numbers are None.  Raises BadReply where the body is not
    UTF-8, not JSON or has no choices with a message, EmptyReply where the message has no text, ContextOverflow where it says so, Refused
    where the model declined.
    """
    document = json_reply(body, endpoint=endpoint, key=key, http_status=http_status)
    choices = document.get("choices") if isinstance(document, dict) else None
    choice = (
        choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    )
    message = choice.get("message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str | None):
        raise wrong_schema_error(
            document,
            body,
            endpoint=endpoint,
            key=key,
            reply=completion_reply(choice, document, key=key, http_status=http_status),
        )
    text, thinking = (
        message.get("content"),
        message.get("reasoning_content") or message.get("reasoning"),
    )
    if text is None or not text.strip():
        raise no_text_error(
            endpoint,
            completion_reply(choice, document, key=key, http_status=http_status),
            label(message.get("refusal"), key),
        )
    reasoning = without_key(thinking, key) if thinking and isinstance(thinking, str) else None
    return completion_reply(
        choice,
        document,
        key=key,
        http_status=http_status,
        text=without_key(text, key),
        reasoning=reasoning,
    )


def json_reply(body: bytes, *, endpoint: str, key: Key, http_status: int) -> object:
    """The JSON of a successful answer.  Raises BadReply where the body is not UTF-8 or not JSON."""
    document = document_of(body)
    if document is None:
        raise BadReplyError(
            f"{endpoint} answered, but not with JSON in UTF-8: {excerpt(body_text(body), key)!r}",
            http_status=http_status,
        )
    return document


def no_text_error(endpoint: str, reply: Reply, refusal: str | None = None) -> ModelError:
    """The error for an answer without text: Refused where the model or a filter declined, else EmptyReply."""
    finish_reason, status = reply.finish_reason, reply.http_status
    if refusal or finish_reason in DECLINED:
        said = f"{endpoint} declined to answer (finish reason {finish_reason}): {refusal or 'no reason given'}"
        return RefusedError(said, http_status=status, reply=billable_reply(reply))
    spent = finish_reason in CUT_SHORT
    why = (
        "it used up its tokens before it said anything; raise max_tokens"
        if spent
        else "try again, or take another model"
    )
    return EmptyReplyError(
        f"{endpoint} answered without any text (finish reason {finish_reason}): {why}",
        http_status=status,
        reply=billable_reply(reply),
    )


def wrong_schema_error(
    document: object,
    body: bytes,
    *,
    endpoint: str,
    key: Key,
    reply: Reply,
    lacks: str = "choices[0].message.content",
) -> ModelError:
    """The error for a successful answer that has not the form of a reply: some servers report errors at status 200."""
    said, status = error_text(document), reply.http_status
    if said is not None and OVERFLOW.search(said):
        return ContextOverflowError(
            f"{endpoint}: the prompt does not fit the model: {excerpt(said, key)}",
            http_status=status,
            reply=billable_reply(reply),
        )
    found = excerpt(body_text(body) if said is None else said, key)
    return BadReplyError(
        f"{endpoint} answered without {lacks}: {found!r}; is this a chat server?",
        http_status=status,
        reply=billable_reply(reply),
    )


def read_fault(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    endpoint: str,
    key: Key,
    variable: str = KEY_VARIABLE,
) -> ModelError:
    """The error for an answer with a status that is not 2xx.

    3xx is BadReply (redirects are not followed), 429 RateLimited (Refused where the account is out of money, since no wait mends
    that), any wording of a full context ContextOverflow, 408 and 5xx Unreachable, the rest Refused.  `headers` may hold Retry-After;
    `variable` is where the key comes from.
    """
    said = error_text(document_of(body)) or body_text(body)
    found = f"status {status}: {excerpt(said, key)}"
    if status < 400:
        to = excerpt(headers.get("Location", "nowhere"), key)
        return BadReplyError(
            f"{endpoint} redirects to {to} (status {status}), which is not followed: give the address itself",
            http_status=status,
        )
    if status == 429 and "insufficient_quota" in said:
        return RefusedError(
            f"{endpoint} refused the request: {found}; look at the billing of your account",
            http_status=status,
        )
    if status == 429:
        return RateLimitedError(
            f"{endpoint} asks to slow down: {found}",
            http_status=status,
            retry_after_s=retry_after_seconds(headers),
        )
    if OVERFLOW.search(said):
        return ContextOverflowError(
            f"{endpoint}: the prompt does not fit the model: {found}; serve a longer context",
            http_status=status,
        )
    if status in (401, 403):
        why = (
            f"check {variable}"
            if key
            else f"set {variable} (it is sent over https, and over http to private networks)"
        )
        return RefusedError(f"{endpoint} wants another key: {found}; {why}", http_status=status)
    if status == 404:
        hint = (
            "most base urls end in /v1"
            if variable == KEY_VARIABLE
            else "check the name of the model"
        )
        return RefusedError(
            f"{endpoint} does not know the model or the path: {found}; {hint}", http_status=status
        )
    if status == 408 or status >= 500:
        return UnreachableError(f"{endpoint} failed: {found}; try again", http_status=status)
    return RefusedError(f"{endpoint} refused the request: {found}", http_status=status)
