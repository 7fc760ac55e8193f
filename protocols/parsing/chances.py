"""Read a debate speech with two numbers beside it: the chance of winning and that of losing.

They are asked for apart, in tags of their own, and need not add up to 100.  Each is read as a
rating is (ratings.py): one number, stated once.  A chance that cannot be read is asked for once
more by itself, and never computed from the other.
"""

from __future__ import annotations

import re
from dataclasses import replace

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason, without_vote
from arena.types import Reading, Reply
from protocols.parsing.privacy import unescape
from protocols.parsing.ratings import rating_in
from protocols.parsing.tags import LONGEST_REPLY, SPEECH_FORM, parts_of

CHANCE_OF_LOSING = "stated chance of losing"
# The words of a chance in its tag, closed or not, or behind its label on a line of its own.
CHANCE = (
    r"<\s{{0,9}}{word}\s{{0,9}}>(?P<tagged>[^<\n]{{0,200}})(?P<closed><\s{{0,9}}/\s{{0,9}}{word}"
    r"\s{{0,9}}>)?"
    r"|^[\s*_>•-]{{0,9}}(?:(?:my|the)\s)?(?:chances?\sof\s)?{word}\b[\s*_]{{0,4}}[:=]"
    r"(?P<labelled>[^\n]{{0,200}})"
)
WINNING, LOSING = (
    re.compile(CHANCE.format(word=word), re.IGNORECASE | re.MULTILINE)
    for word in ("win(?:ning)?", "(?:lose|losing)")
)
# What can be asked for once more: in words, and its form.
PARTS = {
    "public": ("your speech", SPEECH_FORM),
    "confidence": ("your chance of winning", "<win>N%</win>"),
    CHANCE_OF_LOSING: ("your chance of losing", "<lose>N%</lose>"),
}


def speech_and_chances(reply: Reply | str) -> Reading:
    """Read speech, private thoughts, and the chances of winning and of losing.

    The chance of winning becomes the confidence, that of losing the measure `CHANCE_OF_LOSING`,
    both in [0, 1]; statuses, flags and the re-ask are as of `speech_and_confidence` (tags.py).
    """
    reply = as_reply(reply)
    reason = unfinished_reason(reply)
    cut_off = reason == CUT_OFF
    parts = parts_of(reply.text, cut_off=cut_off)
    confidence, status = chance_in(parts.rest, WINNING, cut_off)
    losing, _ = chance_in(parts.rest, LOSING, cut_off)
    reading = Reading(
        parts.speech,
        parts.thoughts,
        confidence,
        status,
        flags=parts.flags,
        measures=None if losing is None else {CHANCE_OF_LOSING: losing},
    )
    if reason is not None and (reading.public is None or not cut_off):
        reading = without_vote(reading, reason)
    missing = tuple(
        name
        for name, value in (
            ("public", reading.public),
            ("confidence", reading.confidence),
            (CHANCE_OF_LOSING, reading.measures),
        )
        if value is None
    )
    return replace(reading, missing=missing, reask=ask_again(missing) if missing else None)


def chances_alone(reply: Reply | str) -> Reading:
    """Read private thoughts and both chances of a reply in which no speech was asked for.

    Nothing of it is public, as in `rating_alone` (tags.py).
    """
    reading = speech_and_chances(reply)
    flags = tuple(flag for flag in reading.flags if "speech" not in flag)
    missing = tuple(part for part in reading.missing if part != "public")
    reask = ask_again(missing) if missing else None
    return replace(reading, public="", flags=flags, missing=missing, reask=reask)


def chance_in(rest: str, chance: re.Pattern[str], cut_off: bool) -> tuple[float | None, str]:
    """Read (chance in [0, 1] or None, status) from a text without speech and thoughts.

    Of a reply that was cut off only a tag that was closed is read.
    """
    text = unescape(rest) if "&" in rest else rest
    # At most LONGEST_REPLY characters, each read once: the patterns begin at a tag or a line.
    read = {
        rating_in(f"<rating>{found['tagged'] or found['labelled'] or ''}</rating>")
        for found in chance.finditer(text[:LONGEST_REPLY])
        if not cut_off or found["closed"]
    }
    if not read:
        return None, "no rating tag"
    return read.pop() if len(read) == 1 else (None, "several numbers")


def ask_again(missing: tuple[str, ...]) -> str:
    """Return the question for the parts that could not be read."""
    words = [PARTS[name][0] for name in missing]
    listed = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    forms = "\n".join(PARTS[name][1] for name in missing)
    number = "; N stands for one number from 0 to 100" if missing != ("public",) else ""
    return (
        f"{listed[0].upper()}{listed[1:]} could not be read. Give what is missing once more,"
        f" exactly in this form, with no other tag inside{number}:\n{forms}"
    )
