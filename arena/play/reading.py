"""Read replies: apply a protocol's reader, and check the reading before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from arena.errors import ProtocolError
from arena.store.replay import StoredTurn
from arena.types import NOT_ASKED, Reading

Reader = Callable[[str], Reading]


def read_as_public(text: str) -> Reading:
    """Read a reply without private words: all of it is public."""
    return Reading(public=text)


def read_reply(read: Reader, text: str, seat: str) -> Reading:
    """Return the reading of a reply, or raise ProtocolError if it cannot be stored."""
    reading = read(text)
    if not isinstance(reading, Reading):
        raise ProtocolError(
            f"the reader of {seat} must return a Reading, found {type(reading).__name__}"
        )
    for name in ("public", "thoughts", "answer", "reask"):
        value = getattr(reading, name)
        if not isinstance(value, str | None):
            raise ProtocolError(f"the reader of {seat} gave no text as {name}: {value!r:.80}")
    confidence = reading.confidence
    if confidence is None or (type(confidence) in (float, int) and 0 <= confidence <= 1):
        return reading
    if not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise ProtocolError(
            f"the reader of {seat} gave a confidence of {confidence!r:.40};"
            " it must lie in [0, 1], or be None"
        )
    # A subclass of float, such as numpy has, cannot be written as JSON.
    return replace(reading, confidence=float(confidence))


def first_reading(stored: StoredTurn, read: Reader, seat: str) -> Reading:
    """Return the reading of a stored first reply; it is read anew only if the reader had failed."""
    turn = stored.turn
    if stored.reask_prompt is None:
        return read_reply(read, turn.text, seat)
    return Reading(
        turn.public,
        turn.thoughts,
        turn.confidence,
        turn.confidence_status,
        turn.answer,
        turn.flags,
        stored.reask_prompt,
    )


def fill_gaps(first: Reading, second: Reading) -> Reading:
    """Return the first reading with its gaps filled from the reply to the re-ask.

    Everything that was readable in the first reply stays.
    """
    # Number and status come from one reply, so that a status never describes another number.
    rated = first.confidence is not None or first.confidence_status == NOT_ASKED
    rating = first if rated else second
    # A flag doubts the words of one reply, so the flags of the reply that gave the speech are kept;
    # if no reply gave one, the flags of both.
    if first.public is not None:
        flags = first.flags
    else:
        flags = second.flags if second.public is not None else first.flags + second.flags
    return Reading(
        public=first.public if first.public is not None else second.public,
        thoughts=first.thoughts if first.thoughts is not None else second.thoughts,
        confidence=rating.confidence,
        confidence_status=rating.confidence_status,
        answer=first.answer if first.answer is not None else second.answer,
        flags=tuple(dict.fromkeys(flags)),
    )
