r"""Decide whether an answer is right: by letters, values or words, or by math-verify.

Source: the grader of "Learning from Peers in Reasoning Models" (arXiv 2505.07787) and its faults:
it took `x+1` for `x+1+y` (substrings), `3, 4` for 34 (commas removed), and `0.25`, `\text{204}`,
`m+n=204`, `2{,}304`, `321_{10}` and `110/2` for wrong.

The rules apply in this order.  Options: a letter ("B", "(b)", "B) gold") or the text of an option;
identical options are equally right.  Booleans: true and yes are one answer, false and no the other.
Values (arena/grading/values.py): numbers with or without a unit, closed expressions, formulas,
tuples, sets and intervals, compared as arena/grading/comparison.py says; the spelling (markdown,
LaTeX styles, boxes, units, currency signs, scripts) plays no part.  Words: the answer must be the
gold answer's words, apart from case, white space, punctuation and a leading article.  Other
mathematics (equations, matrices, sums) goes to math-verify.

An answer that cannot be decided is None with a reason, never wrong: no answer, one of more than
1,000 characters, one that no comparison survives, or one with two readings, one of which is right.
"""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from arena.errors import StudyError
from arena.grading.comparison import (
    GRADED,
    RIGHT,
    TOO_LARGE,
    UNDECIDED,
    WRONG,
    Outcome,
    compare_values,
)
from arena.grading.math_verify import CHILDREN, compare
from arena.grading.number_words import WORD_NUMBER, expand_magnitudes, spelt_number
from arena.grading.second_readings import is_foreign_number, second_readings, without_accents
from arena.grading.spelling import close_braces, unwrap, words
from arena.grading.units import OPPOSITES
from arena.grading.value_type import Value
from arena.grading.values import read_unwrapped
from arena.types import Subject

LONGEST = 1000
LETTERS = string.ascii_uppercase

# True if right, False if wrong, None if it cannot be decided.
Grader = Callable[[Subject, str], bool | None]

WHOLE = re.compile("[0-9]{1,18}", re.ASCII)
BOOLEANS = {"true": "true", "yes": "true", "false": "false", "no": "false"}
BOOLEAN_FIRST = re.compile(r"(true|yes|false|no)\b\s*[,.;:!(—–-](?!\s*[0-9])", re.I)
# In "Yes, there is no doubt" no is no answer; "wait" takes back what was said.
BOOLEAN_LATER = re.compile(
    r"\b(?:true|yes|false|no(?!\s+\w)|wait|scratch that|correction|on second thought)\b", re.I
)
SPACING = re.compile(r"(?:\\[,;:! ]|\\(?:left|right|displaystyle)(?![A-Za-z])|~|\s)+")
TEXT = re.compile(r"\\(?:text|textbf|textrm|mbox)\s*\{([^{}]*)\}")
# A matrix is mathematics whatever its environment is called.
ENVIRONMENT = re.compile(r"(\\(?:begin|end))\s*\{[a-z]*\*?\}(?:\{[a-z| ]*\})?")
FUNCTIONS = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh"
    " log ln exp sqrt pi min max gcd lcm mod det"
)
BETWEEN = re.compile(r"\s*([-+*/^_=<>|,()])\s*")
WORD = re.compile(r"(?:(?<=\s)|\A)[A-Za-z]{2,}(?=[\s.,;:!?]|\Z)|[A-Za-z]{4,}")
SIGNS = re.compile(r"[0-9\\^_=+*/<>|√π∞]|\A-|(?<=\b[A-Za-z])-(?=[A-Za-z]\b)")
COMMAND = re.compile(r"\\[A-Za-z]+")
LETTER_AND_DIGIT = re.compile("(?<![A-Za-z])[A-Za-z][0-9]")
NUMBERS_SIDE_BY_SIDE = re.compile(r"[0-9][\s~]+[0-9]+(?!\s*/|[0-9])")
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+|/[0-9]+)?")
LETTER = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?\s*([A-Za-z])\s*[)\].:]*", re.IGNORECASE
)
LETTER_AND_TEXT = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?\s*([A-Z])\s*[)\].:-]+\**\s*(\S.*)", re.DOTALL
)
AMONG_WORDS: Outcome = (None, "words beside the number")
NO_BOOLEAN: Outcome = (None, "neither true nor false")
TWO_READINGS: Outcome = (None, "right in one of two readings")
ACCENTS: Outcome = (None, "the same words but for accents")
FOREIGN: Outcome = (None, "a number in signs that are no digits")


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

    Where `subject.accepted` holds further right answers, any of them is right.  `by` gets the
    subject and any answer that is not blank, of any length, and returns True, False, or None if it
    cannot tell.  `status` is "graded", "no answer", "no gold answer", "no such option", "longer
    than 1,000 characters", "braces do not match", "numbers side by side", "a rounded number",
    "another unit", "a percent sign that the gold answer lacks", "a unit or a variable", "in another
    order", "a ratio in other terms", "an equation of different numbers", "right in one of two
    readings", "words beside the number", "neither true nor false", "too large to be computed", "not
    told" (by your function), or, of math-verify, "the comparison took too long" or "the comparison
    broke down".

    Blocks while math-verify works, 3 s at most and a few milliseconds as a rule; in async code use
    `grade_async`.  Raises StudyError if the gold answer of a question with options names none of
    them, and if math-verify is needed and not installed.
    """
    by_rule = _by_rule(subject, answer, by)
    return by_rule if isinstance(by_rule, Grade) else by_rule()


async def grade_async(subject: Subject, answer: str | None, *, by: Grader | None = None) -> Grade:
    """Do the same as `grade` in async code: slow comparisons run in threads, a few at once."""
    by_rule = _by_rule(subject, answer, by)
    if isinstance(by_rule, Grade):
        return by_rule
    return await asyncio.get_running_loop().run_in_executor(_THREADS, by_rule)


# Threads of their own: hostile answers may take seconds each, and the threads of the event loop
# also resolve the names of servers.
_THREADS = ThreadPoolExecutor(CHILDREN, "grading")


def canonical(answer: str, choices: Sequence[str] = ()) -> str:
    r"""Return the value by which votes for answers are counted.

    It is a function of this answer alone, so that votes form classes that hang on no other reply
    and on no order.  "025", "25.0" and `\boxed{25}` are "25", "0.5" and `\frac{1}{2}` are "1/2",
    `\sqrt2` and `2^{1/2}` are one number.  Units and percent signs are left out: "50%" and "50" are
    one vote, and so are "5 m" and "5 km".  `(3, 4)`, `3, 4` and `x=3, y=4` are one pair, and a set
    is the tuple of its members by size.  True and yes are one answer.  With `choices` it is the
    letter of an option, the first of identical ones.  Other mathematics loses its white space,
    words are as they are compared.

    The gold answer is not known here, so that right answers gain no votes by it.  Answers that are
    graded alike are one vote, except those that only the gold answer connects: a quantity in two
    units (5 km and 5000 m, 50% and 0.5), a list without brackets in two orders, and equations that
    only math-verify compares.  An answer of more than 1,000 characters is its own value.
    """
    if len(answer) > LONGEST:
        return answer
    if choices and (letter := _letter(answer, choices)) is not None:
        return letter
    if WHOLE.fullmatch(answer):  # most answers of most benchmarks, in a hundredth of the time
        return str(int(answer))
    text = unwrap(answer)
    boolean = _boolean(text)
    if boolean is not None:
        return boolean
    value = read_unwrapped(text)
    if value is not None:
        return value.key
    return _compact(text) if _is_mathematics(text) else words(text)


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
    found = [_outcome(gold, answer) for gold in (subject.gold, *subject.accepted)]
    known = [outcome for outcome in found if isinstance(outcome, tuple)]
    if len(known) == len(found) or RIGHT in known:
        return Grade(*_any_of(known), vote)
    return partial(_by_comparison, found, vote)


def _any_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome for several right answers: one is enough, and one may not be told."""
    if RIGHT in outcomes:
        return RIGHT
    return next((outcome for outcome in outcomes if outcome[0] is None), WRONG)


def _by_comparison(found: Sequence[Outcome | Callable[[], Outcome]], vote: str) -> Grade:
    """Return the grade after the comparisons that take time."""
    outcomes = [outcome if isinstance(outcome, tuple) else outcome() for outcome in found]
    return Grade(*_any_of(outcomes), vote)


def _by_function(by: Grader, subject: Subject, answer: str, vote: str | None) -> Grade:
    """Return the grade by the user's function."""
    correct = by(subject, answer)
    return Grade(correct, GRADED if correct is not None else "not told", vote)


def _by_letter(subject: Subject, answer: str, vote: str) -> Grade:
    """Grade an answer to a question with options."""
    golds = (subject.gold or "", *subject.accepted)
    right = {_letter(gold, subject.choices) for gold in golds}
    if None in right:
        raise StudyError(
            f"the gold answer {subject.gold!r} names none of the {len(subject.choices)} options"
            f" of {subject.text[:80]!r}"
        )
    letter = _letter(answer, subject.choices)
    if letter is None:
        return Grade(None, "no such option", vote)
    return Grade(letter in right, GRADED, vote)


def _outcome(gold_answer: str, answer: str) -> Outcome | Callable[[], Outcome]:
    """Compare an answer with one gold answer; a function where math-verify is needed."""
    if WHOLE.fullmatch(gold_answer) and WHOLE.fullmatch(answer):
        return RIGHT if int(gold_answer) == int(answer) else WRONG
    gold = unwrap(gold_answer)
    text = unwrap(answer)
    if _compact(gold) == _compact(text):
        return RIGHT
    truth = BOOLEANS.get(words(gold))
    if truth is not None:
        said = _boolean(text)
        return NO_BOOLEAN if said is None else RIGHT if said == truth else WRONG
    outcome = _by_value(gold, text)
    if outcome not in (WRONG, UNDECIDED):
        return outcome
    golds = [gold, *second_readings(gold)]
    texts = [text, *second_readings(text)]
    if any(_by_value(one, other) == RIGHT for one in golds for other in texts):
        return TWO_READINGS
    return outcome if outcome == WRONG else _undecided(gold, text)


def _by_value(gold: str, text: str) -> Outcome:
    """Compare two unwrapped texts by their values, or as words; UNDECIDED for other mathematics."""
    right = read_unwrapped(gold)
    value = read_unwrapped(text)
    if value is not None and value.kind == "too large" and (right or _is_mathematics(gold)):
        return TOO_LARGE
    if right is not None and value is not None:
        return compare_values(right, value)
    if right is not None and right.kind == "number" and not _is_mathematics(text):
        return _number_among_words(right, text)
    if right is not None or _is_mathematics(gold):
        return UNDECIDED
    if words(gold) == words(text):
        return RIGHT
    if without_accents(words(gold)) == without_accents(words(text)):
        return ACCENTS
    # "18 Large Eggs" beside 18: the gold answer may mean no more than the number.
    bare = value is not None and value.kind == "number" and value.unit is None
    return _number_among_words(value, gold) if value is not None and bare else WRONG


def _undecided(gold: str, text: str) -> Outcome | Callable[[], Outcome]:
    """Return the function that asks math-verify, or why it is not asked."""
    if NUMBERS_SIDE_BY_SIDE.search(text):
        return None, "numbers side by side"
    # x2 is 2x, x_2 or x^2; in `\sqrt2` and `\frac12` the digits belong to a command.
    if any(LETTER_AND_DIGIT.search(COMMAND.sub(" ", each)) for each in (gold, text)):
        return TWO_READINGS
    closed = close_braces(text)
    if closed is None:
        return None, "braces do not match"
    return partial(_by_mathematics, gold, closed)


def _number_among_words(number: Value, text: str) -> Outcome:
    """Tell words that hold a number ("maybe 3") from words that do not."""
    if NUMBERS_SIDE_BY_SIDE.search(text):
        return None, "numbers side by side"
    found = [match[0] for match in NUMBER.finditer(text)]
    values = [value.key for each in found if (value := read_unwrapped(each)) is not None]
    spelt = [spelt_number(match[0].strip(" -")) for match in WORD_NUMBER.finditer(text)]
    values += [str(each) for each in spelt if each is not None]
    if not OPPOSITES.isdisjoint(words(text).split()) and number.number is not None:
        values += [str(-Fraction(value)) for value in values]
    if is_foreign_number(text):
        return FOREIGN
    return AMONG_WORDS if number.key in values else WRONG


def _by_mathematics(gold: str, answer: str) -> Outcome:
    """Compare by math-verify; a gold answer that it cannot read is compared as words."""
    # math-verify takes `\text{ million}` for a unit.
    outcome = compare(*(expand_magnitudes(text, r" \times ") for text in (gold, answer)))
    if outcome == "unread":
        return RIGHT if words(gold) == words(answer) else WRONG
    if outcome in ("equal", "different"):
        return RIGHT if outcome == "equal" else WRONG
    return None, outcome


def _boolean(text: str) -> str | None:
    """Return "true" or "false" for a text that says no more than that, or that first.

    None if it takes it back: "No, wait, yes".
    """
    found = BOOLEANS.get(words(text))
    first = BOOLEAN_FIRST.match(text)
    if found is not None or first is None:
        return found
    said = BOOLEANS[first[1].lower()]
    later = {BOOLEANS.get(again[0].lower()) for again in BOOLEAN_LATER.finditer(text, first.end())}
    return said if later <= {said} else None


def _letter(answer: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the option that an answer names by letter, text or both.

    Of identical options it is the first; None if the answer names no option, or two.
    """
    text = unwrap(answer)
    letter = LETTER.fullmatch(text)
    if letter is not None and LETTERS.index(letter[1].upper()) < len(choices):
        named = {choices[LETTERS.index(letter[1].upper())]}
    else:
        named = _named_by_text(text, choices)
        both = LETTER_AND_TEXT.fullmatch(text)
        if not named and both is not None and LETTERS.index(both[1]) < len(choices):
            # "B) gold": the letter and the text must be of one option.
            named = {choices[LETTERS.index(both[1])]} & _named_by_text(unwrap(both[2]), choices)
    return LETTERS[list(choices).index(named.pop())] if len(named) == 1 else None


def _named_by_text(text: str, choices: Sequence[str]) -> set[str]:
    """Return the options that a text names: those of the same words, else of the same value."""
    alike = {choice for choice in choices if _compact(unwrap(choice)) == _compact(text)}
    if alike:
        return alike
    alike = {choice for choice in choices if _outcome(choice, text) == RIGHT}
    return alike


def _compact(text: str) -> str:
    """Return a bare text of mathematics without white space, except between two numbers."""
    spaced = SPACING.sub(" ", re.sub(r"\\[dt]frac", r"\\frac", text))
    return re.sub(r"(?<![0-9.,]) | (?![0-9])", "", spaced)


def _is_mathematics(text: str) -> bool:
    r"""Tell whether a bare text is an expression.

    It has a digit, a command or a sign of mathematics, and no word outside of `\text{}`.
    """
    outside = BETWEEN.sub(r"\1", TEXT.sub(" ", ENVIRONMENT.sub(r"\1", text)))
    if not SIGNS.search(outside) or re.search(r"(?<![\\A-Za-z])[A-Za-z][0-9]", outside):
        return False
    plain = re.sub(r"\\[A-Za-z]+", " ", outside)
    return set(WORD.findall(plain)) <= set(FUNCTIONS.split())
