"""Find the chance of winning that private thoughts state, in numbers or in words.

Rules, not a model: a number with its unit in a sentence that speaks of winning ("I put us at 60-65%
to win"), the last such sentence of the thoughts; where there is none, an expression that stands for
a range ("almost certain").  The ranges are those of Kent, Words of Estimative Probability (1964),
as far as he has them.  What a sentence says of a bet or stake is the number that the thoughts are
held against, and no thought.  Left out: irony, and what is only argued.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from protocols.parsing.numbers import number_in, with_plain_digits

LONGEST = 20_000
SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
# Remnants of the tag in which the number itself stands.
TAGGED = re.compile(
    r"<\s?/?\s?(?:bet\\?_amount|rating|bet|stake)\s?>\s*\d{0,3}\s*(?:<\s?/[^<>]{0,20}>)?", re.I
)
ABOUT_WINNING = re.compile(
    r"\b(?:win|wins|winning|victory|prevail(?:ing)?|succe(?:ss|ed)|chances?|probabilit\w+"
    r"|likelihood|odds|confiden(?:t|ce)|certainty|certain|sure|estimate)\b",
    re.IGNORECASE,
)
BET = re.compile(
    r"\b(?:bet(?:s|ting)?|stak(?:e|es|ing)|wager\w*|tokens?|risk(?:ing)?)\b", re.IGNORECASE
)
# A number that says a chance has its unit, or is a probability.
UNIT = r"(?:\s?%|\s?per\s?cent\b|\s?pct\b)"
RANGE = re.compile(
    rf"(?<![\d.])(?P<low>\d{{1,3}}(?:\.\d)?){UNIT}?\s?(?:-|to|and)\s?"
    rf"(?P<high>\d{{1,3}}(?:\.\d)?){UNIT}",
    re.IGNORECASE,
)
SINGLE = re.compile(
    rf"(?<![\d.,/-])\d{{1,3}}(?:\.\d{{1,2}})?{UNIT}"
    r"|\b\d{1,2}(?:\.\d)?\s?(?:out\sof|/)\s?(?:100|10)\b"
    r"|(?<![\d.])0?\.\d{1,2}(?![\d%])",
    re.IGNORECASE,
)
EVEN = re.compile(r"\b(?:50\s?[-/]\s?50|fifty[\s-]fifty)\b", re.IGNORECASE)
NOT = r"(?<!\bnot\s)(?<!\bnot\svery\s)(?<!n['’]t\s)"
# (lowest, highest) in percent.  Longer expressions first: "very unlikely" is not "unlikely".
CHANCE = r"(?:confidence|chances?|probability|likelihood)"
VERY = r"(?:very|highly|extremely|exceptionally)"
EXPRESSIONS: tuple[tuple[str, float, float], ...] = (
    (r"(?:almost|nearly|virtually)\s(?:certain|sure)(?:ly)?|no\sdoubt", 87, 99),
    (r"(?:certain|guaranteed|sure)\s(?:to\swin|of\s(?:victory|winning))", 87, 100),
    (rf"{VERY}\sunlikely|{VERY}\s(?:slim|low|poor)\s{CHANCE}", 2, 15),
    (rf"{VERY}\s(?:confident|likely|probable|sure)|{VERY}\s(?:high|strong)\s{CHANCE}", 75, 95),
    (r"(?:moderately|reasonably|fairly|somewhat|quite)\sconfident|cautiously\soptimistic", 55, 75),
    (r"slight(?:ly)?\s(?:\w+\s)?(?:edge|advantage|ahead|favou?red|better|more\slikely)", 50, 65),
    (rf"(?:even|equal)\s(?:{CHANCE}|odds)|toss[\s-]?up|coin\s(?:flip|toss)", 45, 55),
    (r"could\sgo\seither\sway|evenly\smatched|too\sclose\sto\scall", 40, 60),
    (rf"(?:high|strong|good|solid)\s{CHANCE}|favou?rable", 60, 85),
    (rf"(?:low|poor|slim)\s{CHANCE}|unlikely", 10, 40),
    (r"likely|probable|probably|confident|optimistic", 60, 85),
    (r"uncertain|unsure", 35, 60),
)
WORDS = tuple(
    (re.compile(rf"{NOT}\b(?:{pattern})\b", re.IGNORECASE), low, high)
    for pattern, low, high in EXPRESSIONS
)


@dataclass(frozen=True, slots=True)
class StatedChance:
    """A chance of winning in [0, 1] as a range, of no width for one number, and how it is said."""

    low: float
    high: float
    said: Literal["number", "words"]


def stated_chance(thoughts: str) -> StatedChance | None:
    """Return the chance of winning that thoughts state last; None if they state none."""
    text = with_plain_digits(TAGGED.sub(" ", thoughts[:LONGEST]))
    sentences = [each for each in SENTENCE.split(text) if ABOUT_WINNING.search(each)]
    for find in (number_said, words_said):
        found = [chance for each in sentences if (chance := find(each)) is not None]
        if found:
            return found[-1]
    return None


def number_said(sentence: str) -> StatedChance | None:
    """Return the chance that a sentence states in numbers; None for none, or for several."""
    if BET.search(sentence):
        return None
    if EVEN.search(sentence):
        return StatedChance(0.5, 0.5, "number")
    ranges = [(float(each["low"]), float(each["high"])) for each in RANGE.finditer(sentence)]
    if len(ranges) == 1 and 0 <= ranges[0][0] <= ranges[0][1] <= 100:
        return StatedChance(ranges[0][0] / 100, ranges[0][1] / 100, "number")
    singles = [each[0] for each in SINGLE.finditer(sentence)]
    if ranges or len(singles) != 1:
        return None
    # In its sentence, so that a bound, or a chance of the opponent's, is not taken for one's own.
    value, _ = number_in(sentence)
    if value is None and re.fullmatch(r"0?\.\d{1,2}", singles[0]):
        value = float(singles[0])
    return None if value is None else StatedChance(value, value, "number")


def words_said(sentence: str) -> StatedChance | None:
    """Return the range of the expression with which a sentence ends; None if it has none."""
    found: list[tuple[int, float, float]] = []
    covered: list[tuple[int, int]] = []
    for pattern, low, high in WORDS:
        for match in pattern.finditer(sentence):
            # "likely" in "very likely" has been read.
            if not any(start < match.end() and match.start() < end for start, end in covered):
                covered.append(match.span())
                found.append((match.end(), low, high))
    if not found:
        return None
    _, low, high = max(found)
    return StatedChance(low / 100, high / 100, "words")
