"""Read which of two answers a reply is more confident of: the line "More confident: 1"."""

from __future__ import annotations

import re

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import matches
from arena.types import Reading, Reply
from protocols.parsing.confidence import said_in

FIRST, SECOND, NEITHER = "1", "2", "neither"
WORDS = {"one": FIRST, "first": FIRST, "two": SECOND, "second": SECOND}
WHICH = (
    r"[\s*_`\"'(]{0,6}(?:the\s)?(?:(?:question|answer)\s{1,3}(?:no\.?\s?|number\s)?)?"
    r"(?P<which>1|2|one|two|first|second|neither|both|equal(?:ly)?|tie)\b(?![.,]?\d)"
    r"(?!\s?(?:or\b|and\b|[/&])\s?(?:1|2|one|two|first|second)\b)"
)
LINE = re.compile(
    rf"\bmore\s{{1,3}}confident[\s*_`\"']{{0,6}}(?::|=|\bis\b|\bin\b|\bof\b){WHICH}", re.IGNORECASE
)
# A whole reply that is nothing but the choice.
ALONE = re.compile(rf"{WHICH}(?:\s(?:question|answer))?[\s.*_`\"')]{{0,6}}", re.IGNORECASE)
ASK_WHICH = (
    "It could not be read which of the two answers you are more confident of. Reply with one line,"
    " either\nMore confident: 1\nor\nMore confident: 2"
)


def more_confident(reply: Reply | str) -> Reading:
    """Read "1", "2" or "neither" as the answer; None, with a flag, for any other reply.

    Two lines that differ are none.
    """
    reply = as_reply(reply)
    public, words = said_in(reply)
    reason = unfinished_reason(reply)
    found = {plain(match["which"]) for match in matches(LINE, words, 300)}
    if not found and (alone := ALONE.fullmatch(words.strip()[:80])) is not None:
        found = {plain(alone["which"])}
    answer = found.pop() if len(found) == 1 and reason is None else None
    if answer is not None:
        return Reading(public, answer=answer)
    flags = (reason or ("both named" if found else "neither named"),)
    return Reading(public, flags=flags, reask=ASK_WHICH, missing=("answer",))


def plain(which: str) -> str:
    """Return the choice that a word names."""
    word = which.casefold()
    return word if word in (FIRST, SECOND) else WORDS.get(word, NEITHER)
