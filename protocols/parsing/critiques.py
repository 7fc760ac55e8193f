"""Read a critic's verdict on a reply: right or wrong.

A reply in, arena.types.Reading out; no state.  The last line that states a verdict counts, as long
as no other word follows it that takes it back; of a reply that was cut off none does, since the
verdict stands at its end.
"""

from __future__ import annotations

import re

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Reading, Reply

RIGHT, WRONG = "right", "wrong"
VERDICT = re.compile(
    r"^[\s*_#-]{0,9}(?:final )?verdict[*_\s]{0,4}[:：][*_\s\"'(]{0,6}"
    r"(?:the (?:reply|answer) is )?(?P<word>right|correct|wrong|incorrect)(?![\w-])"
    r"(?P<rest>[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
# What takes a verdict back, wherever it stands behind it; and what makes "right" half of it.
TAKEN_BACK = re.compile(
    r"^[*_\s\"')]{0,6}\?|\bactually,? no\b|\bwait\b|\bno[,.:!]|\bscratch that\b"
    r"|\bon (?:second|further) thoughts?\b|\bon reflection\b|\bchanged? my mind\b"
    r"|\btake (?:that|it|this|my verdict) back\b|\bretract\b",
    re.IGNORECASE,
)
HALF_RIGHT = re.compile(
    r"\b(?:actually|but|however|although|except|unless|flawed|mistaken)\b", re.IGNORECASE
)
WORDS = {"right": RIGHT, "correct": RIGHT, "wrong": WRONG, "incorrect": WRONG}
NO_VERDICT = "no verdict"
# A line such as "Verdict: right or wrong" repeats the form and decides nothing.
BOTH = re.compile(r"\b(?:right|correct|wrong|incorrect)\b", re.IGNORECASE)
ASK_VERDICT = (
    "Your verdict could not be read. Give the verdict that you meant once more, as one line,"
    " `Verdict: right` or `Verdict: wrong`."
)


def critique_verdict(reply: Reply | str, *, reask: bool = True) -> Reading:
    """Read "right" or "wrong" as the answer; None, with a flag, where no line decides.

    `reask` asks for it once more.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    reason = unfinished_reason(reply)
    found = [each for each in VERDICT.finditer(parted.words) if not BOTH.search(each["rest"])]
    if found and reason is None and not is_taken_back(found[-1]):
        return Reading(parted.public, answer=WORDS[found[-1]["word"].lower()])
    flags = (reason or NO_VERDICT,)
    ask, missing = (ASK_VERDICT, ("answer",)) if reask else (None, ())
    return Reading(parted.public, flags=flags, reask=ask, missing=missing)


def is_taken_back(verdict: re.Match[str]) -> bool:
    """Return whether words after a verdict take it back, or some of it."""
    behind = verdict.string[verdict.end("word") :]
    is_right = WORDS[verdict["word"].lower()] == RIGHT
    return bool(TAKEN_BACK.search(behind) or (is_right and HALF_RIGHT.search(behind)))
