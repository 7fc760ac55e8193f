"""Turn the faults of servers into the arena's errors: one fault, one error, the same words.

Shared by all clients of API models.  Server text in messages is cut, cleaned and freed of keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agents.providers.addresses import KEY_VARIABLE
from agents.providers.wire import MAX_REPLY_BYTES, Answer, Key, body_text, document_of, excerpt
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)
from arena.play.reading import unfinished_reason
from arena.types import Reply

# Models that were offered no tool call one all the same, and would do so again.
TOOLS = ("tool_calls", "tool_use", "function_call")
# An account without money, which no wait mends, in the words of OpenAI, Anthropic, OpenRouter,
# DeepSeek and proxies.  Gemini's "exceeded your current quota" is none: it is a limit a minute.
UNPAID = re.compile(
    r"insufficient[_ ](?:quota|funds|credits?|balance)|billing_(?:hard_)?limit|billing_not_active"
    r"|credit[_ ]balance|credits?[_ ](?:are |is )?(?:exhausted|depleted)|out of credits"
    r"|spend(?:ing)?[_ ]limit|budget[_ ](?:has been )?exceeded|payment[_ ]required",
    re.IGNORECASE,
)
# The HTTP statuses that stand for the codes and types which providers write into a body.
STATUS_OF_CODE = {
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error", "too_many_requests"), 429),
    **dict.fromkeys(("resource_exhausted", "rate_limit", "rate_limited", "throttled"), 429),
    **dict.fromkeys(("server_error", "internal_error", "internal", "internal_server_error"), 500),
    **dict.fromkeys(("api_error", "vector_store_timeout", "upstream_error", "unknown"), 500),
    **dict.fromkeys(("overloaded", "overloaded_error", "unavailable", "service_unavailable"), 503),
    **dict.fromkeys(("timeout", "timeout_error", "deadline_exceeded"), 504),
    **dict.fromkeys(("invalid_request_error", "invalid_argument", "invalid_prompt"), 400),
    **dict.fromkeys(("content_filter", "content_policy_violation"), 400),
    **dict.fromkeys(("authentication_error", "invalid_api_key", "unauthenticated"), 401),
    **dict.fromkeys(("permission_error", "permission_denied"), 403),
    **dict.fromkeys(("not_found_error", "model_not_found", "not_found"), 404),
}
# The wordings of OpenAI, vLLM (older and newer), llama.cpp (sometimes at status 500),
# llama-cpp-python, SGLang, TGI, Anthropic, Gemini and Bedrock.
OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|maximum model length"
    r"|max_tokens must be at least 1, got -|exceed_context_size|available context size"
    r"|context size has been exceeded|exceed context window|model's context length"
    r"|input length .{0,40}exceeds the maximum|inputs`? tokens \+ `?max_new_tokens"
    r"|prompt is too long|exceeds the context window|exceed context limit"
    r"|input token count .{0,40}exceeds the maximum|input is too long for requested model",
    re.IGNORECASE,
)
# Bad gateway, unavailable, and Cloudflare's words for a server that is down or cannot be reached.
# A gateway's timeout (504, 524) may well be that of one long reply.
GATEWAY_STATUSES = (502, 503, 521, 522, 523)
# The words of llama.cpp and of TGI, and those of vLLM.
LOADING = re.compile(r"loading model|model is (?:still |currently )?loading", re.IGNORECASE)
DEAD_ENGINE = re.compile(r"EngineDead|EngineCore encountered an issue|engine (?:process )?is dead")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds, >= 0, that a Retry-After header states as a number or a date.

    None if there is no such header or it is neither.
    """
    # RFC 9110, section 10.2.3.
    value = headers.get("Retry-After", "").strip()
    try:
        if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
            return float(value)
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def error_text(document: object) -> str | None:
    """Return the message, type and code of an error document; None if it is not one.

    The forms: {"error": {...}} or {"error": "..."} (OpenAI and most others), {"object": "error",
    ...} (vLLM), and {"detail": ...} (FastAPI).
    """
    if not isinstance(document, dict):
        return None
    error = document.get(
        "error", document if document.get("object") == "error" else document.get("detail")
    )
    if isinstance(error, dict):
        parts = (error.get(name) for name in ("message", "type", "code"))
        return " ".join(str(part) for part in parts if part not in (None, ""))
    return None if error in (None, "") else str(error)


def stated_status(document: object) -> int | None:
    """Return the HTTP status that an error document states or means, None if it does neither.

    Proxies such as OpenRouter answer 200 and write the provider's status into the body.
    """
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return None
    for name in ("code", "status", "type"):
        word = str(error.get(name, "")).strip().casefold()
        if re.fullmatch(r"[45]\d\d", word):
            return int(word)
        if word in STATUS_OF_CODE:
            return STATUS_OF_CODE[word]
    return None


def billable_reply(reply: Reply) -> Reply | None:
    """Return a reply without its words, for a billed error; None if nothing was counted."""
    if (reply.tokens_in, reply.tokens_out, reply.cost_usd) == (None, None, None):
        return None
    return replace(reply, text="", reasoning=None, logprobs=None)


def billed_error(kind: type[ModelError], words: str, reply: Reply) -> ModelError:
    """Return an error of this kind for an answer whose tokens may be billed."""
    return kind(words, http_status=reply.http_status, reply=billable_reply(reply))


def no_text_error(
    endpoint: str, reply: Reply, refusal: str | None = None, parts: Sequence[str] = ()
) -> ModelError:
    """Return the error for an answer without text.

    RefusedError if the model or a filter declined (`refusal` is its explanation), else
    EmptyReplyError, which is permanent if the same request would end the same way: its limit was
    spent on thought, or a tool was called.  `parts` names what stood in the place of text.
    """
    reason = f"finish reason {reply.finish_reason}"
    ending = unfinished_reason(reply)
    if refusal or ending in ("filtered", "refused"):
        words = f"{endpoint} declined to answer ({reason}): {refusal or 'no reason given'}"
        return billed_error(RefusedError, words, reply)
    tools = reply.finish_reason in TOOLS or any(part in TOOLS for part in parts)
    if ending == "cut off":
        why = "it used up its tokens before it said anything; raise max_tokens"
    elif tools:
        why = "it called a tool, and none was offered; tell it to answer in text"
    else:
        why = "try again, or take another model"
    found = f" but {', '.join(parts)}" if parts else ""
    return EmptyReplyError(
        f"{endpoint} answered without any text{found} ({reason}): {why}",
        http_status=reply.http_status,
        reply=billable_reply(reply),
        retryable=not (tools or ending == "cut off"),
    )


def broken_reply_error(answer: Answer, choice: Mapping[str, object], reply: Reply) -> ModelError:
    """Return the error for an answer that the provider could not finish.

    `choice` is the choice of a chat completion, which may say what went wrong ("error").  Without
    a word about it the fault is passing: UnreachableError.
    """
    message = error_text(choice) or error_text(answer.fields) or ""
    status = stated_status(choice) or stated_status(answer.fields) or 502
    return fault_of_status(status, message, answer, reply)


def fault_of_status(status: int, message: str, answer: Answer, reply: Reply) -> ModelError:
    """Return the error for an answer whose body states another status than its own."""
    body = message.encode("utf-8", "replace")
    fault = read_fault(status, {}, body, endpoint=answer.endpoint, key=answer.key)
    fault.http_status = answer.http_status
    fault.reply = billable_reply(reply)
    return fault


def too_long_error(endpoint: str, http_status: int | None, reply: Reply | None) -> ModelError:
    """Return the error for an answer that is longer than any reply; `reply` is its billed part."""
    return BadReplyError(
        f"{endpoint} answered with more than {MAX_REPLY_BYTES // 2**20} MB: too long",
        http_status=http_status,
        reply=reply,
    )


def wrong_schema_error(answer: Answer, reply: Reply, *, lacks: str) -> ModelError:
    """Return the error for a successful answer without the part that holds the text (`lacks`).

    Some servers report errors at status 200: these are what their code, type or words say.  Any
    other answer is a BadReplyError.
    """
    message = error_text(answer.fields)
    status = stated_status(answer.fields)
    if message is not None and status is None and UNPAID.search(message):
        status = 402
    if message is not None and status is not None:
        return fault_of_status(status, message, answer, reply)
    quoted = excerpt(body_text(answer.body) if message is None else message, answer.key)
    if message is not None and OVERFLOW.search(message):
        words = f"{answer.endpoint}: the prompt does not fit the model: {quoted}"
        return billed_error(ContextOverflowError, words, reply)
    words = f"{answer.endpoint} answered without {lacks}: {quoted!r}; is this a chat server?"
    return billed_error(BadReplyError, words, reply)


def read_fault(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    endpoint: str,
    key: Key,
    variable: str = KEY_VARIABLE,
) -> ModelError:
    """Return the error for an answer with a status that is not 2xx.

    3xx is BadReplyError (redirects are not followed), 429 RateLimitedError (RefusedError if the
    account is out of money, since no wait mends that), any wording of a full context
    ContextOverflowError, 408, 409, 425 and 5xx UnreachableError, the rest RefusedError.  `headers`
    may hold Retry-After; `variable` is the source of the key.
    """
    message = error_text(document_of(body)) or body_text(body)
    quoted = f"status {status}: {excerpt(message, key)}"
    kind: type[ModelError] = RefusedError
    if status < 400:
        kind = BadReplyError
        target = excerpt(headers.get("Location", "nowhere"), key)
        words = (
            f"redirects to {target} (status {status}), which is not followed: give the address"
            " itself"
        )
    # Many answer 429 for an empty account too.
    elif status == 402 or (status in (400, 403, 429) and UNPAID.search(message)):
        words = f"refused the request: {quoted}; look at the billing of your account"
    elif status == 429:
        return RateLimitedError(
            f"{endpoint} asks to slow down: {quoted}",
            http_status=status,
            retry_after_s=retry_after_seconds(headers),
        )
    elif OVERFLOW.search(message):
        return ContextOverflowError(
            f"{endpoint}: the prompt does not fit the model: {quoted}; serve a longer context",
            http_status=status,
        )
    elif status in (401, 403):
        words = f"wants another key: {quoted}; {key_hint(key, variable)}"
    elif status == 404:
        # Only servers at an address of the user's own can have a wrong path.
        own = variable == KEY_VARIABLE
        hint = "most base urls end in /v1" if own else "check the name of the model"
        words = f"does not know the model or the path: {quoted}; {hint}"
    elif status in (408, 409, 425) or status >= 500:
        return UnreachableError(
            f"{endpoint} failed: {quoted}; try again",
            http_status=status,
            server_down=is_server_down(status, body),
        )
    else:
        words = f"refused the request: {quoted}"
    return kind(f"{endpoint} {words}", http_status=status)


def is_server_down(status: int, body: bytes) -> bool:
    """Return whether an answer says that the model behind it is not there at all.

    So it is where a gateway answers in its own form, since no server stands behind it, where a
    server still loads its weights, and where the engine behind it has died.
    """
    if status in GATEWAY_STATUSES:
        return error_text(document_of(body)) is None or LOADING.search(body_text(body)) is not None
    return status >= 500 and DEAD_ENGINE.search(body_text(body)) is not None


def key_hint(key: Key, variable: str) -> str:
    """Return the remedy for a key that was not accepted, or not sent."""
    if key:
        return f"check {variable}"
    return f"set {variable} (it is sent over https, and over http to private networks)"
