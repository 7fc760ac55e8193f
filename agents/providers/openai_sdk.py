"""OpenAI's models through OpenAI's SDK: `openai/<model>`, such as openai/gpt-4o-mini.

Which API is asked follows from the model's name.  The o-series and GPT-5 and later are reasoning models and are asked through the Responses
API, which serves their reasoning and does not take a seed; all others, the `-chat` and `-search` variants included, through chat completions,
which takes a seed and honours it as far as it can.  With Responses nothing is stored at OpenAI (`store` is false), and summaries of
the reasoning are not asked for, since OpenAI refuses that to organisations that it has not verified.  Key: OPENAI_API_KEY; OPENAI_BASE_URL
names another address.  Left out: reasoning effort, tools.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.providers.sampling import unsupported_among
from agents.providers.sdk import Api, SdkModel
from agents.providers.wire import (
    TIMEOUT_S,
    Key,
    billable_reply,
    count,
    excerpt,
    json_reply,
    label,
    no_text_error,
    read_reply,
    token_choices,
    without_key,
    wrong_schema_error,
)
from arena.errors import ModelError, RateLimitedError, RefusedError, UnreachableError
from arena.text import writable
from arena.types import Reply, Request, Sampling

# Settings that neither API has.
UNSUPPORTED_SETTINGS = ("top_k", "min_p", "choices")
REASONING = re.compile(r"(ft:)?(o\d|codex-|gpt-([5-9]|\d\d))(?!.*-(chat|search))")
# Later versions take temperature, top_p and logprobs as long as their reasoning effort is "none", the default of some: the provider decides.
NOT_SAMPLED = re.compile(r"(ft:)?(o\d|codex-|gpt-5(-mini|-nano)?($|-\d|:)|gpt-.*-(pro|codex))")


def openai_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """The model of a reference, given without its "openai/"; `timeout_s` > 0 is the longest a call may take.

    Raises StudyError where the SDK or the key is missing, or the address in OPENAI_BASE_URL is not usable.
    """
    reasons = REASONING.match(model) is not None
    abilities = {"seed": not reasons, "logprobs": NOT_SAMPLED.match(model) is None}
    can = frozenset(name for name, has in abilities.items() if has)
    return SdkModel(
        f"openai/{model}",
        model,
        RESPONSES if reasons else CHAT,
        capabilities=can,
        timeout_s=timeout_s,
    )


def drop_unset(settings: dict[str, object]) -> dict[str, object]:
    """The settings that were made: what is left open is left out, so that the provider's own hold."""
    return {name: value for name, value in settings.items() if value is not None}


def chat_messages(request: Request) -> list[dict[str, str]]:
    """The messages as both APIs take them."""
    return [
        {"role": message.role, "content": writable(message.content)} for message in request.messages
    ]


def chat_settings(request: Request) -> dict[str, object]:
    """The settings of a chat completion."""
    sampling = request.sampling
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_completion_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "logprobs": None if sampling.logprobs is None else True,
        "top_logprobs": sampling.logprobs,
    }
    return {"seed": request.seed, **drop_unset(settings)}


def chat_arguments(model: str, request: Request, settings: dict[str, object]) -> dict[str, object]:
    """The arguments of a chat completion."""
    return {"model": model, "messages": chat_messages(request), **settings}


def response_settings(request: Request) -> dict[str, object]:
    """The settings of a response; what the Responses API does not take has been refused or dropped."""
    sampling = request.sampling
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_output_tokens": sampling.max_tokens,
        "top_logprobs": sampling.logprobs,
        "include": None if sampling.logprobs is None else ["message.output_text.logprobs"],
    }
    return {"store": False, **drop_unset(settings)}


def response_arguments(
    model: str, request: Request, settings: dict[str, object]
) -> dict[str, object]:
    """The arguments of a response."""
    return {"model": model, "input": chat_messages(request), **settings}


def unsupported_settings(model: str, sampling: Sampling) -> dict[str, str]:
    """The reason for each setting that a reasoning model does not take: stop words, and the first ones no temperature, top_p and logprobs."""
    reasons = unsupported_among(sampling, *UNSUPPORTED_SETTINGS)
    if sampling.stop:
        reasons["stop"] = f"{model} is asked through the Responses API, which takes no stop words"
    if NOT_SAMPLED.match(model):
        for name in ("temperature", "top_p", "logprobs"):
            if getattr(sampling, name) is not None:
                reasons[name] = (
                    f"{model} is a reasoning model, which takes neither temperature nor top_p nor logprobs"
                )
    return reasons


def texts(pieces: object, kind: str, field: str) -> list[str]:
    """The texts of one kind in a list of pieces."""
    if not isinstance(pieces, list):
        return []
    found = [
        piece.get(field)
        for piece in pieces
        if isinstance(piece, dict) and piece.get("type") == kind
    ]
    return [text for text in found if isinstance(text, str)]


def logprobs(pieces: object) -> list[object]:
    """The tokens of the texts in a list of pieces, as far as they were served."""
    found = (
        [piece.get("logprobs") for piece in pieces if isinstance(piece, dict)]
        if isinstance(pieces, list)
        else []
    )
    return [token for tokens in found if isinstance(tokens, list) for token in tokens]


def failed_response_error(
    error: dict[str, object], *, endpoint: str, key: Key, reply: Reply
) -> ModelError:
    """The error for a response that failed on the provider's side, which comes with status 200."""
    code, status = error.get("code"), reply.http_status
    found = excerpt(f"{code}: {error.get('message')}", key)
    if code == "rate_limit_exceeded":
        return RateLimitedError(
            f"{endpoint} asks to slow down: {found}",
            http_status=status,
            reply=billable_reply(reply),
        )
    if code in ("server_error", "vector_store_timeout"):
        return UnreachableError(
            f"{endpoint} failed: {found}; try again",
            http_status=status,
            reply=billable_reply(reply),
        )
    return RefusedError(
        f"{endpoint} refused the request: {found}", http_status=status, reply=billable_reply(reply)
    )


def response_counts(document: object, *, key: Key, http_status: int) -> Reply:
    """What a response counts and is called, without its words."""
    document = document if isinstance(document, dict) else {}
    details, usage = document.get("incomplete_details"), document.get("usage")
    return Reply(
        text="",
        model_served=label(document.get("model"), key),
        finish_reason=label(
            (details.get("reason") if isinstance(details, dict) else None)
            or document.get("status"),
            key,
        ),
        http_status=http_status,
        tokens_in=count(usage, "input_tokens"),
        tokens_cached=count(usage, "input_tokens_details", "cached_tokens"),
        tokens_out=count(usage, "output_tokens"),
        tokens_reasoning=count(usage, "output_tokens_details", "reasoning_tokens"),
    )


def read_response(body: bytes, *, endpoint: str, key: Key, http_status: int) -> Reply:
    """The reply in the body of an answer of the Responses API.

    `finish_reason` is the response's status, or why it is incomplete.  Raises BadReply where the body has not the form of a response,
    EmptyReply where it has no text, RateLimited, Unreachable or Refused where it says that it failed or that the model declined.
    """
    document = json_reply(body, endpoint=endpoint, key=key, http_status=http_status)
    counts = response_counts(document, key=key, http_status=http_status)
    output = document.get("output") if isinstance(document, dict) else None
    if (
        not isinstance(document, dict)
        or not isinstance(output, list)
        or not all(isinstance(item, dict) for item in output)
    ):
        raise wrong_schema_error(
            document, body, endpoint=endpoint, key=key, reply=counts, lacks="a list of output"
        )
    if document.get("status") == "failed" and isinstance(document.get("error"), dict):
        raise failed_response_error(document["error"], endpoint=endpoint, key=key, reply=counts)
    said = [item.get("content") for item in output if item.get("type") == "message"]
    thoughts = [item for item in output if item.get("type") == "reasoning"]
    text = "".join(text for pieces in said for text in texts(pieces, "output_text", "text"))
    if not text.strip():
        refusals = [refusal for pieces in said for refusal in texts(pieces, "refusal", "refusal")]
        raise no_text_error(endpoint, counts, label("".join(refusals), key))
    kinds = (("content", "reasoning_text"), ("summary", "summary_text"))
    reasoning = [
        text
        for item in thoughts
        for field, kind in kinds
        for text in texts(item.get(field), kind, "text")
    ]
    tokens = [token for pieces in said for token in logprobs(pieces)]
    return replace(
        counts,
        text=without_key(text, key),
        reasoning=without_key("\n\n".join(reasoning), key) or None,
        logprobs=token_choices(tokens, key),
    )


ADDRESS = "https://api.openai.com/v1"
CHAT = Api(
    package="openai",
    client="AsyncOpenAI",
    resource="chat.completions",
    address=ADDRESS,
    settings=chat_settings,
    arguments=chat_arguments,
    read=read_reply,
    unsupported_settings=lambda model, sampling: unsupported_among(sampling, *UNSUPPORTED_SETTINGS),
    max_temperature=2,
)
RESPONSES = Api(
    package="openai",
    client="AsyncOpenAI",
    resource="responses",
    address=ADDRESS,
    settings=response_settings,
    arguments=response_arguments,
    read=read_response,
    unsupported_settings=unsupported_settings,
    max_temperature=2,
)
