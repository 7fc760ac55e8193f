"""Mark in a prompt where the beginnings end that a provider shall keep, or has kept.

Anthropic keeps nothing without a mark, and reads what it kept only up to one.  OpenAI's models from
GPT-5.6 on keep whole prompts unasked, at 1.25 times the price, which is lost where nobody reads
them again: they are told to keep what is marked, and else nothing.  Its earlier models keep prompts
for nothing; a key sends those that share a beginning to the same machine.  The words are the same
with and without marks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache

from agents.providers.prices import price_of_reference
from arena.types import Request, SharedPrefix

ANTHROPIC_MARK: Mapping[str, object] = {"cache_control": {"type": "ephemeral"}}
OPENAI_MARK: Mapping[str, object] = {"prompt_cache_breakpoint": {"mode": "explicit"}}
# Two prompts that share a beginning which is kept, of 1,024 tokens or more, share these characters.
KEY_CHARACTERS = 1024
KEY_DIGITS = 32


def mark_beginnings(
    messages: list[dict[str, object]],
    shared: Sequence[SharedPrefix],
    mark: Mapping[str, object],
    text_type: str = "text",
    first: int = 0,
) -> list[dict[str, object]]:
    """Return messages in which each shared beginning ends with a marked part.

    `first` is the index of the first of these messages in the request.  A message with images, and
    one without a shared beginning, stays as it is.
    """
    marked = []
    for index, message in enumerate(messages, first):
        ends = sorted({prefix.end for prefix in shared if prefix.message == index})
        words = message["content"]
        if ends and isinstance(words, str):
            starts = [0, *ends]
            texts = [words[start:end] for start, end in zip(starts, ends, strict=False)]
            parts = [{"type": text_type, "text": text, **mark} for text in texts if text]
            if rest := words[ends[-1] :]:
                parts.append({"type": text_type, "text": rest})
            message = {**message, "content": parts}
        marked.append(message)
    return marked


@cache
def writes_unasked(reference: str) -> bool:
    """Return whether a model of OpenAI keeps prompts unasked at more than the price of reading."""
    price = price_of_reference(reference)
    return price is not None and (price.tokens_cache_written or 0) > price.tokens_in


def openai_cache_settings(model: str, request: Request) -> dict[str, object]:
    """Return the settings by which an OpenAI model keeps what will be read again, and no more."""
    settings: dict[str, object] = {}
    if writes_unasked(f"openai/{model}"):
        settings["prompt_cache_options"] = {"mode": "explicit"}
    if request.shared:
        settings["prompt_cache_key"] = cache_key(request)
    return settings


def openai_marks(model: str, request: Request) -> Sequence[SharedPrefix]:
    """Return the beginnings to mark: none for models that take no marks."""
    return request.shared if writes_unasked(f"openai/{model}") else ()


def count_marks(request: Request, marks: Sequence[SharedPrefix]) -> int:
    """Return how many marks a request has of these; a message with images has none."""
    places = {(mark.message, mark.end) for mark in marks}
    return sum(not request.messages[message].images for message, _ in places)


def cache_key(request: Request) -> str:
    """Return a key that requests have in common which share a beginning."""
    if any(prefix.by_episodes for prefix in request.shared):
        words = "".join(message.content for message in request.messages)[:KEY_CHARACTERS]
    else:
        # A machine takes about 15 requests a minute of one key: one key an episode.
        words = request.place.episode
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:KEY_DIGITS]
