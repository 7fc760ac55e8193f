"""Read a judge's verdict: winner, reasons and confidence.

Text in, arena.types.Reading out; no state.
"""

from __future__ import annotations

import re

from arena.types import NOT_ASKED, Reading
from protocols.parsing import tags

WINNER = re.compile(
    r"<\s{0,9}+winner\s{0,9}+>(?P<words>[^<>]{0,200}+)<\s{0,9}+/\s{0,9}+winner\s{0,9}+>",
    re.IGNORECASE,
)
# Counts tags of any state, to notice those that WINNER did not match.
WINNER_REMNANT = re.compile(r"<\s{0,9}+/?+\s{0,9}+winner\b", re.IGNORECASE)
REASONS = re.compile(r"<\s{0,9}+(?P<slash>/?+)\s{0,9}+reasons\s{0,9}+>", re.IGNORECASE)
WINNERS = ("proposition", "opposition", "abstain")
ASK_WINNER = (
    "Your verdict could not be read. Give the verdict that you meant once more, exactly in this"
    " form, with the name of one side between the tags, and N for one number from 0 to"
    " 100:\n<winner>name of the side</winner>\n" + tags.RATING_FORM
)


def verdict(text: str, *, may_abstain: bool = False) -> Reading:
    """Read a judge's reply: winner as `answer`, confidence in [0, 1], reasons as `public`.

    The winner is "proposition", "opposition" or "abstain": the name that stands alone between
    winner tags outside of the reasons, so that a tag or a name that the judge quotes decides
    nothing.  Flags say why there is none: "no winner tag", "broken winner tag", "several winners",
    "no side named", "abstained".  An abstention needs no confidence.  `reask` asks for the winner,
    or for the confidence alone.
    """
    reply = tags.without_reasoning(text)
    plain = tags.fold_brackets(reply)
    marks = list(REASONS.finditer(plain))
    # From the first opening to the last closing tag, so that a quoted tag of reasons ends nothing.
    opening = next((mark for mark in marks if not mark["slash"]), None)
    closing = next((mark for mark in reversed(marks) if mark["slash"]), None)
    words = reply
    rest = plain
    if opening and closing and opening.end() <= closing.start():
        words = reply[opening.end() : closing.start()]
        rest = plain[: opening.start()] + "\n" + plain[closing.end() :]
    winner, doubt = winner_in(rest, may_abstain)
    confidence, status = (None, NOT_ASKED) if winner == "abstain" else tags.rating_in(rest)
    reask = None
    if winner is None:
        reask = ASK_WINNER
    elif confidence is None and winner != "abstain":
        reask = tags.ASK_RATING
    flags = (doubt,) if doubt else ()
    return Reading(words.strip() or None, None, confidence, status, winner, flags, reask)


def winner_in(rest: str, may_abstain: bool) -> tuple[str | None, str | None]:
    """Return (winner, None) or (None, reason), from a reply without its reasons.

    Brackets are folded.
    """
    named = [match["words"] for match in WINNER.finditer(rest)]
    # A whole winner has two tags; an odd one may be the judge's, cut off, beside one that it
    # quotes.
    if len(WINNER_REMNANT.findall(rest)) != 2 * len(named):
        return None, "broken winner tag"
    if not named:
        return None, "no winner tag"
    bare = [tags.EMPHASIS.sub(" ", word).strip(" \t\r\n*_.\"'`").casefold() for word in named]
    words = {re.sub(r"^the | (?:side|team)$", "", word) for word in bare}
    if len(words) > 1:
        return None, "several winners"
    winner = words.pop()
    if winner not in WINNERS:
        return None, "no side named"
    return (None, "abstained") if winner == "abstain" and not may_abstain else (winner, None)
