"""Read numbers that are written in English words: twenty-five, minus three, two million."""

from __future__ import annotations

import re
from fractions import Fraction

from arena.grading.spelling import TEXT_COMMAND, words

MAGNITUDES = dict(
    dozen=12, hundred=100, thousand=10**3, million=10**6, billion=10**9, trillion=10**12
)
MAGNITUDE = re.compile(
    r"(?<=[0-9])\s*(?:\\[,;: ]|~)*\s*(?:\\(?:text|mathrm)\s*\{\s*)?"
    rf"({'|'.join(MAGNITUDES)})s?\b\s*\}}?"
)
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
COUNTS = {word: n for n, word in enumerate(ONES.split())}
COUNTS |= {word: 10 * n for n, word in enumerate(TENS.split(), 2)}
NUMBER_WORD = "|".join([*COUNTS, *MAGNITUDES, "minus", "negative", "and", "a"])
WORD_NUMBER = re.compile(rf"(?:(?:{NUMBER_WORD})(?:\s+|-|\Z|(?=[^\w])))+", re.I)
HALVES = {"half": Fraction(1, 2), "one half": Fraction(1, 2), "a half": Fraction(1, 2)}


def spelt_number(text: str) -> Fraction | None:
    """Return the value of a number in English words, None for other words."""
    parts = words(TEXT_COMMAND.sub(r"\1", text)).replace("-", " ").split()
    sign = 1
    if parts and parts[0] in ("minus", "negative"):
        sign = -1
        parts = parts[1:]
    if " ".join(parts) in HALVES:
        return sign * HALVES[" ".join(parts)]
    if parts[:1] == ["a"] and len(parts) > 1:
        parts = ["one", *parts[1:]]
    if parts[:1] and parts[0] in MAGNITUDES:
        parts = ["one", *parts]
    if not parts or parts[0] not in COUNTS or parts[-1] == "and":
        return None
    total = 0
    group = 0
    size = None
    for word in parts:
        if word == "and":
            continue
        if word in COUNTS:
            count = COUNTS[word]
            # "twenty five" is 25, but "five twenty" and "three four" are two numbers.
            if size is not None and not (size in range(20, 100, 10) and 0 < count < 10):
                return None
            group += count
            size = count
        elif word in MAGNITUDES and word in ("hundred", "dozen"):
            group = max(group, 1) * MAGNITUDES[word]
            size = None
        elif word in MAGNITUDES:
            total += max(group, 1) * MAGNITUDES[word]
            group = 0
            size = None
        else:
            return None
    return Fraction(sign * (total + group))


def expand_magnitudes(text: str, times: str) -> str:
    """Write magnitudes behind a number in figures: with "*" as `times`, 5 million is 5*1000000."""
    return MAGNITUDE.sub(lambda match: f"{times}{MAGNITUDES[match[1]]} ", text)
