"""Text and time as every part of the arena writes them."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
SURROGATE = re.compile("[\ud800-\udfff]")


def utc_now() -> datetime:
    """Now in UTC, without a zone, as the tables keep it."""
    return EPOCH + timedelta(seconds=time.time())


def writable(text: str) -> str:
    """The text with lone surrogates, which neither UTF-8 nor the database can hold, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def printable(text: str) -> str:
    """Text of models without characters that could steer a terminal (escapes, controls, writing direction); line breaks stay."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def finite(value: object) -> object:
    """The value as JSON has it, which knows no NaN, and no keys but texts; what stands in lists and structs too."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [finite(one) for one in value]
        case dict():
            return {str(key): finite(one) for key, one in value.items()}
        case _:
            return value
