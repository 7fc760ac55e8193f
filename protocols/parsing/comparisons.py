"""Read which of two answers a reply is more confident of, or which is the better one.

"More confident: 1", "Better: 2", or the number alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import matches
from arena.types import Reading, Reply
from protocols.parsing.confidence import said_in

FIRST, SECOND, NEITHER = "1", "2", "neither"
WORDS = {"one": FIRST, "first": FIRST, "two": SECOND, "second": SECOND}
THING = r"(?:question|answer|reply|response|text)"
WHICH = (
    rf"[\s*_`\"'(]{{0,6}}(?:the\s)?(?:{THING}\s{{1,3}}(?:no\.?\s?|number\s)?)?"
    r"(?P<which>1|2|one|two|first|second|neither|both|equal(?:ly)?|tie)\b(?![.,]?\d)"
    r"(?!\s?(?:or\b|and\b|[/&])\s?(?:1|2|one|two|first|second)\b)"
)
LINE = re.compile(
    rf"\bmore\s{{1,3}}confident[\s*_`\"']{{0,6}}(?::|=|\bis\b|\bin\b|\bof\b){WHICH}", re.IGNORECASE
)
BETTER_LINES = (
    # Where a line or a sentence begins, so that nothing denies it, and nobody else is quoted.
    re.compile(
        r"(?:^[\s*_#`\"'(\-•]{0,9}|[.!?;]\s{1,3}[*_`]{0,3}"
        r"|\bI\s(?:would\s)?(?:think|find|believe|say|conclude)\s(?:that\s)?)"
        rf"(?:(?:so|thus|therefore|hence|overall),?\s)?(?:the\s)?better(?:\s(?:{THING}|one))?"
        rf"[\s*_`\"']{{0,6}}(?::|=|\bis\b){WHICH}",
        re.IGNORECASE | re.MULTILINE,
    ),
    # At the beginning of a line, where no negation stands before it.
    re.compile(
        rf"^[\s*_`\"'(]{{0,6}}{THING}\s(?P<which>[12])[*_]{{0,3}}\sis\s(?:the\s)?better\b",
        re.IGNORECASE | re.MULTILINE,
    ),
)
# A whole reply that is nothing but the choice.
ALONE = re.compile(rf"{WHICH}(?:\s{THING})?[\s.*_`\"')]{{0,6}}", re.IGNORECASE)
ASK_WHICH = (
    "It could not be read which of the two answers you are more confident of. Reply with one line,"
    " either\nMore confident: 1\nor\nMore confident: 2"
)
ASK_BETTER = (
    "It could not be read which of the two replies is better. Reply with its number, 1 or 2, and"
    " with nothing else."
)


def more_confident(reply: Reply | str) -> Reading:
    """Read "1", "2" or "neither" as the answer; None, with a flag, for any other reply.

    Two lines that differ are none.
    """
    return named_one(as_reply(reply), (LINE,), ASK_WHICH)


def better(reply: Reply | str) -> Reading:
    """Read which of two replies is named the better one, in the same way."""
    return named_one(as_reply(reply), BETTER_LINES, ASK_BETTER)


def named_one(reply: Reply, lines: Sequence[re.Pattern[str]], ask_again: str) -> Reading:
    """Read which of two is named, in such lines or as the whole reply."""
    public, words = said_in(reply)
    reason = unfinished_reason(reply)
    found = {plain(match["which"]) for line in lines for match in matches(line, words, 300)}
    if not found and (alone := ALONE.fullmatch(words.strip()[:80])) is not None:
        found = {plain(alone["which"])}
    answer = found.pop() if len(found) == 1 and reason is None else None
    if answer is not None:
        return Reading(public, answer=answer)
    flags = (reason or ("both named" if found else "neither named"),)
    return Reading(public, flags=flags, reask=ask_again, missing=("answer",))


def plain(which: str) -> str:
    """Return the choice that a word names."""
    word = which.casefold()
    return word if word in (FIRST, SECOND) else WORDS.get(word, NEITHER)
