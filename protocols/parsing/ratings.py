"""Find the rating that a reply states outside of its speech and its thoughts.

Any of these is one: a rating tag, closed or not; a label, as in "**Confidence:** 80/100" or
"[rating: 80 out of 100]"; and, where there is neither, a last line that is nothing but the number
or states it with its unit.  All statements must agree.
"""

from __future__ import annotations

import re

from arena.play.reasoning import matches
from protocols.parsing.numbers import NUMBER, number_in, number_on, with_plain_digits
from protocols.parsing.privacy import unescape

NAME = (
    r"(?:(?:my|own|self|final|overall|current|private|win|winning|updated"
    r"|estimated)[\s_-]{1,3}){0,3}"
    r"(?:rating|confidence|stake|bet|certainty|likelihood|probability|chance)"
    r"(?:[\s_-]{1,3}(?:level|score|rating|estimate|amount|percentage|of\s(?:winning|victory))){0,2}"
)
# A tag of a rating in any state, with the words up to the next tag, or `whole` in itself, as
# <rating value="80"/>; or the words before a closing one that was never opened.
TAGGED = re.compile(
    rf"<\s{{0,9}}{NAME}\b(?P<attributes>[^<>]{{0,200}})(?:>|(?=<)|$)"
    r"(?:(?P<whole>(?<=[\"'\d]/>)|(?<=[\"'\d]\s/>))|(?P<words>[^<\[{]*+)"
    rf"(?P<closed><\s{{0,9}}/\s{{0,9}}{NAME}\s{{0,9}}>)?)"
    rf"|(?:^|>|\n)(?P<before>[^<>\n]{{1,200}}+)<\s{{0,9}}/\s{{0,9}}{NAME}\s{{0,9}}>",
    re.IGNORECASE,
)
LABELLED = re.compile(
    rf"(?:^|[.,;!?](?=\s))[\s>*_#`\"'{{(\[•-]{{0,9}}(?:the\s)?{NAME}"
    rf"(?:\s?(?P<scale>\([^()\n]{{0,40}}\)))?[\s*_`\"']{{0,4}}"
    r"(?:[:：=]|\bis\b|[-–—→]\s(?=[*_~\s]{0,4}\d))[\s*_`\"']{0,4}(?P<words>[^\n\]}]{0,300}+)",
    re.IGNORECASE | re.MULTILINE,
)
BOX = re.compile(r"\$?\\boxed\s?\{([^{}]{0,40})\}\$?")
LONGEST_LINE = 100
BARE = " \t*_`$\"'.()[]#>-"
# A line that is no more than the end of a block of code.
FENCE = re.compile(r"^[ \t]{0,9}(?:```|~~~)\w{0,20}[ \t]{0,9}$", re.MULTILINE)


def rating_in(rest: str, *, closed_only: bool = False) -> tuple[float | None, str]:
    """Read (confidence in [0, 1] or None, status) from a text without speech and thoughts.

    With `closed_only`, as of a reply that was cut off, only a rating that was closed counts.
    `status` is as of `number_in`, or "no rating tag".
    """
    if "&" in rest or "\\u00" in rest:
        rest = unescape(rest)
    rest = BOX.sub(r" \1 ", FENCE.sub("", rest))
    read: set[tuple[float | None, str]] = set()
    outside = []
    at = 0
    for match in TAGGED.finditer(rest):
        outside.append(rest[at : match.start()])
        at = match.end()
        if not closed_only or match["closed"] or match["whole"] is not None:
            read.add(number_on(match["attributes"], words_of(match)))
    untagged = "\n".join((*outside, rest[at:]))
    for match in matches(LABELLED, untagged, 600):
        if not closed_only or untagged[match.end() : match.end() + 1] in ("]", "}"):
            read.add(number_on(match["scale"], match["words"].strip(BARE)))
    # Of a tag around a label, and of two labels in a row, the outer one holds nothing.
    if len(read) > 1:
        read.discard((None, "empty"))
    if not read and not closed_only:
        return last_line_rating(untagged)
    if not read:
        return None, "no rating tag"
    return read.pop() if len(read) == 1 else (None, "several numbers")


def words_of(match: re.Match[str]) -> str:
    """Return the words of a tagged rating, or its attributes where the tag holds no words."""
    if match["before"] is not None:
        return str(match["before"]).strip()
    words = (match["words"] or "").strip()
    attributes = str(match["attributes"]).strip(" /")
    if words or not attributes:
        return words
    # value="80": only what is quoted, or a number alone.
    quoted = re.search(r"=\s?[\"']?([^\"'=]{1,40})", attributes)
    return quoted[1] if quoted else attributes


def last_line_rating(rest: str) -> tuple[float | None, str]:
    """Read the rating of a last line that is nothing but a number, or states one with its unit."""
    line = rest.strip().rpartition("\n")[2].strip()
    if not line or len(line) > LONGEST_LINE:
        return None, "no rating tag"
    confidence, status = number_in(line)
    words = with_plain_digits(line).strip(BARE)
    alone = NUMBER.fullmatch(words)
    units = [number["percent"] or number["whole"] for number in NUMBER.finditer(words)]
    if alone or (len(units) == 1 and units[0] and SAID.search(line)):
        return confidence, status
    return None, "no rating tag"


# Who says a number in prose, so that no number of the debate is taken for a rating.
SAID = re.compile(
    r"\b(?:i|i'd|i’d|i'm|i’m|my|me|we)\b|\b(?:confident|confidence|certain|sure|rating"
    r"|chance|likely"
    r"|probability|likelihood|win|winning)\b",
    re.IGNORECASE,
)
