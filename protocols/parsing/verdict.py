"""Read a judge's verdict: winner, reasons and confidence.

A reply in, arena.types.Reading out; no state.  A judge is asked how sure it is from 50, either side
may have won, to 100: a confidence below 50 in the side that it names contradicts its verdict, and
is missing ("below 50") after one more ask.
"""

from __future__ import annotations

import re
from dataclasses import replace

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason, without_vote
from arena.types import NOT_ASKED, Reading, Reply
from protocols.parsing import tags
from protocols.parsing.forms import as_mapping, json_at_end
from protocols.parsing.numbers import EMPHASIS
from protocols.parsing.privacy import fold_brackets
from protocols.parsing.ratings import rating_in

WINNER = re.compile(
    r"<\s{0,9}+winner\s{0,9}+>(?P<words>[^<>]{0,200}+)<\s{0,9}+/\s{0,9}+winner\s{0,9}+>",
    re.IGNORECASE,
)
# Counts tags of any state, to notice those that WINNER did not match.
WINNER_REMNANT = re.compile(r"<\s{0,9}+/?+\s{0,9}+winner\b", re.IGNORECASE)
REASONS = re.compile(r"<\s{0,9}+(?P<slash>/?+)\s{0,9}+reasons\s{0,9}+>", re.IGNORECASE)
# The parts under labels, where there are no tags: "**Winner:** opposition", "[winner: ...]".
LABEL = re.compile(
    r"^[\s>*_#\[\d.)-]{0,9}+(?P<name>winner|verdict|reasons?|reasoning|rating|confidence)"
    r"(?:\s(?:level|score))?[*_ ]{0,4}(?:[:：][*_ ]{0,4}|\n)(?P<words>[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
WINNERS = ("proposition", "opposition", "abstain")
LEAST = 0.5
BELOW = "below 50"
TOO_LONG = "reply too long"
ASK_WINNER = (
    "Your verdict could not be read. Give the verdict that you meant once more, exactly in this"
    " form, with the name of one side between the tags, and N for one number from 50 to"
    " 100:\n<winner>name of the side</winner>\n" + tags.RATING_FORM
)
ASK_FROM_50 = (
    "Your rating could not be read: it says how sure you are that the side which you named won,"
    " from 50 (it could have been either) to 100 (certain). Give the rating that you meant once"
    " more, exactly in this form, where N stands for one number from 50 to 100:\n"
    + tags.RATING_FORM
)


def verdict(reply: Reply | str, *, may_abstain: bool = False) -> Reading:
    """Read a judge's reply: winner as `answer`, confidence in [0.5, 1], reasons as `public`.

    The winner is "proposition", "opposition" or "abstain": the name that stands alone between
    winner tags outside of the reasons, so that a tag or a name that the judge quotes decides
    nothing; where there are no tags, after a label or in JSON.  Thoughts in tags are reasoning:
    they are not public, and a winner in them decides nothing.  Flags say why there is none: "no
    winner tag", "broken winner tag", "several winners", "no side named", "abstained", "reply too
    long", or how the reply ended.  An abstention needs no confidence.  `reask` asks for the
    winner, or for the confidence alone.
    """
    reply = as_reply(reply)
    reason = unfinished_reason(reply)
    text = tags.without_reasoning(reply.text, thoughts=True)
    if len(text) > tags.LONGEST_REPLY:
        long = Reading(None, confidence_status=TOO_LONG, flags=(TOO_LONG,))
        return ask_for_missing(without_vote(long, reason))
    words, rest = without_reasons(text)
    winner, doubt = winner_in(rest, may_abstain)
    # Labels and JSON tell of a reply that was cut off neither the end nor what was to come.
    if doubt == "no winner tag" and reason is None:
        words, winner, doubt, rest = untagged_verdict(text, words, rest, may_abstain)
    confidence, status = (None, NOT_ASKED)
    if winner != "abstain":
        confidence, status = rating_in(rest, closed_only=reason == CUT_OFF)
    if confidence is not None and confidence < LEAST:
        confidence, status = None, BELOW
    flags = (doubt,) if doubt else ()
    reading = Reading(
        words.strip().removesuffix("]") or None, None, confidence, status, winner, flags
    )
    if reason is not None and (winner is None or reason != CUT_OFF):
        reading = without_vote(reading, reason)
    return ask_for_missing(reading)


def ask_for_missing(reading: Reading) -> Reading:
    """Return a verdict's reading with what is missing in it, and the question that asks for it."""
    unrated = reading.confidence is None and reading.answer != "abstain"
    lacks_winner = ("answer",) if reading.answer is None else ()
    missing = (*lacks_winner, *(("confidence",) if unrated else ()))
    reask = None
    if lacks_winner:
        reask = ASK_WINNER
    elif unrated:
        reask = ASK_FROM_50 if reading.confidence_status == BELOW else tags.ASK_RATING
    return replace(reading, missing=missing, reask=reask)


def without_reasons(reply: str) -> tuple[str, str]:
    """Return (reasons, the reply without them, brackets folded); all of it where there are none."""
    plain = fold_brackets(reply)
    marks = list(REASONS.finditer(plain))
    # From the first opening to the last closing tag, so that a quoted tag of reasons ends nothing.
    opening = next((mark for mark in marks if not mark["slash"]), None)
    closing = next((mark for mark in reversed(marks) if mark["slash"]), None)
    if opening and closing and opening.end() <= closing.start():
        rest = plain[: opening.start()] + "\n" + plain[closing.end() :]
        return reply[opening.end() : closing.start()], rest
    return reply, plain


def untagged_verdict(
    text: str, words: str, rest: str, may_abstain: bool
) -> tuple[str, str | None, str | None, str]:
    """Return (reasons, winner, doubt, text of the rating) of a verdict in JSON or under labels."""
    fields = json_at_end(text)
    if fields is not None:
        mapping = as_mapping(fields)
        named = mapping.get("winner", mapping.get("verdict"))
        winner, doubt = side_named([named]) if isinstance(named, str) else (None, "no winner tag")
        reasons = mapping.get("reasons", mapping.get("reason", mapping.get("reasoning")))
        rating = mapping.get("rating", mapping.get("confidence"))
        said = f"rating: {rating}" if isinstance(rating, str | int | float) else ""
        words = reasons if isinstance(reasons, str) else words
        return words, *allowed(winner, doubt, may_abstain), said
    labels = list(LABEL.finditer(rest))
    named_sides = [
        value_of(label, rest) for label in labels if label["name"].lower() in ("winner", "verdict")
    ]
    if not named_sides:
        return words, None, "no winner tag", rest
    winner, doubt = side_named(named_sides)
    for label, following in zip(labels, [*labels[1:], None], strict=True):
        if label["name"].lower().startswith("reason"):
            end = following.start() if following else len(rest)
            words = text[label.start("words") : end] if len(text) == len(rest) else words
            rest = rest[: label.start()] + "\n" + rest[end:]
            break
    return words, *allowed(winner, doubt, may_abstain), rest


def value_of(label: re.Match[str], text: str) -> str:
    """Return the words after a label, those of the next line where its own has none."""
    words = label["words"].strip(" ]*_")
    return words or text[label.end() :].lstrip().partition("\n")[0]


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
    return allowed(*side_named(named), may_abstain)


def side_named(named: list[str]) -> tuple[str | None, str | None]:
    """Return (side, None) that all of these name, or (None, reason)."""
    bare = [EMPHASIS.sub(" ", word).strip(" \t\r\n*_.\"'`]").casefold() for word in named]
    words = {re.sub(r"^the | (?:side|team)$", "", word) for word in bare}
    if len(words) > 1:
        return None, "several winners"
    winner = words.pop()
    return (winner, None) if winner in WINNERS else (None, "no side named")


def allowed(
    winner: str | None, doubt: str | None, may_abstain: bool
) -> tuple[str | None, str | None]:
    """Return the winner and the doubt; an abstention is a doubt where it is not allowed."""
    return (None, "abstained") if winner == "abstain" and not may_abstain else (winner, doubt)
