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

PARTS = "half third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
DENOMINATORS = {word: n for n, word in enumerate(PARTS.split(), 2)}
DENOMINATORS |= {"quarter": 4, "hundredth": 100, "thousandth": 1000, "halve": 2}
NUMBER_WORD = "|".join(
    [
        *(f"{word}s?" for word in DENOMINATORS),
        *COUNTS,
        *MAGNITUDES,
        "minus",
        "negative",
        "and",
        "an?",
    ]
)
WORD_NUMBER = re.compile(rf"(?:(?:{NUMBER_WORD})(?:\s+|-|\Z|(?=[^\w])))+", re.I)

ARTICLE = re.compile(r"\s*an?\s", re.I)


def spelt_number(text: str) -> Fraction | None:
    """Return the value of a number in English words, None for other words."""
    parts = words(TEXT_COMMAND.sub(r"\1", text)).replace("-", " ").split()
    sign = 1
    if parts and parts[0] in ("minus", "negative"):
        sign = -1
        parts = parts[1:]
    # The article of "a quarter" is no word of an answer; "third" alone is the third one.
    if len(parts) == 1 and ARTICLE.match(text):
        parts = ["a", *parts]
    denominator = DENOMINATORS.get(parts[-1].removesuffix("s")) if parts else None
    if denominator is not None:
        return _spelt_fraction(parts[:-1], denominator, sign)
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
            if size is not None:  # "two hundred and five", but not "five and two"
                return None
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


def _spelt_fraction(parts: list[str], denominator: int, sign: int) -> Fraction | None:
    """Return half, three quarters, or one and a half; "third" alone is no number."""
    if "and" in parts:
        place = len(parts) - 1 - parts[::-1].index("and")
        whole = spelt_number(" ".join(parts[:place]))
        part = _spelt_fraction(parts[place + 1 :], denominator, 1)
        return None if whole is None or part is None else sign * (whole + part)
    if parts in (["a"], ["one"]) or (not parts and denominator == 2):
        return sign * Fraction(1, denominator)
    top = spelt_number(" ".join(parts)) if parts else None
    return None if top is None else sign * top / denominator


def expand_magnitudes(text: str, times: str) -> str:
    """Write magnitudes behind a number in figures: with "*" as `times`, 5 million is 5*1000000."""
    return MAGNITUDE.sub(lambda match: f"{times}{MAGNITUDES[match[1]]} ", text)
