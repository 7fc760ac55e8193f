"""Continue a begun reply from the very tokens that the model generated, on a vLLM server.

The text of a reply does not determine how it was cut into tokens, so that a model which is given
its own words as text may read others than it wrote.  vLLM tells the tokens of a reply
(`return_token_ids`), takes a prompt as a list of tokens (/v1/completions), and turns text into
tokens and back (/tokenize, /detokenize).  A stretch of text that the model has generated goes in as
its tokens, up to the point from which the text differs from them; what stands between is tokenized.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agents.providers.completions import first_choice
from arena.types import GeneratedSpan, Request

# Text of tokens, and tokens of text.
Decode = Callable[[Sequence[int]], Awaitable[str]]
Encode = Callable[[str], Awaitable[list[int]]]
# What a part of a character is decoded to.
REPLACEMENT = "\ufffd"
# Settings of a chat that belong to its template, which is applied before.
OF_TEMPLATE = ("chat_template_kwargs", "reasoning_effort", "include_reasoning")


def own_spans(request: Request, model: str) -> list[GeneratedSpan]:
    """Return the stretches of a begun reply that this model has generated, in order."""
    last = len(request.messages) - 1
    if request.messages[last].role != "assistant":
        return []
    spans = [each for each in request.generated_spans if each.message == last]
    return sorted((each for each in spans if each.model == model), key=lambda each: each.start)


async def tokens_of_begun_reply(
    text: str, spans: Sequence[GeneratedSpan], encode: Encode, decode: Decode
) -> list[int]:
    """Return the tokens of a begun reply, those of the spans in it as they were generated."""
    tokens: list[int] = []
    done = 0
    for span in spans:
        ids, length = await matching_tokens(span.token_ids, text[span.start : span.end], decode)
        if not ids or span.start < done:
            continue
        tokens += await encode(text[done : span.start]) if span.start > done else []
        tokens += ids
        done = span.start + length
    return tokens + (await encode(text[done:]) if done < len(text) else [])


async def matching_tokens(
    ids: Sequence[int], text: str, decode: Decode
) -> tuple[Sequence[int], int]:
    """Return the first of these tokens that make the beginning of a text, and its characters.

    As many tokens as possible: all, or all but the one that ended the reply, if the text is whole.
    """
    for count in (len(ids) - 1, len(ids)):
        if count > 0 and await decode(ids[:count]) == text:
            return ids[:count], len(text)
    least, most = 0, len(ids)
    # The text of more tokens is longer, so that it is found by halves.  A character that is cut in
    # two ends it with marks of replacement, which the whole character takes away again.
    while least < most:
        count = (least + most + 1) // 2
        words = await decode(ids[:count])
        if text.startswith(words.rstrip(REPLACEMENT)):
            least = count
        else:
            most = count - 1
    for count in range(least, 0, -1):
        words = await decode(ids[:count])
        if text.startswith(words):
            return ids[:count], len(words)
    return ids[:0], 0


def completion_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a chat in the words of /v1/completions."""
    own = {name: value for name, value in settings.items() if name not in OF_TEMPLATE}
    listed = own.pop("top_logprobs", None)
    if own.pop("logprobs", None):
        own["logprobs"] = listed or 0
    return own


def as_chat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of /v1/completions in the form of a chat completion."""
    choice = first_choice(fields)
    told = choice.get("logprobs")
    chosen = {**choice, "message": {"content": choice.get("text")}}
    chosen["logprobs"] = {"content": entries_of(told)} if isinstance(told, Mapping) else None
    return {**fields, "choices": [chosen]}


def entries_of(told: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return log probabilities of the old form, lists by field, as a list of tokens."""
    try:
        columns = (
            told["tokens"],
            told["token_logprobs"],
            told.get("top_logprobs") or told["tokens"],
        )
        return [
            {
                "token": token,
                "logprob": logprob,
                "top_logprobs": [
                    {"token": name, "logprob": value} for name, value in dict(others).items()
                ]
                if isinstance(others, Mapping)
                else [],
            }
            for token, logprob, others in zip(*columns, strict=True)
        ]
    except (KeyError, TypeError, ValueError):
        return None
