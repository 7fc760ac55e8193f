"""Call OpenAI's models through OpenAI's SDK: `openai/<model>`, such as openai/gpt-4o-mini.

The API follows from the model's name.  The o-series and GPT-5 and later are reasoning models and
are called through the Responses API, which serves their reasoning and takes no seed; all others,
with the `-chat` and `-search` variants, through chat completions, which takes a seed and follows it
as far as it can.  With Responses nothing is stored at OpenAI (`store` is false), and no summaries
of the reasoning are requested, since OpenAI refuses them to organisations that it has not verified:
`extra={"reasoning": {"summary": "auto"}}` asks for them.  Key: OPENAI_API_KEY; OPENAI_BASE_URL
names another address.  Left out: tools.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.providers import completions
from agents.providers.batch_endpoints import OpenAIBatches
from agents.providers.cache_marks import (
    OPENAI_MARK,
    mark_beginnings,
    openai_cache_settings,
    openai_marks,
)
from agents.providers.chat_requests import chat_settings, merge_extra, named_schema
from agents.providers.completions import chat_messages
from agents.providers.faults import error_text, fault_of_status, no_text_error, stated_status
from agents.providers.sampling import drop_unset, unsupported_among
from agents.providers.sdk import Api, SdkModel
from agents.providers.wire import TIMEOUT_S, Answer, Key, count, label, without_key
from arena.images import Image
from arena.sampling import EFFORTS
from arena.types import Reply, Request, Sampling

# Settings that neither API has.
UNSUPPORTED_SETTINGS = ("top_k", "min_p", "choices", "thinking_tokens", "repetition_penalty")
# The items of a response in which the model itself speaks.
SPOKEN = ("message", "reasoning", None)
REASONING = re.compile(r"(ft:)?(o\d|codex-|gpt-([5-9]|\d\d))(?!.*-(chat|search))")
# Later versions support temperature, top_p and logprobs as long as their reasoning effort is
# "none", the default of some: the provider decides.
NOT_SAMPLED = re.compile(r"(ft:)?(o\d|codex-|gpt-5(-mini|-nano)?($|-\d|:)|gpt-.*-(pro|codex))")
# The words for an effort that models are known not to have; of others the provider decides.
LACKED_EFFORTS = (
    (re.compile(r"(ft:)?o\d"), "none minimal xhigh max"),
    (re.compile(r"(ft:)?gpt-5(-mini|-nano)?($|-\d|:)"), "none xhigh max"),
    (re.compile(r"(ft:)?gpt-5\.1(?!-codex)"), "minimal xhigh max"),
    (re.compile(r"(ft:)?gpt-5\.[2-9]"), "minimal"),
    (re.compile(r"(ft:)?gpt-6-astra"), "none minimal"),
)
NO_REASONING = re.compile(r"(ft:)?(chatgpt|gpt-3|gpt-4|gpt-.*-(chat|search)|davinci|babbage)")
# Structured outputs came with gpt-4o.
NO_SCHEMA = re.compile(r"(ft:)?(gpt-3|gpt-4($|-)|davinci|babbage)")
# Models that read text alone.
NO_IMAGES = re.compile(r"(ft:)?(gpt-3|gpt-4($|-0|-32k)|o1-(mini|preview)|o3-mini|davinci|babbage)")


def openai_model(model: str, *, timeout_s: float = TIMEOUT_S) -> SdkModel:
    """Return the model of a reference without its "openai/".

    `timeout_s` > 0 is the longest that a call may take.  Raises StudyError if the SDK or the key is
    missing, or the address in OPENAI_BASE_URL is not usable.
    """
    reasons = REASONING.match(model) is not None
    abilities = {
        "seed": not reasons,
        "logprobs": NOT_SAMPLED.match(model) is None,
        "response_schema": NO_SCHEMA.match(model) is None,
        "images": NO_IMAGES.match(model) is None,
    }
    return SdkModel(
        f"openai/{model}",
        model,
        RESPONSES if reasons else CHAT,
        capabilities=frozenset(name for name, has in abilities.items() if has),
        timeout_s=timeout_s,
    )


def chat_body(model: str, request: Request, settings: dict[str, object]) -> dict[str, object]:
    """Return the JSON of a chat completion."""
    messages = mark_beginnings(
        chat_messages(request.messages), openai_marks(model, request), OPENAI_MARK
    )
    caching = openai_cache_settings(model, request)
    return {"model": model, "messages": messages, **caching, **settings}


def response_settings(model: str, request: Request) -> dict[str, object]:
    """Return the settings of a response; unsupported ones were refused or dropped before."""
    sampling = request.sampling
    effort = sampling.reasoning_effort
    schema = sampling.response_schema
    form = None if schema is None else {"type": "json_schema", **named_schema(schema)}
    settings = drop_unset(
        dict(
            store=False,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_output_tokens=sampling.max_tokens,
            top_logprobs=sampling.logprobs,
            include=None if sampling.logprobs is None else ["message.output_text.logprobs"],
            reasoning=None if effort is None else {"effort": effort},
            text=None if form is None else {"format": form},
        )
    )
    return merge_extra(settings, sampling)


def response_body(model: str, request: Request, settings: dict[str, object]) -> dict[str, object]:
    """Return the JSON of a response."""
    messages = mark_beginnings(
        chat_messages(request.messages, response_image, "input_text"),
        openai_marks(model, request),
        OPENAI_MARK,
        "input_text",
    )
    caching = openai_cache_settings(model, request)
    return {"model": model, "input": messages, **caching, **settings}


def response_image(image: Image) -> dict[str, object]:
    """Return an image as a part of a message of the Responses API."""
    return {"type": "input_image", "image_url": image.data_uri}


def unsupported_by_chat(model: str, sampling: Sampling) -> dict[str, str]:
    """Return the reason for each setting that chat completions of a model do not support."""
    reasons = unsupported_among(sampling, *UNSUPPORTED_SETTINGS)
    if sampling.reasoning_effort is not None and NO_REASONING.match(model):
        reasons["reasoning_effort"] = f"{model} does not reason before it speaks"
    if sampling.response_schema is not None and NO_SCHEMA.match(model):
        reasons["response_schema"] = f"{model} keeps to no schema"
    return reasons


def unsupported_by_responses(model: str, sampling: Sampling) -> dict[str, str]:
    """Return the reason for each setting that a reasoning model does not support.

    No reasoning model supports stop words or penalties; the first ones support neither temperature
    nor top_p nor logprobs, and each model some words for its effort.
    """
    reasons = unsupported_among(sampling, *UNSUPPORTED_SETTINGS)
    for name in ("stop", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name) not in (None, ()):
            words = "stop words" if name == "stop" else name
            reasons[name] = f"{model} is asked through the Responses API, which takes no {words}"
    if NOT_SAMPLED.match(model):
        names = unsupported_among(sampling, "temperature", "top_p", "logprobs")
        why = "is a reasoning model, which takes neither temperature nor top_p nor logprobs"
        reasons |= dict.fromkeys(names, f"{model} {why}")
    effort = sampling.reasoning_effort
    lacks = next((words for names, words in LACKED_EFFORTS if names.match(model)), "").split()
    if effort in lacks:
        others = ", ".join(word for word in EFFORTS if word not in lacks)
        reasons["reasoning_effort"] = (
            f"{model} takes no reasoning_effort {effort!r}, but may take {others}"
        )
    return reasons


def texts(pieces: object, kind: str, field: str) -> list[str]:
    """Return the texts of one kind in a list of content pieces."""
    if not isinstance(pieces, list):
        return []
    objects = [piece for piece in pieces if isinstance(piece, dict) and piece.get("type") == kind]
    return [text for piece in objects if isinstance(text := piece.get(field), str)]


def logprobs(pieces: object) -> list[object]:
    """Return the tokens of the texts in a list of content pieces, as far as they were served."""
    if not isinstance(pieces, list):
        return []
    lists = [piece.get("logprobs") for piece in pieces if isinstance(piece, dict)]
    return [token for tokens in lists if isinstance(tokens, list) for token in tokens]


def response_counts(answer: Answer) -> Reply:
    """Return the counts and names in a response, as a reply without words."""
    fields = answer.fields
    details = fields.get("incomplete_details")
    usage = fields.get("usage")
    why_incomplete = details.get("reason") if isinstance(details, dict) else None
    return Reply(
        text="",
        model_served=label(fields.get("model"), answer.key),
        finish_reason=label(why_incomplete or fields.get("status"), answer.key),
        http_status=answer.http_status,
        tokens_in=count(usage, "input_tokens"),
        tokens_cached=count(usage, "input_tokens_details", "cached_tokens"),
        tokens_cache_written=count(usage, "input_tokens_details", "cache_write_tokens"),
        tokens_cache_written_long=count(
            usage, "input_tokens_details", "cache_write_tokens_details", "ttl_12h_tokens"
        ),
        tokens_out=count(usage, "output_tokens"),
        tokens_reasoning=count(usage, "output_tokens_details", "reasoning_tokens"),
    )


def read_response(body: bytes, *, endpoint: str, key: Key, http_status: int) -> Reply:
    """Return the reply in the body of an answer of the Responses API.

    `finish_reason` is the response's status, or the reason why it is incomplete.  Raises
    BadReplyError if the body has not the form of a response, EmptyReplyError if it has no text,
    RateLimitedError, UnreachableError or RefusedError if it says that it failed or that the model
    declined.
    """
    answer = completions.parse_answer(body, endpoint=endpoint, key=key, http_status=http_status)
    counts = response_counts(answer)
    output = completions.objects_in(answer, "output", counts)
    if answer.fields.get("status") in ("failed", "cancelled"):
        # Most of its codes speak of the request; those that pass are known by their names.
        status = stated_status(answer.fields) or 400
        raise fault_of_status(status, error_text(answer.fields) or "", answer, counts)
    messages = [item.get("content") for item in output if item.get("type") == "message"]
    text = "".join(text for pieces in messages for text in texts(pieces, "output_text", "text"))
    if not text.strip():
        refusals = [words for pieces in messages for words in texts(pieces, "refusal", "refusal")]
        others = [str(item["type"]) for item in output if item.get("type") not in SPOKEN]
        raise no_text_error(endpoint, counts, label("".join(refusals), key), others)
    # OpenAI serves summaries of the reasoning, servers with open weights the reasoning itself.
    items = [item for item in output if item.get("type") == "reasoning"]
    own = [text for item in items for text in texts(item.get("content"), "reasoning_text", "text")]
    summary = [
        text for item in items for text in texts(item.get("summary"), "summary_text", "text")
    ]
    tokens = [token for pieces in messages for token in logprobs(pieces)]
    return replace(
        counts,
        text=without_key(text, key),
        reasoning=without_key("\n\n".join(own or summary), key) or None,
        reasoning_source="model" if own else "summary" if summary else None,
        logprobs=completions.token_choices(tokens, key),
    )


CHAT = Api(
    package="openai",
    client="AsyncOpenAI",
    resource="chat.completions",
    address="https://api.openai.com/v1",
    settings=lambda model, request: chat_settings(request, limit="max_completion_tokens"),
    body=chat_body,
    parameters=("model", "messages"),
    read=completions.read_reply,
    unsupported_settings=unsupported_by_chat,
    max_temperature=2,
    marks=openai_marks,
    batches=OpenAIBatches,
)
RESPONSES = replace(
    CHAT,
    resource="responses",
    settings=response_settings,
    body=response_body,
    parameters=("model", "input"),
    read=read_response,
    unsupported_settings=unsupported_by_responses,
    batches=lambda model: OpenAIBatches(model, url="/v1/responses"),
)
