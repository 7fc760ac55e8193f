r"""Read the answer that a reply gives to a question: a box, a letter or a last number.

Text in, text or None out; no state.

Tasks of mathematics ask for `\boxed{...}`, tasks with options for a letter.  The last statement
counts.  The grader that LeaP published (arXiv 2505.07787) took a letter from `\boxed{A}` and
"answer is A." alone, so that `ANSWER: A`, `(A)` and `**A**` counted as wrong; these are read here.
A letter is never taken out of running prose, and of two letters in one statement neither is: an
ambiguous answer is missing.

Only the words that a path itself generated may be given to these functions: the last box of a text
that quotes peers may be a peer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from arena.types import Reading

MAX_ANSWER_CHARACTERS = 1000

# A backslash too many, as in a reply that is JSON, is still a box; any other escaped character,
# such as \{, opens and closes nothing.
BRACES = re.compile(r"(?P<box>\\{1,2}(?:boxed|fbox)\s{0,9}\{)|\\.|(?P<brace>[{}])", re.DOTALL)
BLANK = re.compile(r"\s*+\Z")
# The rest of a line without the dollar sign and the full stop that end it.
LINE = re.compile(r"\s*+(?P<line>[^\n]*[^\s.$])")
BOLD = re.compile(r"\*\*[\s({\[]{0,3}(?P<letter>\w)[\s)}\].:]{0,3}\*\*")
# A minus after a digit or a bracket is a subtraction, not a sign.  Possessive quantifiers (++, ?+)
# never give back what they took: time stays in proportion to the text's length.
NUMBER = re.compile(
    r"""(?:(?<![\w)\]}])(?P<minus>[-−])\$?)?+ (?<![\w./])
    (?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?+(?:/[0-9]++)?+
    |\.[0-9]++)""",
    re.VERBOSE,
)

# What may stand before the letter of an answer, what may close it, and what may follow: the letter
# must be no word of a sentence ("A cat").
OPEN = (
    r"(?:\\(?:text|textbf|textrm|mathrm|mathbf|mbox|bf|rm)\b\s{0,2}\{?"
    r"|\\[(\[]|[\s*_\"'`(\[{$“‘]){0,9}"
)
NAMED = OPEN + r"(?i:(?:the )?(?:option|choice|letter)\b)?" + OPEN
CLOSE = r"(?:[*_\"`)\]}$”]|['’](?!\w))"
END = (
    rf"(?=[ \t]*(?:[\r\n]|\Z|[/&|])|{CLOSE}|[.,;:!?](?:\W|\Z)|[\\<]|["
    r" \t]+(?:[-–—]|(?i:because|since|as|given|which|or|and)\b))"
)
HEAD = (
    r"(?i:\banswer(?: (?:choice|option|letter))?|\b(?:correct|right|best|my|final)"
    r" (?:option|choice|letter))[*_\"'`]{0,4}\s{0,3}"
)


def extract_boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{...}` or `\fbox{...}` that holds anything.

    Braces are balanced; None without a box.  Of boxes in boxes the innermost is the last.  A last
    box that is never closed, as in an answer that was cut off, holds the rest of its line, without
    a full stop, and nothing tells whether more was to come.
    """
    # Compared by the place at which they begin: of nested boxes the inner one begins later.
    last = max(_boxes(text), default=None)
    return None if last is None else text[last[1] : last[2]].strip()


def choice(text: str, letters: str) -> str | None:
    r"""Return which of the letters ("ABCD") a reply chooses.

    None if it names none or, in its last statement, more than one.  Statements are a box that holds
    a letter (`\boxed{\text{A}}`, `\boxed{(A) 42}`), "Answer: (A)", `"ANSWER": "A"`, "the correct
    option is A.", and a last line that is nothing but a letter.  Without any of these, letters in
    bold (`**A**`) count if all are the same.  Small letters count in boxes and after a colon.
    """
    statements = [
        _letter_in(match, match.start(), letters)
        for form in _statements(letters)
        for match in form.finditer(text)
    ]
    for place, begin, end in _boxes(text):
        if (match := _in_box(letters).match(text, begin, end)) is not None:
            statements.append(_letter_in(match, place, letters))
    last_line = text.rstrip().rpartition("\n")[2]
    if (match := _letter_line(letters).fullmatch(last_line)) is not None:
        # A last line that is a letter comes after every other statement.
        statements.append(_letter_in(match, len(text), letters))
    if statements:
        return max(statements, key=lambda pair: pair[0])[1]
    # Bold letters may be labels of options that a reply discusses, so that they must agree.
    bold = {match["letter"] for match in BOLD.finditer(text)} & set(letters)
    return bold.pop() if len(bold) == 1 else None


def final_number(text: str) -> str | None:
    """Return the last number of a text; None without one.

    Commas between thousands are left out ("1,234.5" gives "1234.5", "1/2" itself).  For texts that
    end in their answer, such as solutions of GSM8K.  ASCII digits; a digit inside a word ("x2") is
    no number.
    """
    last = None
    # LaTeX writes 1{,}234 for a comma without a space.
    for last in NUMBER.finditer(text.replace("{,}", ",")):  # noqa: B007
        pass
    return (
        None if last is None else ("-" if last["minus"] else "") + last["number"].replace(",", "")
    )


def answer(
    text: str, *, letters: str = "", last_number: bool = False, reask: str | None = None
) -> Reading:
    """Read a reply's answer: the letter that it names if `letters` are given, else its last box.

    With `last_number` a reply without a box is read as `final_number`.  `public` is the whole
    reply.  An unreadable answer is None, a flag says why ("no letter", "no box", "no number", or
    "answer too long" for more than 1,000 characters), and `reask`, if given, is asked once.  Give
    it to `episode.ask` as `read=answer` or `read=partial(answer, letters="ABCD")`.
    """
    value = choice(text, letters) if letters else extract_boxed(text)
    flag = "no letter" if letters else "no box"
    if letters and value is None:
        boxed = extract_boxed(text) or ""
        # An option's text in place of its letter is an answer too: the grader knows the texts.
        value = None if re.fullmatch(r"[A-Za-z]", boxed) else boxed or None
    if value is None and last_number and not letters:
        value = final_number(text)
        flag = "no number"
    if value is not None and len(value) > MAX_ANSWER_CHARACTERS:
        value = None
        flag = "answer too long"
    if value is not None:
        return Reading(text, answer=value)
    return Reading(text if text.strip() else None, flags=(flag,), reask=reask)


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield (place, begin and end of the content) of every box that holds anything, in one pass."""
    # For each open brace: None, or the start of its box and of the box's content.
    opened: list[tuple[int, int] | None] = []
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
    """Return the patterns that state an answer: a sentence, or a letter after a colon.

    Their group `more` is a second letter beside the first.
    """
    # After a verb only capitals: "the answer is a bit unclear" names no letter.  After a colon, or
    # in a box, small ones count too.
    big = f"[{re.escape(letters)}]"
    any_case = f"[{re.escape(letters + letters.lower())}]"
    verb = r"(?i:is|would be|should be|must be)\b\s{0,3}"
    sentence = rf"{verb}{NAMED}(?P<letter>{big}){END}{_second_letter(big)}"
    sign = r"(?:(?i:is)\s{0,3})?[:：=>]"
    label = rf"{sign}{NAMED}(?P<letter>{any_case}){END}{_second_letter(any_case)}"
    return re.compile(HEAD + sentence), re.compile(HEAD + label)


@lru_cache(maxsize=32)
def _letter_line(letters: str) -> re.Pattern[str]:
    """Return the pattern of a line that is nothing but a letter."""
    return re.compile(
        rf"[ \t>#]{{0,9}}{NAMED}(?P<letter>[{re.escape(letters)}])(?P<more>(?!))?"
        rf"[.]?{CLOSE}{{0,6}}[.]?"
    )


@lru_cache(maxsize=32)
def _in_box(letters: str) -> re.Pattern[str]:
    """Return the pattern of a box with a letter, alone or before the text of the option."""
    any_case = f"[{re.escape(letters + letters.lower())}]"
    ends = (
        rf"(?=\s*\Z|(?:{CLOSE}|[.:]){{1,6}}(?:[\s\\]|\Z)|\s*,|\s*(?:\\text\s?\{{\s*)?(?:or|and)\b)"
    )
    return re.compile(
        rf"(?i:answer\s?:?)?{NAMED}(?P<letter>{any_case}){ends}{_second_letter(any_case)}"
    )


def _second_letter(letter: str) -> str:
    """Return the pattern of a second letter, or of a word that announces one."""
    announced = r"(?:\\text\s?\{\s*)?(?i:or|and)\b"
    listed = rf"[,;/&|]\s*(?i:or\b|and\b)?{NAMED}{letter}{END}"
    return rf"(?P<more>(?:{CLOSE}|\s){{0,6}}(?:{announced}|{listed}))?"


def _letter_in(match: re.Match[str], place: int, letters: str) -> tuple[int, str | None]:
    """Return (place, letter) of a statement, the letter None if it names two."""
    letter = match["letter"] if match["letter"] in letters else match["letter"].upper()
    return place, None if match["more"] else letter
