"""Read the scores that a referee gives to two texts.

A reply in, arena.types.Reading out; no state.
"""

from __future__ import annotations

import re

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Reading, Reply

LINE = re.compile(
    r"^[\s*_#\-•]{0,9}score of text (?P<text>[12])[*_\s]{0,4}[:：=][*_\s`\"'(]{0,6}"
    r"(?P<score>\d{1,3}(?:\.\d{1,2})?)(?:\s?(?:/|out of)\s?10)?[\s*_`\"').]{0,6}$",
    re.IGNORECASE | re.MULTILINE,
)
LOWEST, HIGHEST = 1.0, 10.0
NO_SCORES = "no scores"
ASK_SCORES = (
    "Your scores could not be read. Give both once more, each a number from 1 to 10, as two"
    " lines:\nScore of text 1: N\nScore of text 2: N"
)


def two_scores(reply: Reply | str, *, reask: bool = True) -> Reading:
    """Read a score from 1 to 10 for each of two texts; the answer is "7, 8" for 7 and 8.

    None, with a flag, where one of them is missing, out of range, or stated in two ways.  `reask`
    asks once more.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    reason = unfinished_reason(reply)
    stated: dict[str, set[float]] = {"1": set(), "2": set()}
    for line in LINE.finditer(parted.words) if reason is None else ():
        stated[line["text"]].add(float(line["score"]))
    numbers = [each.pop() if len(each) == 1 else 0.0 for each in stated.values()]
    if all(LOWEST <= number <= HIGHEST for number in numbers):
        return Reading(parted.public, answer=", ".join(f"{number:g}" for number in numbers))
    ask, missing = (ASK_SCORES, ("answer",)) if reask else (None, ())
    return Reading(parted.public, flags=(reason or NO_SCORES,), reask=ask, missing=missing)


def parse_scores(said: str | None) -> tuple[float, float] | None:
    """Return the two scores that were read, None where there are none."""
    numbers = [] if said is None else said.split(", ")
    return (float(numbers[0]), float(numbers[1])) if len(numbers) == 2 else None
