r"""Decide whether an answer is right: by rule, by math-verify, or by the letters of words.

Source: the grader of "Learning from Peers in Reasoning Models" (arXiv 2505.07787) and its faults:
it took `x+1` for `x+1+y` (substrings), `3, 4` for 34 (commas removed), and `0.25`, `\text{204}`,
`m+n=204`, `2{,}304`, `321_{10}` and `110/2` for wrong.

The rules apply in this order.  Options: a letter alone ("B", "(b)", `\text{B}`) or the text of an
option; identical options are equally right.  Numbers: an integer, decimal, fraction or mixed
number, bare or in dollars, a box or `\text{}`; with leading zeros, a sign, a currency sign, commas
between groups of three digits and a full stop at the end; in an answer also `m+n=204`, `204\text{
minutes}`, `73^\circ`, `321_{10}`.  Two integers are the same or not, and equal fractions are the
same.  Mathematics that is no such number goes to math-verify, which leaves out units and percent
signs (5 m is 5 km, 50% is 50) and takes 0.333333 for 1/3.  If the gold answer is words, the answer
must be these words, apart from case, white space, punctuation and a leading article.

An answer that cannot be decided is None with a reason, never wrong: no answer, one of more than
1,000 characters, one that no comparison survives.
"""

from __future__ import annotations

import asyncio
import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from arena.errors import StudyError
from arena.grading.math_verify import compare
from arena.types import Subject

LONGEST = 1000
LETTERS = string.ascii_uppercase
GRADED = "graded"

# True if right, False if wrong, None if it cannot be decided.
Grader = Callable[[Subject, str], bool | None]

# Full-width characters become ASCII, the minus sign a hyphen.  Digits of other scripts stay.
WIDE = {0xFF01 + n: 0x21 + n for n in range(94)} | {ord("−"): "-", 0x3000: " "}
WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
COMMAND = re.compile(
    r"\\(?:boxed|fbox|text|textbf|textrm|textit|mathrm|mathbf|mbox)\s*(?=\{)|(?=\{)"
)
THOUSANDS = re.compile(r"(?<=[0-9])(?:\{,\}|\\,|\\!|,\\!)(?=[0-9]{3}(?![0-9]))")
DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
# \frac{1}{2} and \frac12, in verbose syntax.
FRACTION = (
    r"\\[dtc]?frac\s* (?:\{\s*(?P<minus>-?)(?P<top>[0-9]+)\s*\}|(?P<digit>[0-9]))"
    r" \s* (?:\{\s*(?P<bottom>[0-9]+)\s*\}|(?P<last>[0-9]))"
)
NUMBER = re.compile(
    rf"""(?P<sign>[-+]?) \s* (?:\\?\$)? \s* (?:
        (?P<whole>{DIGITS})(?P<decimals>\.[0-9]*)? | (?P<point>\.[0-9]+)
        | (?:(?P<mixed>[0-9]+)\s+)? (?P<over>{DIGITS}) \s*/\s* (?P<under>{DIGITS})
        | (?P<units>[0-9]*) \s* {FRACTION}
    )""",
    re.VERBOSE,
)
MAGNITUDES = dict(
    dozen=12, hundred=100, thousand=10**3, million=10**6, billion=10**9, trillion=10**12
)
MAGNITUDE = re.compile(
    rf"(?<=[0-9])\s*(?:\\(?:text|mathrm)\s*\{{)?\s*({'|'.join(MAGNITUDES)})\b\s*\}}?"
)
LEFT_SIDE = re.compile(r"[A-Za-z_+(){}\\ ]*[A-Za-z}][)}\s]*(?<!\\neq)(?<!\\ne)\s*=\s*(?=[^=]*\Z)")
# Words in \text{} that make it another number, or no number.
OTHER_WORDS = "half|percent|squared|cubed|factorial|or|and|not|more|less"
NO_UNIT = rf"(?![^{{}}]*\b(?:{'|'.join(MAGNITUDES)}|{OTHER_WORDS})\b)"
UNIT_WORDS = rf"\\(?:text|mathrm)\s*\{{{NO_UNIT}[A-Za-z .]*\}}"
DEGREES_OR_BASE = r"\^\s*\{?\s*\\circ\s*\}?|°|_\s*\{?10\}?"
UNIT = re.compile(rf"(?<=[0-9}}])\s*(?:\\[,;: ]|~)?\s*(?:{UNIT_WORDS}|{DEGREES_OR_BASE})\Z")
SPACING = re.compile(r"(?:\\[,;:! ]|\\(?:left|right|displaystyle)(?![A-Za-z])|~|\s)+")
TEXT = re.compile(r"\\(?:text|textbf|textrm|mbox)\s*\{([^{}]*)\}")
FUNCTIONS = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh"
    " log ln exp sqrt pi min max gcd lcm mod det"
)
BETWEEN = re.compile(r"\s*([-+*/^_=<>|,()])\s*")
WORD = re.compile(r"(?:(?<=\s)|\A)[A-Za-z]{2,}(?=[\s.,;:!?]|\Z)|[A-Za-z]{4,}")
SIGNS = re.compile(r"[0-9\\^_=+*/<>|√π∞]|\A-|(?<=\b[A-Za-z])-(?=[A-Za-z]\b)")
NUMBERS_SIDE_BY_SIDE = re.compile(r"[0-9][\s~]+[0-9]+(?!\s*/|[0-9])")
PUNCTUATION = re.compile(r"[.,;:!?\"'`()\[\]{}«»“”‘’…_]")


@dataclass(frozen=True, slots=True)
class Grade:
    """The grade of an answer.

    `correct` is None if it cannot be decided; `status` is "graded" or the reason; `canonical` is
    the answer's value for votes.
    """

    correct: bool | None
    status: str
    canonical: str | None


def grade(subject: Subject, answer: str | None, *, by: Grader | None = None) -> Grade:
    """Grade an answer against `subject.gold` by the rules above, or by a function of your own.

    `by` gets the subject and any answer that is not blank, of any length, and returns True, False,
    or None if it cannot tell.  `status` is "graded", "no answer", "no gold answer", "no such
    option", "longer than 1,000 characters", "braces do not match", "numbers side by side", "not
    told" (by your function), or, of math-verify, "the comparison took too long" or "the comparison
    broke down".

    Blocks while math-verify works, 3 s at most and a few milliseconds as a rule; in async code use
    `grade_async`.  Raises StudyError if the gold answer of a question with options names none of
    them, and if math-verify is needed and not installed.
    """
    by_rule = _by_rule(subject, answer, by)
    return by_rule if isinstance(by_rule, Grade) else by_rule()


async def grade_async(subject: Subject, answer: str | None, *, by: Grader | None = None) -> Grade:
    """Do the same as `grade` in async code: slow comparisons run in a thread, one after another."""
    by_rule = _by_rule(subject, answer, by)
    if isinstance(by_rule, Grade):
        return by_rule
    return await asyncio.get_running_loop().run_in_executor(_THREAD, by_rule)


# A thread of its own: hostile answers may take seconds each, and the threads of the event loop also
# resolve the names of servers.
_THREAD = ThreadPoolExecutor(1, "grading")


def canonical(answer: str, choices: Sequence[str] = ()) -> str:
    r"""Return the value by which votes for answers are counted.

    "025", "25.0" and `\boxed{25}` are "25", "0.5" and `\frac{1}{2}` are "1/2".  With `choices` it
    is the letter of an option, the first of identical ones.  Other mathematics loses its white
    space, words are as they are compared.  The gold answer is not known here, so that right answers
    gain no votes by it; `\sqrt2` and `2^{1/2}` are two values.  An answer of more than 1,000
    characters is its own value.
    """
    if len(answer) > LONGEST:
        return answer
    if choices and (letter := _letter(answer, choices)) is not None:
        return letter
    text = _unwrap(answer)
    number = _number(text, loose=True)
    if number is not None:
        return str(number)
    return _compact(text) if _is_mathematics(text) else _words(text)


def _by_rule(
    subject: Subject, answer: str | None, by: Grader | None
) -> Grade | Callable[[], Grade]:
    """Return the grade, or the function that finds it if that takes time."""
    if answer is None or not answer.strip():
        return Grade(None, "no answer", None)
    vote = canonical(answer, subject.choices) if len(answer) <= LONGEST else None
    if by is not None:
        return partial(_by_function, by, subject, answer, vote)
    if subject.gold is None or not subject.gold.strip():
        return Grade(None, "no gold answer", vote)
    if vote is None:
        return Grade(None, f"longer than {LONGEST:,} characters", None)
    if subject.choices:
        return _by_letter(subject, answer, vote)
    gold = _unwrap(subject.gold)
    text = _unwrap(answer)
    right = _number(gold, loose=False)
    number = _number(text, loose=True)
    if right is not None and number is not None:
        whole = right.denominator == number.denominator == 1
        # Unequal fractions go on to math-verify, which takes 0.333333 for 1/3.
        if whole or right == number:
            return Grade(right == number, GRADED, vote)
    if not _is_mathematics(gold):
        return Grade(_words(gold) == _words(text), GRADED, vote)
    if _compact(gold) == _compact(text):
        return Grade(True, GRADED, vote)
    if NUMBERS_SIDE_BY_SIDE.search(text):
        return Grade(None, "numbers side by side", vote)
    closed = _close_braces(text)
    if closed is None:
        return Grade(None, "braces do not match", vote)
    return partial(_by_mathematics, gold, closed, vote)


def _by_function(by: Grader, subject: Subject, answer: str, vote: str | None) -> Grade:
    """Return the grade by the user's function."""
    correct = by(subject, answer)
    return Grade(correct, GRADED if correct is not None else "not told", vote)


def _by_letter(subject: Subject, answer: str, vote: str) -> Grade:
    """Grade an answer to a question with options."""
    right = _letter(subject.gold or "", subject.choices)
    if right is None:
        raise StudyError(
            f"the gold answer {subject.gold!r} names none of the {len(subject.choices)} options"
            f" of {subject.text[:80]!r}"
        )
    letter = _letter(answer, subject.choices)
    if letter is None:
        return Grade(None, "no such option", vote)
    return Grade(letter == right, GRADED, vote)


def _by_mathematics(gold: str, answer: str, vote: str) -> Grade:
    """Grade by math-verify; a gold answer that it cannot read is compared as words."""
    outcome = compare(_expand_magnitudes(gold), _expand_magnitudes(answer))
    if outcome == "unread":
        return Grade(_words(gold) == _words(answer), GRADED, vote)
    if outcome in ("equal", "different"):
        return Grade(outcome == "equal", GRADED, vote)
    return Grade(None, outcome, vote)


def _letter(answer: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the option that an answer names by letter or text.

    Of identical options it is the first; None if the answer names no option, or two.
    """
    text = _unwrap(answer)
    letter = re.fullmatch(r"\(?\s*([A-Za-z])\s*[).:]*", text)
    if letter is not None and LETTERS.index(letter[1].upper()) < len(choices):
        named = {choices[LETTERS.index(letter[1].upper())]}
    else:
        named = {choice for choice in choices if canonical(choice) == canonical(answer)}
    return LETTERS[list(choices).index(named.pop())] if len(named) == 1 else None


def _unwrap(answer: str) -> str:
    """Return a text without invisible characters and without wrappers around the whole of it."""
    # Category Cf holds zero-width and direction marks.
    visible = [c for c in answer.translate(WIDE) if unicodedata.category(c) != "Cf"]
    text = "".join(" " if c.isspace() else c for c in visible).strip()
    for _ in range(20):  # wrappers in wrappers, but not a thousand of them
        inner = _strip_wrapper(text)
        if inner == text:
            break
        text = inner
    return text


def _strip_wrapper(text: str) -> str:
    """Return a text without its outermost wrapper or its full stop, or as it is."""
    for opening, closing in WRAPPERS:
        inner = text[len(opening) : -len(closing)]
        wrapped = text.startswith(opening) and text.endswith(closing)
        if inner and wrapped and opening not in inner and closing not in inner:
            return inner.strip()
    command = COMMAND.match(text)
    if command is not None and (inside := _braced_text(text, command.end())) is not None:
        return inside.strip()
    return text[:-1].rstrip() if text.endswith(".") and text.strip(". ") else text


def _braced_text(text: str, opening: int) -> str | None:
    """Return the text in the braces that open here and close with the text's end, or never.

    None if they close before, or hold nothing.
    """
    depth = 0
    for match in re.finditer(r"\\.|([{}])", text[opening:]):
        depth += {"{": 1, "}": -1}.get(match[1] or "", 0)
        if match[1] and depth == 0:
            return text[opening + 1 : -1] or None if opening + match.end() == len(text) else None
    return text[opening + 1 :] or None


def _close_braces(text: str) -> str | None:
    """Close the braces that an answer which was cut off left open.

    None if one closes that was never opened.
    """
    depth = 0
    for match in re.finditer(r"\\.|([{}])", text):
        depth += {"{": 1, "}": -1}.get(match[1] or "", 0)
        if depth < 0:
            return None
    return text + "}" * depth


def _number(text: str, *, loose: bool) -> Fraction | None:
    """Return the value of a bare text that is a plain number, else None.

    `loose` also accepts a left side, a unit, degrees or the base ten, and leaves them out.
    """
    # LaTeX has several commas of thousands: {,} and \, and ,\!
    text = THOUSANDS.sub(",", text)
    if loose:
        text = UNIT.sub("", LEFT_SIDE.sub("", text, count=1) if LEFT_SIDE.match(text) else text)
        text = _unwrap(text) if text[:1] in "$\\" else text
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    part = {name: (value or "").replace(",", "") for name, value in match.groupdict().items()}
    # Two signs cancel out: one before the number, one in the numerator.
    sign = -1 if (part["sign"] == "-") != (part["minus"] == "-") else 1
    under = part["under"] or part["bottom"] or part["last"]
    if not under:
        digits = (part["whole"] or "0") + (part["decimals"].rstrip(".") or part["point"])
        return sign * Fraction(digits)
    mixed = part["mixed"] or part["units"]
    over = part["over"] or part["top"] or part["digit"]
    # No value: a division by zero, and a mixed number with a minus in its fraction.
    if int(under) == 0 or (mixed and part["minus"]):
        return None
    return sign * (int(mixed or 0) + Fraction(int(over), int(under)))


def _compact(text: str) -> str:
    """Return a bare text of mathematics without white space, except between two numbers."""
    spaced = SPACING.sub(" ", re.sub(r"\\[dt]frac", r"\\frac", text))
    return re.sub(r"(?<![0-9]) | (?![0-9])", "", spaced)


def _expand_magnitudes(text: str) -> str:
    r"""Write magnitudes in figures, since math-verify takes `\text{ million}` for a unit."""
    return MAGNITUDE.sub(lambda match: rf" \times {MAGNITUDES[match[1]]} ", text)


def _is_mathematics(text: str) -> bool:
    r"""Tell whether a bare text is an expression.

    It has a digit, a command or a sign of mathematics, and no word outside of `\text{}`.
    """
    outside = BETWEEN.sub(r"\1", TEXT.sub(" ", text))
    if not SIGNS.search(outside) or re.search(r"(?<![\\A-Za-z])[A-Za-z][0-9]", outside):
        return False
    plain = re.sub(r"\\[A-Za-z]+", " ", outside)
    return set(WORD.findall(plain)) <= set(FUNCTIONS.split())


def _words(text: str) -> str:
    """Return a text as words are compared; the text itself if nothing would be left.

    Small letters, single spaces, no punctuation, no leading article.
    """
    # Not NFKC, which makes 52 of a five squared.
    text = unicodedata.normalize("NFC", TEXT.sub(r" \1 ", text)).casefold()
    plain = re.sub(r"(?<=\w)[-–—](?=\w)", " ", PUNCTUATION.sub("", text))
    return re.sub(r"\A(?:the|an|a) (?=\S)", "", " ".join(plain.split())) or text.strip()
