"""Read a judge's verdict: winner, reasons and confidence.

Text in, arena.types.Reading out; no state.
"""

from __future__ import annotations

import re

from arena.types import NOT_ASKED, Reading
from protocols.parsing.tags import (
    ASK_RATING,
    EMPHASIS,
    RATING_FORM,
    fold_brackets,
    rating_in,
    without_reasoning,
)

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
    " 100:\n<winner>name of the side</winner>\n" + RATING_FORM
)


def verdict(text: str, *, may_abstain: bool = False) -> Reading:
    """Read a judge's reply: winner as `answer`, confidence in [0, 1], reasons as `public`.

    The winner is "proposition", "opposition" or "abstain": the name that stands alone between
    winner tags outside of the reasons, so that a tag or a name that the judge quotes decides
    nothing.  Flags say why there is none: "no winner tag", "broken winner tag", "several winners",
    "no side named", "abstained".  An abstention needs no confidence.  `reask` asks for the winner,
    or for the confidence alone.
    """
    reply = without_reasoning(text)
    plain = fold_brackets(reply)
    tags = list(REASONS.finditer(plain))
    # From the first opening to the last closing tag, so that a quoted tag of reasons ends nothing.
    opening = next((tag for tag in tags if not tag["slash"]), None)
    closing = next((tag for tag in reversed(tags) if tag["slash"]), None)
    words, rest = reply, plain
    if opening and closing and opening.end() <= closing.start():
        words, rest = (
            reply[opening.end() : closing.start()],
            plain[: opening.start()] + "\n" + plain[closing.end() :],
        )
    winner, doubt = winner_in(rest, may_abstain)
    confidence, status = (None, NOT_ASKED) if winner == "abstain" else rating_in(rest)
    reask = (
        ASK_WINNER
        if winner is None
        else ASK_RATING
        if confidence is None and winner != "abstain"
        else None
    )
    return Reading(
        words.strip() or None, None, confidence, status, winner, (doubt,) if doubt else (), reask
    )


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
    words = {
        re.sub(
            r"^the | (?:side|team)$", "", EMPHASIS.sub(" ", word).strip(" \t\r\n*_.\"'`").casefold()
        )
        for word in named
    }
    if len(words) > 1:
        return None, "several winners"
    winner = words.pop()
    if winner not in WINNERS:
        return None, "no side named"
    return (None, "abstained") if winner == "abstain" and not may_abstain else (winner, None)
