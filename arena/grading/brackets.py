"""Split texts of mathematics at signs that stand outside of brackets."""

from __future__ import annotations

import re


def split_outside(text: str, separator: re.Pattern[str]) -> list[str]:
    """Split a text at separators outside of brackets."""
    parts = []
    depth = 0
    start = 0
    place = 0
    while place < len(text):
        found = separator.match(text, place) if depth == 0 else None
        if found is not None and found.end() > place:
            parts.append(text[start : found.start()])
            start = place = found.end()
            continue
        if text[place] == "\\" and text[place + 1 : place + 2] not in ("{", "}"):
            place += 2
            continue
        if text[place] in "([{":
            depth += 1
        elif text[place] in ")]}":
            depth -= 1
        place += 1
    return [*parts, text[start:]]


def closes_at_end(text: str) -> bool:
    """Tell whether the bracket that opens a text is closed by its last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in ")]}":
            return place == len(text) - 1
    return False


def bracket_depth(text: str) -> int:
    """Return how deep brackets are nested in a text."""
    depth = 0
    deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
