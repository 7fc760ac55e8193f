r"""Read the answer that a reply gives to a question: a box, a letter or a statement.

A reply in, arena.types.Reading out; no state.

Tasks of mathematics ask for `\boxed{...}`, tasks with options for a letter.  The last closed box of
the author's own counts, then a label or sentence that states the answer last, then a last line that
is nothing but the value (statements.py); of letters the last statement.  Reasoning never answers,
nor does a statement that the author takes back, and of a reply that was cut off only a closed box
counts.  The grader that LeaP published (arXiv 2505.07787) took a letter from `\boxed{A}` and
"answer is A." alone, so that `ANSWER: A`, `(A)` and `**A**` counted as wrong; these are read here.
A letter is never taken out of running prose, and of two letters in one statement neither is: an
ambiguous answer is missing.

Only the words that a path itself generated may be given to these functions: the last box of a text
that quotes peers may be a peer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason
from arena.play.reasoning import matches, part_reasoning
from arena.types import Reading, Reply
from protocols.parsing.own_statements import is_own, is_taken_back
from protocols.parsing.statements import Statement, bare, last_statement, line_statement

MAX_ANSWER_CHARACTERS = 1000
# The answer stands at the end: of a longer reply only its end is searched.
LONGEST_SEARCH = 200_000
ASK_ANSWER = (
    "Your answer could not be read. Give the answer that you meant once more, in \\boxed{} and with"
    " nothing else in the box."
)
ASK_LETTER = (
    "Your answer could not be read. Give the letter of the option that you meant once more, in"
    " \\boxed{} and with nothing else in the box."
)

# A backslash too many, as in a reply that is JSON, is still a box; any other escaped character,
# such as \{, opens and closes nothing.
BRACES = re.compile(r"(?P<box>\\{1,2}(?:boxed|fbox)\s{0,9}\{)|\\.|(?P<brace>[{}])", re.DOTALL)
BLANK = re.compile(r"\s*+\Z")
# The rest of a line without the dollar sign and the full stop that end it.
LINE = re.compile(r"\s*+(?P<line>[^\n]*[^\s.$])")
BOLD = re.compile(r"\*\*[\s({\[]{0,3}(?P<letter>\w)(?:[\s)}\].:]{0,3}|\s?[).:][^*\n]{0,200})\*\*")
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
# Blanks, and what LaTeX has in their place.
SPACE_ONCE = r"(?:\s|\\[ ,;:!]|~|\\q?quad\b|\{\})"
SPACE = rf"{SPACE_ONCE}{{0,6}}"
HEAD = (
    r"(?i:\banswer(?: (?:choice|option|letter))?|\b(?:correct|right|best|my|final|selected|chosen)"
    r" (?:option|choice|letter)|^[\s*_#-]{0,6}(?:choice|letter|pick))[*_\"'`]{0,4}\s{0,3}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A box that holds anything: where it begins, the range of its content, and its end."""

    start: int
    begin: int
    end: int
    closed: bool


def extract_boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{...}` or `\fbox{...}` that holds anything.

    Braces are balanced; None without a box.  Of boxes in boxes the innermost is the last.  A last
    box that is never closed, as in an answer that was cut off, holds the rest of its line, without
    a full stop, and nothing tells whether more was to come.
    """
    last = last_box(text)
    return None if last is None else text[last.begin : last.end].strip()


def last_box(text: str) -> Box | None:
    """Return the last box of a text, by where it begins: of nested boxes the inner one is later."""
    return max(_boxes(text), key=lambda box: box.start, default=None)


def choice(text: str, letters: str) -> str | None:
    r"""Return which of the letters ("ABCD") a reply chooses.

    None if it names none or, in its last statement, more than one.  Statements are a box that holds
    a letter (`\boxed{\text{A}}`, `\boxed{(A) 42}`), "Answer: (A)", `"ANSWER": "A"`, "the correct
    option is A.", "Option A is correct.", and a last line that is nothing but a letter.  Without
    any of these, letters in bold (`**A**`, `**A) gold**`) count if all are the same.  Small letters
    count in boxes and after a colon.
    """
    said = letter_statement(text, letters)
    return None if said is None else said.value


def letter_statement(text: str, letters: str, *, boxes_only: bool = False) -> Statement | None:
    """Return the last statement that names a letter, None without one.

    With `boxes_only`, as of a reply that was cut off, only boxes that were closed count.
    """
    statements = []
    boxes = sorted(_boxes(text), key=lambda box: box.start)
    for box in boxes:
        found, letter = _letter_in_box(text, box, letters)
        if found and (box.closed or not boxes_only):
            statements.append((box.start, Statement(box.end + 1, letter)))
    if boxes_only:
        # A later box that was cut off may have been another answer.
        is_last = bool(statements) and boxes[-1].closed and is_own(text, boxes[-1].start)
        return max(statements, key=lambda pair: pair[0])[1] if is_last else None
    for form in _statements(letters):
        for match in matches(form, text, 300):
            letter = _letter(match)
            letter = letter.upper() if letter is not None and letter not in letters else letter
            statements.append((match.start(), Statement(match.end(), letter)))
    last_line = text.rstrip().rpartition("\n")[2]
    if (line := _letter_line(letters).fullmatch(last_line)) is not None:
        # A last line that is a letter comes after every other statement.
        statements.append((len(text), Statement(len(text), line["letter"])))
    ranked = sorted(statements, key=lambda pair: pair[0], reverse=True)
    last = next((said for start, said in ranked if is_own(text, start)), None)
    if last is not None:
        return Statement(last.end, None) if _two_boxes(text, boxes) else last
    if statements:
        return None
    # Bold letters may be labels of options that a reply discusses, so that they must agree.
    bold = {match["letter"] for match in matches(BOLD, text, 250)} & set(letters)
    return Statement(len(text), bold.pop()) if len(bold) == 1 else None


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
    reply: Reply | str,
    *,
    letters: str = "",
    options: Sequence[str] = (),
    last_number: bool = False,
    reask: str | None = None,
) -> Reading:
    """Read a reply's answer: the letter that it names if `letters` are given, else its value.

    A text is a reply that was finished.  `options` are the texts of the options, by letter: a text
    in place of its letter is an answer, too.  With `last_number` a reply that states no answer is
    read as `final_number`.  `public` is the reply without its reasoning.  An unreadable answer is
    None, a flag says why ("no letter", "no box", "no number", "answer too long" for more than 1,000
    characters, or how the reply ended: "cut off", "filtered", "refused", "failed"), and `reask`, if
    given, is asked once.  Give it to `episode.ask` as `read=answer` or `read=partial(answer,
    letters="ABCD")`.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    value, flags = find_answer(reply, parted.words, letters, options, last_number)
    if value is not None:
        return Reading(parted.public, answer=value)
    missing = ("answer",) if reask else ()
    return Reading(parted.public, flags=flags, reask=reask, missing=missing)


def find_answer(
    reply: Reply,
    words: str,
    letters: str = "",
    options: Sequence[str] = (),
    last_number: bool = False,
) -> tuple[str | None, tuple[str, ...]]:
    """Return (answer, flags) of a reply; `words` are those without its reasoning."""
    reason = unfinished_reason(reply)
    if reason not in (None, CUT_OFF):
        return None, (str(reason),)
    words = words[-LONGEST_SEARCH:]
    boxes_only = reason == CUT_OFF
    if letters:
        value = find_letter(words, letters, options, boxes_only)
    else:
        value = find_value(words, boxes_only)
        if value is None and last_number and not boxes_only:
            value = final_number(words)
    if value is not None and len(value) <= MAX_ANSWER_CHARACTERS:
        return value, ()
    if value is not None:
        return None, ("answer too long",)
    flag = "no letter" if letters else "no number" if last_number else "no box"
    return None, (str(reason),) if reason else (flag,)


def find_letter(
    text: str, letters: str, options: Sequence[str] = (), boxes_only: bool = False
) -> str | None:
    """Return the letter that a reply chooses, or the option's text that it gives in its place."""
    said = letter_statement(text, letters, boxes_only=boxes_only)
    if said is not None:
        return None if is_taken_back(text, said.end) else said.value
    value = find_value(text, boxes_only, options)
    if value is None:
        # A whole reply that is a small letter, as in "(b)".
        whole = re.fullmatch(r"\W{0,3}([a-z])\W{0,3}", text.strip())
        return letter_of(whole[1].upper(), letters, ()) if whole and not boxes_only else None
    if (letter := letter_of(value, letters, options)) is not None:
        return letter
    # Letters that are no option: one that the question has not, several, or one with a doubt.
    named = re.sub(r"\\[A-Za-z]+|[^A-Za-z0-9]", "", value)
    if re.fullmatch(r"[A-Za-z]", value) or (options and named and set(named) <= set(letters)):
        return None
    # The grader knows the texts, too; but only what is in a box was certainly meant as the answer.
    return value if extract_boxed(text) == value else None


def answer_in_thought(text: str, letters: str) -> str | None:
    """Return the letter that a thought chooses, else what is in its last box.

    For protocols that go on with a thought: a box that it holds is what it has come to.
    """
    if not letters:
        value = extract_boxed(text)
    elif (value := choice(text, letters)) is None:
        boxed = extract_boxed(text) or ""
        # The text of an option in place of its letter is known to the grader.
        value = None if re.fullmatch(r"[A-Za-z]", boxed) else boxed or None
    return value if value is None or len(value) <= MAX_ANSWER_CHARACTERS else None


def letter_of(value: str, letters: str, options: Sequence[str]) -> str | None:
    """Return the letter that a value is or whose option it is, with or without its letter."""
    if value in letters:
        return value
    plain = " ".join(bare(value).split()).strip(". ").casefold()
    for letter, option in zip(letters, options, strict=False):
        text = " ".join(option.split()).strip(". ").casefold()
        forms = (text, *(f"{letter.casefold()}{sign} {text}" for sign in (")", ".", ":", " -")))
        if plain in forms or plain == f"({letter.casefold()}) {text}":
            return letter
    return None


def find_value(text: str, boxes_only: bool = False, options: Sequence[str] = ()) -> str | None:
    """Return the value in the last box of the author's own, else the one that is stated last."""
    boxes = sorted(_boxes(text), key=lambda box: box.start)
    own = [box for box in boxes if is_own(text, box.start)]
    if own:
        box = own[-1]
        if is_taken_back(text, box.end + 1) or _two_boxes(text, own):
            return None
        if boxes_only and not box.closed:
            return None
        return text[box.begin : box.end].strip()
    if boxes or boxes_only:
        return None
    said = last_statement(text, options) or line_statement(text, options)
    if said is None or is_taken_back(text, said.end):
        return None
    return said.value


def _two_boxes(text: str, boxes: Sequence[Box]) -> bool:
    """Return whether the last two boxes are two answers of one statement."""
    closed = [box for box in boxes if box.closed]
    if len(closed) < 2:
        return False
    first, second = closed[-2:]
    contents = {text[box.begin : box.end].strip() for box in (first, second)}
    between = text[first.end + 1 : second.start]
    # Nothing but signs and words such as "or": a new line begins a new statement.
    is_joined = "\n" not in between and not BESIDE_LETTERS.sub("", between[:100]).strip()
    return len(contents) == 2 and is_joined


def _boxes(text: str) -> Iterator[Box]:
    """Yield every box that holds anything, in one pass."""
    # For each open brace: None, or the start of its box and of the box's content.
    opened: list[tuple[int, int] | None] = []
    for match in matches(BRACES, text, 30):
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
            yield Box(*box, match.start(), closed=True)
    last = next((box for box in reversed(opened) if box is not None), None)
    if last is not None and (line := LINE.match(text, last[1])) is not None:
        yield Box(last[0], *line.span("line"), closed=False)


# What LaTeX and lists put around letters and between them.
BESIDE_LETTERS = re.compile(
    r"\\(?:text(?:bf|rm|it)?|math(?:bf|rm|it)?|mbox|bf|rm|quad|qquad|land|lor|wedge|vee|cup|&"
    r"|[ ,;:!])|[\s{}()\[\]$*_~.,;/&|+\"'`]|\b(?:and|or|und|oder|vs|option|choice)\b",
    re.IGNORECASE,
)


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
    sign = r"(?:(?i:is)\s{0,3})?(?:[:：=>→]|[-–—](?=\s))"
    label = rf"{sign}{NAMED}(?P<letter>{any_case}){END}{_second_letter(any_case)}"
    verdict = r"\s(?i:is|are)\s(?i:the\s|therefore\s)?(?i:correct|right|best|true|answer)\b"
    another = rf"(?P<more>\s?(?:,|/|&|(?i:and|or)\b){NAMED}{big}{CLOSE}{{0,6}})?"
    letter = rf"(?P<letter>{big})(?:{CLOSE}|[.:]){{0,6}}"
    # "Option B, blue, is correct", but at the beginning of a line nothing between: "A cat is ...".
    option = rf"(?:(?i:\b(?:options?|choices?|answers?|letter)\b)\s{{0,3}}{OPEN}|[(*]{{1,3}})"
    called = rf"{option}{letter}(?:\s[^.\n]{{0,60}}?)??{another}{verdict}"
    bare_letter = rf"^{letter}{another}{verdict}"
    chosen = (
        r"(?i:\bi(?:'d|’d| would)?\s(?:choose|pick|select|go\swith|chose))\s"
        rf"{NAMED}(?P<letter>{big}){END}{_second_letter(big)}"
    )
    # A line that says no more than "So it's C."
    so = r"(?i:so|thus|hence|therefore|then)\b,?\s"
    it = r"(?i:it['’]?s|it\sis|that['’]?s|that\sis)\s"
    alone = (
        rf"^(?:{so}(?:{it})?|{it}){NAMED}(?P<letter>{big})(?P<more>(?!))?{CLOSE}{{0,6}}[.!]?[ \t]*$"
    )
    forms = (HEAD + sentence, HEAD + label, called, bare_letter, chosen, alone)
    return tuple(re.compile(form, re.MULTILINE) for form in forms)


@lru_cache(maxsize=32)
def _letter_line(letters: str) -> re.Pattern[str]:
    """Return the pattern of a line that is nothing but a letter."""
    return re.compile(
        rf"[ \t>#✅✔☑→➜]{{0,9}}{NAMED}(?P<letter>[{re.escape(letters)}])(?P<more>(?!))?"
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
    doubt = r"(?i:\s?(?:possibly|maybe|perhaps|even|also)\s)?"
    listed = rf"(?:[,;/&|+]|\\&|\\land\b|\\lor\b){SPACE}(?i:or\b|and\b)?{doubt}{NAMED}{letter}{END}"
    return rf"(?P<more>(?:{CLOSE}|{SPACE_ONCE}){{0,6}}(?:{announced}|{listed}))?"


def _letter(match: re.Match[str]) -> str | None:
    """Return the letter of a statement, None if it names two."""
    return None if match["more"] else match["letter"]


def _letter_in_box(text: str, box: Box, letters: str) -> tuple[bool, str | None]:
    """Return (whether a box names letters, the letter if it is one)."""
    content = text[box.begin : min(box.end, box.begin + MAX_ANSWER_CHARACTERS)]
    # A box inside is a box of its own, and the later one.
    if "boxed" in content:
        return False, None
    alone = BESIDE_LETTERS.sub(" ", content).split()
    if len(alone) > 1 and set(alone) <= set(letters):
        return True, alone[0] if len(set(alone)) == 1 else None
    match = _in_box(letters).match(text, box.begin, box.end)
    if match is None:
        return False, None
    another = re.compile(
        rf"(?:[,;/&|+]|\b(?:and|or|vs)\b){SPACE}{NAMED}[{re.escape(letters)}]"
        rf"(?:{CLOSE}|[.:,;]|\s*\Z)"
    )
    letter = None if another.search(text[match.end() : box.end]) else _letter(match)
    return True, letter.upper() if letter is not None and letter not in letters else letter
