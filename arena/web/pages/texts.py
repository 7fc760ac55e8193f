"""Fit texts into a page: all share its room, and long ones are folded or cut.

If the texts of a page are too long together, the longest are cut.  The page says how much is
missing and links to the call, which shows the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.web.words import is_plain

LONGEST_TEXT = 40_000
ESCAPED = "<>&\"'"


@dataclass(frozen=True, slots=True)
class Text:
    """Words for a page: visible, folded away, and the number of characters without room."""

    head: str
    rest: str = ""
    more: int = 0


def text_of(words: str, room: int, visible: int | None) -> Text:
    """Return a text cut to `room` bytes, and folded near `visible` characters, at a space."""
    words = words.rstrip()
    end = chars_that_fit(words, room)
    fold = end
    if visible is not None and end > visible + visible // 4:
        breaks = (words.rfind(char, visible // 2, visible) for char in " \n")
        fold = max(breaks) + 1 or visible
    return Text(words[:fold], words[fold:end], len(words) - end)


def size_of(words: str) -> int:
    """Return the bytes of HTML that a text takes, of at most LONGEST_TEXT characters."""
    beginning = words[:LONGEST_TEXT]
    if beginning.replace("\n", "").replace("\t", "").isprintable():
        # An escape takes up to 5 bytes, one of which is already counted.
        return len(beginning.encode("utf-8", "replace")) + 4 * sum(map(beginning.count, ESCAPED))
    return sum(map(html_bytes, beginning))


def chars_that_fit(words: str, room: int) -> int:
    """Return how many characters of a text fit into `room` bytes of HTML."""
    if len(words) <= LONGEST_TEXT and size_of(words) <= room:
        return len(words)
    used = 0
    for end, char in enumerate(words[:room]):
        used += html_bytes(char)
        if used > room:
            return end
    return min(len(words), room)


def html_bytes(char: str) -> int:
    """Return an upper bound of the bytes that a character takes in HTML."""
    if is_plain(char):
        return 5 if char in ESCAPED else 1 if char < "\x80" else 4
    # A control character becomes a span with its code point.
    return 70


def room_for_each(sizes: Sequence[int], total: int) -> int:
    """Return the most that one text may take so that all take at most `total`.

    Short texts leave the room that they do not need to long ones.
    """
    left = total
    for number, size in enumerate(sorted(sizes)):
        # The smallest first: the room that it leaves is shared by the rest.
        share = left // (len(sizes) - number)
        if size > share:
            return min(share, LONGEST_TEXT)
        left -= size
    return LONGEST_TEXT
