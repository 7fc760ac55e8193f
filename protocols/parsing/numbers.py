"""Read the one number that words state on a scale of 0 to 100.

A rating is one number, stated once, in whatever markup, digits or words.  A bound ("at least 60",
"80%+", "almost 100") names many numbers, a change ("+5", "up 5 points") none, 0.8 alone may mean
80% or less than one percent, and "80% that I lose" is the opposite of a rating: all of these are
missing, with a reason.  No number is clamped or guessed.
"""

from __future__ import annotations

import re
import unicodedata

from arena.grading.number_words import COUNTS, TENS
from arena.types import READ

NUMBER = re.compile(
    r"""(?P<minus>(?<![\w)%])-|\b(?:minus|negative)\s{1,9}+)?
    (?<![\w.]) (?P<number>[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)
    (?: \s{0,9}+(?P<percent>%|per\s?cent\b|pct\b) )?+
    (?: \s{0,9}+\(?(?:/|(?:out\s{1,9}+)?of\b(?:\sa)?(?:\s(?:possible|total\sof))?)
        \s{0,9}+(?P<whole>100|10|1)(?:\.0)?(?!\w|\.\d)%?\)? )?+
    (?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
# Nobody needs so many words to state a number.
LONGEST_WORDS = 2000
DASHES = str.maketrans("–‑﹣—−", "-----")
EMPHASIS = re.compile(r"</?(?:b|i|em|strong|u)>", re.IGNORECASE)
# What says in which unit a number is, and is no number itself.
SCALE = re.compile(
    r"""\(?\s?(?:\b(?:on|in|from|using)\s)?(?:\b(?:a|the)\s)?(?:\bscale\s)?(?:\b(?:of|from)\s)?
    \b0\s?(?:-|to)\s?100\b%?(?:[\s-]scale\b)?\s?\)?""",
    re.IGNORECASE | re.VERBOSE,
)
DECIMAL_COMMA = re.compile(r"(?<![\w.,])([0-9]{1,3}),([0-9])(?=\s?(?:%|per\s?cent|/\s?100\b))")

# Words that bound a number from where they stand: before it, up to three words away, or after it.
BOUNDS = (
    *("less", "more", "fewer", "under", "over", "above", "below", "least", "most", "best", "worst"),
    *("not", "never", "up", "down", "max", "maximum", "maximal", "min", "minimum", "minimal"),
    *(
        "maximally",
        "minimally",
        "excess",
        "upwards",
        "upward",
        "beyond",
        "within",
        "exceed",
        "exceeds",
    ),
    *("exceeding", "exceeded", "higher", "greater", "lower", "better", "larger", "smaller"),
    *("almost", "nearly", "close", "approaching", "approaches", "approach", "barely", "north"),
    *("south", "short", "practically", "virtually", "plus", "increase", "increased", "decrease"),
    *("decreased", "raise", "raised", "lowered", "rose", "rises", "fell", "gained", "added", "add"),
    *("starting", "until", "till", "past", "topping", "tops", "surpasses", "surpassing", "mille"),
    *("neither", "nor", "limit", "cap", "capped", "floor", "ceiling", "anywhere"),
)
WORDS = "|".join(BOUNDS)
BOUND_BEFORE = re.compile(
    rf"(?:\b(?:{WORDS})|n['’]t)\b[,:]?(?:\s{{1,9}}(?!(?:and|since|because|so)\b)[a-z'’]{{1,20}},?)"
    r"{0,3}\s{1,9}[($~]?\Z",
    re.IGNORECASE,
)
BOUND_AFTER = re.compile(
    rf"\s{{0,9}}(?:\+|(?:(?:or|and|at|as|a|an|the|points?|percent|tokens?),?\s{{1,9}}){{0,3}}"
    rf"(?:{WORDS})\b)",
    re.IGNORECASE,
)
# Signs that say the same; a plus may also be a change.
BOUND_SIGN = re.compile(r"[<>≤≥⩽⩾≲≳‰±∓≫≪]|[+＋]\s{0,3}(?=[0-9.])")

# A scale that a label states, from 0 if it gives its end alone.
SCALE_STATED = re.compile(
    r"""(?:out[\s_-]?of|max(?:imum)?|/)[\s="':]{0,4}(?P<end>[0-9]{1,4})
    | (?P<low>[0-9]{1,3})(?:\.0)?\s{0,3}(?:-|to|\.\.)\s{0,3}(?P<high>[0-9]{1,4})""",
    re.IGNORECASE | re.VERBOSE,
)
# Units of which there are not a hundred.
OTHER_UNIT = re.compile(r"[\s-]{0,3}(?:stars?\b|[★☆⭐]|levels?\b|sigmas?\b)", re.IGNORECASE)
# Who or what a number is about that is not one's own rating as it is now.
OPPOSITES_IN_WORDS = (
    "lose losing lost loss defeated wrong incorrect mistaken false fail failing failure opponent"
    " opponents opponent's opponent’s opposing adversary they their theirs them"
)
OPPOSITES = "|".join(OPPOSITES_IN_WORDS.split())
FORMER = "previous|previously|prior|earlier|former|formerly|initial|initially|old"
# Words that turn to a reason, or to whom one wins against.
TURNS = "because|since|as|and|so|but|if|given|beat|beating|defeat|defeating|over|against|than"
OPPOSITE_BEFORE = re.compile(rf"\b(?:{OPPOSITES}|{FORMER})\b[^.,;!?\n]{{0,40}}\Z", re.IGNORECASE)
OPPOSITE_AFTER = re.compile(
    rf"(?:\s{{1,3}}(?!(?:{TURNS})\b)[a-z'’]{{1,20}}){{0,7}}?\s{{1,3}}(?:{OPPOSITES})\b",
    re.IGNORECASE,
)

UNITS = {word: count for word, count in COUNTS.items() if 0 < count < 10}
NUMBER_WORDS = COUNTS | dict.fromkeys(("a hundred", "one hundred", "hundred"), 100)
NUMBER_WORDS |= {
    f"{tens}{gap}{unit}": COUNTS[tens] + count
    for tens in TENS.split()
    for unit, count in UNITS.items()
    for gap in ("-", " ")
}
IN_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})(?![\w]|-\w)",
    re.IGNORECASE,
)
# "No one answered", "one of my best": beside another number this one counts nothing.
PRONOUN = re.compile(
    r"(?<!\bor\s)(?<!\bto\s)(?<!\bpoint\s)(?<!\bminus\s)(?<!\bplus\s)(?<!\btimes\s)one\b"
    rf"(?!\s?(?:%|/|per\s?cent\b|pct\b|(?:to|or|in|out|half|point\s(?:{'|'.join(COUNTS)}))\b))",
    re.IGNORECASE,
)


def number_in(words: str) -> tuple[float | None, str]:
    """Read (confidence in [0, 1] or None, status) from the words that state a rating.

    Read are "75", "72.5", "72,5 %", "75%", "75 percent", "75/100", "7.5 out of 10", "0.75/1",
    "75 on a scale of 0 to 100", "seventy-five", digits of every script, and these with words around
    them.  A bare number above 0 and up to 1 is not, unless it stands beside its own percentage:
    "0.75" may mean three quarters or less than one percent, and "1" certainty or one percent.
    `status` is "read", "no number", "several numbers", "out of range" or "ambiguous scale".
    """
    if (whole := NUMBER.fullmatch(words)) is not None and words.isascii():
        return confidence_of(whole)
    if len(words) > LONGEST_WORDS:
        return None, "no number"
    words = SCALE.sub(" ", with_plain_digits(words))
    # Digits that remain are part of something like "1e2", or of a fraction in one sign.
    if any(character.isnumeric() for character in NUMBER.sub("", words)):
        return None, "no number"
    matches = list(NUMBER.finditer(words))
    if not matches:
        return None, "no number"
    if BOUND_SIGN.search(words) or any(is_bound(words, match) for match in matches):
        return None, "several numbers"
    if any(OTHER_UNIT.match(words, match.end()) for match in matches):
        return None, "ambiguous scale"
    if any(is_opposite(words, match) for match in matches):
        return None, "no number"
    return agreed(matches)


def number_on(scale: str | None, words: str) -> tuple[float | None, str]:
    """Read a number as `number_in` does, on the scale that its label states, if it states one.

    A scale of 0 to 100, 10 or 1 is used; on any other, or one that begins at 1, as "1-5", a bare
    number has an "ambiguous scale".
    """
    stated = SCALE_STATED.search(with_plain_digits(scale or ""))
    if stated is None or len(words) > LONGEST_WORDS:
        return number_in(words)
    words = with_plain_digits(words)
    ends = stated["low"] or "0", stated["end"] or stated["high"]
    bare = [each for each in NUMBER.finditer(words) if not (each["percent"] or each["whole"])]
    if ends in (("0", "100"), ("1", "100")) or not bare:
        return number_in(words)
    if ends not in (("0", "10"), ("0", "1")):
        return None, "ambiguous scale"
    for number in reversed(bare):
        words = f"{words[: number.end()]} out of {ends[1]}{words[number.end() :]}"
    return number_in(words)


def with_plain_digits(words: str) -> str:
    """Return the words with one kind of digits, dashes and commas, and number words as digits."""
    if not words.isascii():
        # Each letter for itself: the compatibility form of a sign like a half has several.
        words = "".join(
            str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in words
        )
        words = words.translate(DASHES).replace("％", "%").replace("٪", "%").replace("＋", "+")
    words = EMPHASIS.sub(" ", words).replace("*", "").replace("`", "")
    words = DECIMAL_COMMA.sub(r"\1.\2", words)
    others = IN_WORDS.sub(lambda word: word[0] if is_pronoun(word) else digits_of(word), words)
    return others if re.search(r"[0-9]", others) else IN_WORDS.sub(digits_of, others)


def digits_of(word: re.Match[str]) -> str:
    """Return a number word in digits."""
    return str(NUMBER_WORDS[word[0].lower()])


def is_pronoun(word: re.Match[str]) -> bool:
    """Return whether a number word is a "one" that may count nothing."""
    return word[0].lower() == "one" and PRONOUN.match(word.string, word.start()) is not None


def is_bound(words: str, number: re.Match[str]) -> bool:
    """Return whether words around a number bound it, deny it, or make a change of it."""
    before = words[max(0, number.start() - 80) : number.start()]
    after = words[number.end() : number.end() + 80]
    return bool(BOUND_BEFORE.search(before) or BOUND_AFTER.match(after))


def is_opposite(words: str, number: re.Match[str]) -> bool:
    """Return whether a number is said of losing, of an opponent, or of an earlier rating."""
    before = words[max(0, number.start() - 80) : number.start()]
    return bool(OPPOSITE_BEFORE.search(before) or OPPOSITE_AFTER.match(words, number.end()))


def agreed(matches: list[re.Match[str]]) -> tuple[float | None, str]:
    """Return the one value that all numbers state, or why there is none."""
    read = {confidence_of(match) for match in matches}
    if len(read) > 1:
        # A probability beside its own percentage, as in 0.85 (85%), is no second number.
        bare = {round(float(match["number"]), 9) for match in matches if is_ambiguous(match)}
        read = {each for each in read if each[1] != "ambiguous scale"}
        if bare and {value for value, _ in read} != bare:
            return None, "several numbers"
    return read.pop() if len(read) == 1 else (None, "several numbers")


def is_ambiguous(match: re.Match[str]) -> bool:
    """Return whether a number may be a probability as well as a percentage."""
    return confidence_of(match)[1] == "ambiguous scale"


def confidence_of(match: re.Match[str]) -> tuple[float | None, str]:
    """Return (confidence in [0, 1] or None, status) of one number with its sign and scale."""
    value = float(match["number"]) / int(match["whole"] or 100)
    if value > 1 or (match["minus"] and value > 0):
        return None, "out of range"
    if 0 < value <= 0.01 and not (match["percent"] or match["whole"]):
        return None, "ambiguous scale"
    # Rounded, so that one confidence in two notations is one member of a set of readings.
    return round(value, 9), READ
