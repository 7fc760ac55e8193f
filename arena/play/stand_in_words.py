"""Make up what stand-ins for models say in a dry run: its form, its length, and how it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import orjson

from arena.calls.stored_lengths import ReplyLength
from arena.play.reading import Reader, public_in_form
from arena.types import Reading, Reply

CHARACTERS_A_TOKEN = 4
# What stands for a number in the form in which a reader asks for something.
PLACEHOLDER = re.compile(r"\bN\b")


@dataclass(frozen=True, slots=True)
class Way:
    """How stand-ins speak: whether they end a reply with a limit, and have the answers asked for.

    No two answers are alike, as a protocol that goes on until models agree asks most.
    """

    finished: bool = False
    answered: bool = False


# At first the way in which a protocol is played before its first call (arena/play/rehearsal.py).
WAYS = (Way(), Way(finished=True, answered=True), Way(answered=True))


def assumed_length(tokens: int) -> ReplyLength:
    """Return the length of a reply of so many tokens: thoughts, and a speech twice as long."""
    characters = tokens * CHARACTERS_A_TOKEN
    return ReplyLength(tokens, characters * 2 // 3, characters // 3)


def stand_in_text(length: ReplyLength, rating: int = 60, share: float = 1.0) -> str:
    """Return a reply of about this length, or a share of it: thoughts, a speech, a rating."""
    thoughts = "word " * int(length.thoughts * share / 5)
    speech = "word " * int(length.public * share / 5)
    return f"<thoughts>{thoughts}</thoughts>\n<speech>{speech}</speech>\n<rating>{rating}</rating>"


def with_public_words(read: Reader, reply: Reply, reading: Reading) -> Reading:
    """Return a reading that has public words, although its reader asks for them once more.

    These are the form in which it asks, with each N in it a number, if it can read that: a protocol
    may go on by what stands in there.  Otherwise they are all words but the private ones.
    """
    if reading.public is not None:
        return reading
    public = public_in_form(read, PLACEHOLDER.sub("1", reading.reask or ""))
    if public:
        return replace(reading, public=public, composed=True)
    return replace(reading, public=reply.text.replace(reading.thoughts or "\0", " "))


def pairs_text(asked: str) -> str:
    """Return numbers for each pair that a model of pairs is asked about: no two texts are alike."""
    try:
        content = orjson.loads(asked)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(content, dict):
        return ""
    pairs = content.get("pairs") or content.get("without") or []
    numbers = {"probabilities": [[0.0, 0.0, 1.0]] * len(pairs), "similarity": [0.1] * len(pairs)}
    return orjson.dumps(numbers).decode()
