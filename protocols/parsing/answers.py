r"""What answer a reply gives to a question: a box, a letter or a last number.  Text in, text or None out; no state.

Tasks of mathematics ask for `\boxed{...}`, tasks with options for a letter.  The last statement counts.  The grader that LeaP published
(arXiv 2505.07787) took a letter from `\boxed{A}` and "answer is A." alone, so that `ANSWER: A`, `(A)` and `**A**` counted as wrong; these are
read here.  A letter is never taken out of running prose, and of two letters in one statement neither is: what is ambiguous is missing.

Only what a path itself generated may be given to these functions: the last box of a text that quotes peers may be a peer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from arena.types import Reading

MAX_ANSWER_CHARACTERS = 1000

# A backslash too many, as where a reply is JSON, is still a box; any other escaped character, such as \{, opens and closes nothing.
BRACES = re.compile(r"(?P<box>\\{1,2}(?:boxed|fbox)\s{0,9}\{)|\\.|(?P<brace>[{}])", re.DOTALL)
BLANK = re.compile(r"\s*+\Z")
# The rest of a line without the dollar sign and the full stop that end it.
LINE = re.compile(r"\s*+(?P<line>[^\n]*[^\s.$])")
BOLD = re.compile(r"\*\*[\s({\[]{0,3}(?P<letter>\w)[\s)}\].:]{0,3}\*\*")
NUMBER = re.compile(
    r"""(?:(?<![\w)\]}])(?P<minus>[-−])\$?)?+ (?<![\w./])
    (?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?+(?:/[0-9]++)?+|\.[0-9]++)""",
    re.VERBOSE,
)

# What may stand before the letter of an answer, what may close it, and what may follow, so that it is no word of a sentence ("A cat").
OPEN = r"(?:\\(?:text|textbf|textrm|mathrm|mathbf|mbox|bf|rm)\b\s{0,2}\{?|\\[(\[]|[\s*_\"'`(\[{$“‘]){0,9}"
NAMED = OPEN + r"(?i:(?:the )?(?:option|choice|letter)\b)?" + OPEN
CLOSE = r"(?:[*_\"`)\]}$”]|['’](?!\w))"
END = rf"(?=[ \t]*(?:[\r\n]|\Z|[/&|])|{CLOSE}|[.,;:!?](?:\W|\Z)|[\\<]|[ \t]+(?:[-–—]|(?i:because|since|as|given|which|or|and)\b))"
HEAD = r"(?i:\banswer(?: (?:choice|option|letter))?|\b(?:correct|right|best|my|final) (?:option|choice|letter))[*_\"'`]{0,4}\s{0,3}"


def extract_boxed(text: str) -> str | None:
    r"""The content of the last `\boxed{...}` or `\fbox{...}` that holds anything, braces balanced; None without one.

    Of boxes in boxes the innermost is the last.  A last box that is never closed, as in an answer that was cut off, holds the rest of its
    line, without a full stop, and nothing tells whether more was to come.
    """
    last = max(_boxes(text), default=None)
    return None if last is None else text[last[1] : last[2]].strip()


def choice(text: str, letters: str) -> str | None:
    r"""Which of the letters ("ABCD") a reply chooses, None where it names none or, in its last statement, more than one.

    Statements are a box that holds a letter (`\boxed{\text{A}}`, `\boxed{(A) 42}`), "Answer: (A)", `"ANSWER": "A"`, "the correct option is
    A.", and a last line that is nothing but a letter.  Without any of these, letters in bold (`**A**`) count where all are the same.
    Small letters count in boxes and after a colon.
    """
    found = [
        _letter_in(match, match.start(), letters)
        for form in _statements(letters)
        for match in form.finditer(text)
    ]
    for place, begin, end in _boxes(text):
        if (match := _in_box(letters).match(text, begin, end)) is not None:
            found.append(_letter_in(match, place, letters))
    last_line = text.rstrip().rpartition("\n")[2]
    if (match := _letter_line(letters).fullmatch(last_line)) is not None:
        found.append(_letter_in(match, len(text), letters))
    if found:
        return max(found, key=lambda pair: pair[0])[1]
    bold = {match["letter"] for match in BOLD.finditer(text)} & set(letters)
    return bold.pop() if len(bold) == 1 else None


def final_number(text: str) -> str | None:
    """The last number of a text, without commas between thousands ("1,234.5" gives "1234.5", "1/2" itself); None without one.

    For texts that end in their answer, such as solutions of GSM8K.  ASCII digits; a digit inside a word ("x2") is no number.
    """
    last = None
    for last in NUMBER.finditer(text.replace("{,}", ",")):  # noqa: B007
        pass
    return (
        None if last is None else ("-" if last["minus"] else "") + last["number"].replace(",", "")
    )


def answer(
    text: str, *, letters: str = "", last_number: bool = False, reask: str | None = None
) -> Reading:
    """A reply with the answer that it gives: a letter where `letters` are given and it names one, else the content of its last box.

    With `last_number` a reply without a box is read as `final_number`.  `public` is the whole reply.  An answer that cannot be read is None,
    a flag says why ("no letter", "no box", "no number", or "answer too long" for more than 1,000 characters), and `reask`, where it is given,
    is asked once.  Give it to `episode.ask` as `read=answer` or `read=partial(answer, letters="ABCD")`.
    """
    found = choice(text, letters) if letters else extract_boxed(text)
    if (
        letters
        and found is None
        and not re.fullmatch(r"[A-Za-z]", said := extract_boxed(text) or "")
    ):
        # Somebody who writes an option's text instead of its letter has answered: the grader knows the texts.
        found = said or None
    flag = "no letter" if letters else "no box"
    if found is None and last_number and not letters:
        found, flag = final_number(text), "no number"
    if found is not None and len(found) > MAX_ANSWER_CHARACTERS:
        found, flag = None, "answer too long"
    if found is not None:
        return Reading(text, answer=found)
    return Reading(text if text.strip() else None, flags=(flag,), reask=reask)


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """(place, begin and end of the content) of every box that holds anything, in one pass however the braces are nested."""
    opened: list[
        tuple[int, int] | None
    ] = []  # of each open brace: None, or the box's place and where its content begins
    for match in BRACES.finditer(text):
        if match["box"]:
            opened.append(match.span())
        elif match["brace"] == "{":
            opened.append(None)
        elif (
            match["brace"]
            and opened
            and (box := opened.pop()) is not None
            and BLANK.match(text, box[1], match.start()) is None
        ):
            yield *box, match.start()
    last = next((box for box in reversed(opened) if box is not None), None)
    if last is not None and (line := LINE.match(text, last[1])) is not None:
        yield last[0], *line.span("line")


@lru_cache(maxsize=32)
def _statements(letters: str) -> tuple[re.Pattern[str], ...]:
    """What states an answer: a sentence, or a letter after a colon.  `more` is a second letter beside it."""
    big, any_case = f"[{re.escape(letters)}]", f"[{re.escape(letters + letters.lower())}]"
    said = rf"(?i:is|would be|should be|must be)\b\s{{0,3}}{NAMED}(?P<letter>{big}){END}{_second_letter(big)}"
    given = (
        rf"(?:(?i:is)\s{{0,3}})?[:：=>]{NAMED}(?P<letter>{any_case}){END}{_second_letter(any_case)}"
    )
    return re.compile(HEAD + said), re.compile(HEAD + given)


@lru_cache(maxsize=32)
def _letter_line(letters: str) -> re.Pattern[str]:
    """A line that is nothing but a letter."""
    return re.compile(
        rf"[ \t>#]{{0,9}}{NAMED}(?P<letter>[{re.escape(letters)}])(?P<more>(?!))?[.]?{CLOSE}{{0,6}}[.]?"
    )


@lru_cache(maxsize=32)
def _in_box(letters: str) -> re.Pattern[str]:
    """A box that begins with a letter and then ends, or goes on with the text of the option."""
    any_case = f"[{re.escape(letters + letters.lower())}]"
    ends = (
        rf"(?=\s*\Z|(?:{CLOSE}|[.:]){{1,6}}(?:[\s\\]|\Z)|\s*,|\s*(?:\\text\s?\{{\s*)?(?:or|and)\b)"
    )
    return re.compile(
        rf"(?i:answer\s?:?)?{NAMED}(?P<letter>{any_case}){ends}{_second_letter(any_case)}"
    )


def _second_letter(letter: str) -> str:
    """A second letter, or a word that announces one."""
    return rf"(?P<more>(?:{CLOSE}|\s){{0,6}}(?:(?:\\text\s?\{{\s*)?(?i:or|and)\b|[,;/&|]\s*(?i:or\b|and\b)?{NAMED}{letter}{END}))?"


def _letter_in(match: re.Match[str], place: int, letters: str) -> tuple[int, str | None]:
    """(place, letter) of a statement, the letter None where it names two."""
    letter = match["letter"] if match["letter"] in letters else match["letter"].upper()
    return place, None if match["more"] else letter
