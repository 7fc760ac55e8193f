"""Read the text of servers without trust: cut, cleaned and freed of keys.

Shared by all clients of API models, so that the same answer is read in the same way by each.
Imports no HTTP client.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from arena.calls.secrets import remove_secrets
from arena.text import writable

TIMEOUT_S = 600.0
CONNECT_S = 30.0
# uvicorn (vLLM, SGLang) and llama.cpp close an idle connection after 5 s; a request that is sent at
# that moment would be lost.
KEEP_ALIVE_S = 4.0
MAX_REPLY_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
# Read beyond that, so that a key which stands across the limit is seen whole.
READ_ERROR_BYTES = MAX_ERROR_BYTES + 4 * 2**10
EXCERPT_CHARACTERS = 200
MAX_LABEL_CHARACTERS = 64
Key = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer of a server.

    `fields` is its JSON object, empty for any other JSON; `endpoint` names model and server in
    errors.
    """

    body: bytes
    fields: dict[str, Any]
    endpoint: str
    key: Key
    http_status: int


def without_key(text: str, key: Key) -> str:
    """Return a text that can be stored: without the key, or keys, that a server may echo."""
    if key:
        text = remove_secrets(text, (key,) if isinstance(key, str) else key)
    return writable(text)


def excerpt(text: str, key: Key) -> str:
    """Return the first 200 printable characters of a server's text, without the key or keys."""
    # First the key: a cut through it would leave a piece, and what is dropped may stand within it.
    beginning = without_key(text[:READ_ERROR_BYTES], key)[:MAX_ERROR_BYTES]
    printable = (c if c.isprintable() else " " if c.isspace() else "" for c in beginning)
    words = " ".join("".join(printable).split())
    return words if len(words) <= EXCERPT_CHARACTERS else words[: EXCERPT_CHARACTERS - 1] + "…"


async def read_up_to(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """Return a body; if it is longer than `limit`, a little more than `limit` bytes of it."""
    body: list[bytes] = []
    size = 0
    async for chunk in chunks:
        body.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(body)


def document_of(body: bytes) -> object:
    """Return the JSON of a body, None if it is not JSON in UTF-8 or is nested too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Slower, but reads lone surrogates and NaN, which some servers write.
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def body_of(document: object) -> bytes:
    """Return a document that was read by `document_of` as JSON again; null if it is nested deeply.

    Lone surrogates and NaN stay what they were, for whoever reads it to replace them.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        pass
    try:
        return json.dumps(document).encode()
    except RecursionError:
        return b"null"


def body_text(body: bytes) -> str:
    """Return a body, or the beginning of a long one, as text.  It may hold the key."""
    return body[:READ_ERROR_BYTES].decode("utf-8", "replace")


def count(usage: object, *path: str) -> int | None:
    """Return a token count in a usage document, None if it is absent or not a whole number >= 0."""
    for step in path:
        usage = usage.get(step) if isinstance(usage, dict) else None
    # From 2**53 on, a program that reads JSON numbers as doubles may have rounded the count.
    return usage if type(usage) is int and 0 <= usage < 2**53 else None


def label(value: object, key: Key) -> str | None:
    """Return a short word of a server, such as a finish reason; None if it is no text or empty."""
    if not isinstance(value, str):
        return None
    short = len(value) <= MAX_LABEL_CHARACTERS
    return repeated_label(value, key) if short else excerpt(value, key) or None


@lru_cache(maxsize=256)
def repeated_label(value: str, key: Key) -> str | None:
    """Return the label of a word that comes with every answer; cached."""
    return excerpt(value, key) or None
