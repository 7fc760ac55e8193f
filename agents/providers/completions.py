"""Write the messages and read the replies of chat completions, the most common API.

A reply has text, reasoning, token counts, a cost if the provider states it, and log probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from agents.providers import wire
from agents.providers.faults import (
    TOOLS,
    broken_reply_error,
    error_text,
    no_text_error,
    wrong_schema_error,
)
from agents.providers.sampling import is_number
from agents.providers.wire import MAX_LABEL_CHARACTERS, Answer, Key, count, label, without_key
from arena.errors import BadReplyError
from arena.images import Image
from arena.play.reading import reason_of_word
from arena.text import writable
from arena.types import Alternative, Message, Reply, TokenChoice

# Where a usage document has the prompt tokens that a cache served: OpenAI's and most others',
# DeepSeek's, Moonshot's, Gemini's own.
CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),
    ("cached_tokens",),
    ("cachedContentTokenCount",),
)
# Those that were written to one: OpenAI's, and LiteLLM's of Anthropic's models.
CACHE_WRITTEN = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("cache_creation_input_tokens",),
)
# A log probability is at most 0, except for rounding.
ROUNDING = 1e-4
MAX_COST_USD = 1e9


def chat_image(image: Image) -> dict[str, object]:
    """Return an image as a part of a message of chat completions."""
    return {"type": "image_url", "image_url": {"url": image.data_uri}}


def chat_messages(
    messages: Sequence[Message],
    image_part: Callable[[Image], dict[str, object]] = chat_image,
    text_type: str = "text",
) -> list[dict[str, object]]:
    """Return messages as chat APIs take them, without characters that are no text.

    One with images has a list of parts, of which texts are of the type `text_type`.
    """

    def content(message: Message) -> object:
        """Return the content of a message."""
        if not message.images:
            return writable(message.content)
        return [
            image_part(piece)
            if isinstance(piece, Image)
            else {"type": text_type, "text": writable(piece)}
            for piece in message.pieces()
        ]

    return [{"role": message.role, "content": content(message)} for message in messages]


def read_reply(body: bytes, *, endpoint: str, key: Key = None, http_status: int = 200) -> Reply:
    """Return the reply in the body of a successful answer.

    `endpoint` names model and server in errors.  Counts that are absent or not whole numbers are
    None.  Raises BadReplyError if the body is not UTF-8, not JSON or has no choices with a message,
    EmptyReplyError if the message has no text, RefusedError if the model declined; and the error
    that a server reports at status 200, also after a part of the text.
    """
    answer = parse_answer(body, endpoint=endpoint, key=key, http_status=http_status)
    choice = first_choice(answer.fields)

    def counts(text: str = "", reasoning: str | None = None) -> Reply:
        """Return the counts of the answer, for an error without the words."""
        return completion_counts(answer.fields, choice, key, http_status, text, reasoning)

    finish_reason = label(choice.get("finish_reason"), key)
    # Without a finish reason, an error beside a choice is one in the middle of its text.
    broken_off = choice and finish_reason is None and error_text(answer.fields)
    if choice.get("error") or reason_of_word(finish_reason or "") == "failed" or broken_off:
        raise broken_reply_error(answer, choice, counts())
    message = choice.get("message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str | list | None):
        raise wrong_schema_error(answer, counts(), lacks="choices[0].message.content")
    words = content_words(message.get("content"))
    if not words.text.strip():
        if error_text(answer.fields):
            raise broken_reply_error(answer, {}, counts())
        # A tool may be called beside the content.
        tools = [name for name in TOOLS if message.get(name)]
        refusal = label(message.get("refusal") or words.refusal, key)
        raise no_text_error(endpoint, counts(), refusal, (*words.others, *tools))
    # vLLM and DeepSeek call it reasoning_content, OpenRouter and newer vLLM reasoning.
    beside = message.get("reasoning_content") or message.get("reasoning")
    thoughts = [beside] if isinstance(beside, str) and beside else []
    reasoning = "\n\n".join([*thoughts, *([words.reasoning] if words.reasoning else [])])
    text, thought = without_key(words.text, key), without_key(reasoning, key)
    reply = counts(text, thought or None)
    if reply.token_ids is not None and (text, thought) != (words.text, reasoning):
        # The tokens would spell what was taken out of the words.
        return replace(reply, token_ids=None)
    return reply


@dataclass(frozen=True, slots=True)
class ContentWords:
    """What a message's content says: text, reasoning, a refusal, and the kinds of other parts."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    others: tuple[str, ...] = ()


def content_words(content: object) -> ContentWords:
    """Return the words in the content of a message: a text, or a list of typed parts.

    Parts are those of chat completions, Mistral, Messages and proxies of these: texts are joined,
    thoughts stand apart, a part of another kind is named.
    """
    if isinstance(content, str):
        return ContentWords(text=content)
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    others: list[str] = []
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else "text"
        kind = kind if isinstance(kind, str) else "a part without a type"
        words = part_text(part)
        if "thinking" in kind or "reasoning" in kind:
            thoughts.append(words)
        elif kind == "refusal":
            refusals.append(words)
        elif kind in ("text", "output_text"):
            texts.append(words)
        else:
            others.append(kind[:MAX_LABEL_CHARACTERS])
    return ContentWords(
        "".join(texts),
        "\n\n".join(thought for thought in thoughts if thought),
        "".join(refusals),
        tuple(others),
    )


def part_text(part: object) -> str:
    """Return the text of a part of a message's content, "" if it has none."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(part_text(inner) for inner in part)
    if not isinstance(part, dict):
        return ""
    # Mistral's thinking is a list of text parts, the Assistants' text an object with a value.
    fields = ("text", "thinking", "reasoning", "summary", "content", "refusal", "value")
    return next((part_text(part[name]) for name in fields if part.get(name)), "")


def parse_answer(body: bytes, *, endpoint: str, key: Key, http_status: int) -> Answer:
    """Return a successful answer with its JSON.

    Raises BadReplyError if the body is not UTF-8 or not JSON.
    """
    document = wire.document_of(body)
    if document is None:
        quoted = wire.excerpt(wire.body_text(body), key)
        raise BadReplyError(
            f"{endpoint} answered, but not with JSON in UTF-8: {quoted!r}", http_status=http_status
        )
    fields = document if isinstance(document, dict) else {}
    return Answer(body, fields, endpoint, key, http_status)


def objects_in(answer: Answer, field: str, counts: Reply) -> list[dict[str, Any]]:
    """Return the list of JSON objects in a field of an answer with these counts.

    Raises BadReplyError, or ContextOverflowError if the server reports a full context instead.
    """
    entries = answer.fields.get(field)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise wrong_schema_error(answer, counts, lacks=f"a list of {field}")
    return entries


def first_choice(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return the first choice of a chat completion, {} if it has none."""
    choices = fields.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def completion_counts(
    fields: Mapping[str, object],
    choice: Mapping[str, object],
    key: Key,
    http_status: int | None,
    text: str = "",
    reasoning: str | None = None,
) -> Reply:
    """Return the counts, names and log probabilities of a completion, as a reply of these words."""
    usage = fields.get("usage")
    tokens = choice.get("logprobs")
    cost = stated_cost(usage)
    return Reply(
        text=text,
        reasoning=reasoning,
        model_served=label(fields.get("model"), key),
        fingerprint=label(fields.get("system_fingerprint"), key),
        finish_reason=label(choice.get("finish_reason"), key),
        http_status=http_status,
        tokens_in=count(usage, "prompt_tokens"),
        tokens_cached=first_count(usage, *CACHED),
        tokens_cache_written=first_count(usage, *CACHE_WRITTEN),
        tokens_out=count(usage, "completion_tokens"),
        tokens_reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
        cost_usd=cost,
        cost_source=None if cost is None else "provider",
        logprobs=token_choices(tokens.get("content"), key) if isinstance(tokens, dict) else None,
        token_ids=token_ids(choice.get("token_ids")),
    )


def token_ids(ids: object) -> tuple[int, ...] | None:
    """Return the tokens of a reply as vLLM tells them, None if they are no whole numbers >= 0."""
    if not isinstance(ids, list) or not ids:
        return None
    return tuple(ids) if all(type(id) is int and id >= 0 for id in ids) else None


def first_count(usage: object, *paths: tuple[str, ...]) -> int | None:
    """Return the count at the first of these paths that has one, None if none has."""
    for path in paths:
        number = count(usage, *path)
        if number is not None:
            return number
    return None


def stated_cost(usage: object) -> float | None:
    """Return the dollars that a provider says it charges for a call, None if it says nothing.

    `usage` is a usage document of OpenRouter's or Perplexity's form.
    """
    if not isinstance(usage, dict):
        return None
    cost = usage.get("cost")
    cost = cost.get("total_cost") if isinstance(cost, dict) else cost
    if not is_cost(cost):
        return None
    # With a key of the user's own, OpenRouter charges a fee, and the provider behind it the rest.
    details = usage.get("cost_details") if usage.get("is_byok") is True else None
    upstream = details.get("upstream_inference_cost") if isinstance(details, dict) else None
    return float(cost) + (float(upstream) if is_cost(upstream) else 0.0)


def is_cost(value: object) -> TypeGuard[float]:
    """Return whether a value is a number of dollars, >= 0 and not absurd."""
    return is_number(value) and 0 <= value < MAX_COST_USD


def token_choices(tokens: object, key: Key) -> tuple[TokenChoice, ...] | None:
    """Return the tokens in a list of chat completions' form, with their log probabilities.

    None if there is no such list, if a token is not a text with a finite number up to 0, or if
    together they spell the key.  An alternative without a number, or of probability 0, is left out.
    """
    if not isinstance(tokens, list) or not tokens:
        return None
    choices = []
    for token in tokens:
        chosen = alternative(token, key)
        listed = token.get("top_logprobs") if isinstance(token, dict) else None
        listed = listed if isinstance(listed, list) else []
        others = [alternative(other, key) for other in listed if not is_impossible(other)]
        likeliest = tuple(other for other in others if other is not None)
        if chosen is None or len(likeliest) < len(others):
            return None
        choices.append(TokenChoice(chosen.token, chosen.logprob, likeliest))
    # A key cut into several tokens is in no single one of them.
    whole = "".join(str(token["token"]) for token in tokens)
    return tuple(choices) if without_key(whole, key) == writable(whole) else None


def is_impossible(entry: object) -> bool:
    """Return whether an alternative says of itself that it has no log probability, or none > 0."""
    fields = entry if isinstance(entry, dict) else {}
    return isinstance(fields.get("token"), str) and fields.get("logprob", 0) in (None, -math.inf)


def alternative(entry: object, key: Key) -> Alternative | None:
    """Return a token with its log probability, None if the entry is not one."""
    fields = entry if isinstance(entry, dict) else {}
    token = fields.get("token")
    logprob = fields.get("logprob")
    if not (isinstance(token, str) and is_number(logprob) and -1e300 < logprob <= ROUNDING):
        return None
    return Alternative(without_key(token, key), min(float(logprob), 0.0))
