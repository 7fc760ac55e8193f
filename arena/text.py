"""Write text and time the same way in every part of the arena."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
SURROGATE = re.compile("[\ud800-\udfff]")


def utc_now() -> datetime:
    """Return the present time in UTC, without a zone, as the tables keep it."""
    # datetime.utcnow() is deprecated, and a datetime with a zone is another type in DuckDB.
    return EPOCH + timedelta(seconds=time.time())


def writable(text: str) -> str:
    """Replace lone surrogates by U+FFFD: neither UTF-8 nor the database can hold them."""
    # Nearly all texts pass: the search for surrogates is left to the few that do not.
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def printable(text: str) -> str:
    """Replace characters that could steer a terminal when text of models is printed.

    These are escapes, controls and marks of writing direction; line breaks and tabs stay.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def finite(value: object) -> object:
    """Return a value as strict JSON has it: NaN and infinities become None, keys become text.

    Values inside lists, tuples and dictionaries are converted too.
    """
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [finite(item) for item in value]
        case dict():
            return {str(key): finite(item) for key, item in value.items()}
        case _:
            return value
