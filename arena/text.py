"""Write text and time the same way in every part of the arena."""

from __future__ import annotations

import hashlib
import html
import math
import re
import time
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
# Letters of a cell in a table of text, and of HTML.
CELL = 72
HTML_CELL = 200
LONG_CELL = 60
UNKNOWN_COST = "cost unknown"
# What a spreadsheet takes for the beginning of a formula.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")
SURROGATE = re.compile("[\ud800-\udfff]")
WORD = re.compile(r"\w+")
# Names that every file system takes; capitals could collide on some of them.
PLAIN_NAME = re.compile(r"[a-z0-9_-]{1,80}")
# Longer than a path, a key or a hash.
LONG_WORD = re.compile(r"\S{301,}")
# A table for bytes: a space for all that is in no word.
ONLY_WORDS = bytes(code if WORD.match(chr(code)) else 32 for code in range(256))
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def utc_now() -> datetime:
    """Return the present time in UTC, without a zone, as the tables keep it."""
    # datetime.utcnow() is deprecated, and a datetime with a zone is another type in DuckDB.
    return EPOCH + timedelta(seconds=time.time())


def writable(text: str) -> str:
    """Replace lone surrogates by U+FFFD: neither UTF-8 nor the database can hold them."""
    # Nearly all texts pass: the search for surrogates is left to the few that do not.
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def printable(text: str) -> str:
    """Replace characters that could steer a terminal when text of models is printed.

    These are escapes, controls and marks of writing direction; line breaks and tabs stay.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def plain_name(name: str) -> str:
    """Return the name if any file system takes it, else its plain letters and a hash of it."""
    if PLAIN_NAME.fullmatch(name):
        return name
    # 40 bits of the hash: two names of one store will hardly share them.
    letters = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_")
    return f"{letters}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def short_cell(value: object, letters: int = CELL) -> str:
    """Return one value as printable text on one line, cut with "…" to a number of letters."""
    if value is None:
        return "NULL"
    whole = f"{value:.6g}" if isinstance(value, float) else str(value)
    # Cut first: to look at every letter of a long text takes its time.
    text = printable(whole[: letters + 1]).replace("\n", "⏎")
    return text if len(text) <= letters else text[: letters - 1] + "…"


def shorten_words(text: str) -> str:
    """Return a text in which words of hundreds of letters are cut, and their length is said."""
    return LONG_WORD.sub(lambda word: f"{word[0][:60]}... ({len(word[0]):,} characters)", text)


def table_lines(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    edge: str = "",
    between: str = "  ",
    after: str = "",
) -> tuple[list[str], bool]:
    """Return a table as lines, its head and a rule first, and whether a cell was cut.

    Each cell is one line of at most CELL letters, numbers are short, no text can steer a terminal.
    """
    cells = [[short_cell(value) for value in row] for row in (columns, *rows)]
    # A whole cell of that length with an ellipsis of its own passes for a cut one, without harm.
    cut = any(text.endswith("…") and len(text) == CELL for row in cells for text in row)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for number, row in enumerate(cells):
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        lines.append(f"{edge}{between.join(padded)}{after}".rstrip())
        if number == 0:
            lines.append(edge + between.join("-" * width for width in widths) + after)
    return lines, cut


def html_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    titles: Sequence[str] = (),
    text_columns: int | None = None,
    letters: int = HTML_CELL,
) -> tuple[str, bool]:
    """Return a table as HTML, and whether a cell was cut to `letters`; all text is escaped.

    The columns after the first `text_columns` are aligned right; without it, numbers are.  `titles`
    say more of the headings.
    """
    cut = False
    body = []
    for row in rows:
        cells = []
        for number, value in enumerate(row):
            text = short_cell(value, letters)
            cut = cut or (len(text) == letters and text.endswith("…"))
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            right = is_number if text_columns is None else number >= text_columns
            style = f"text-align: {'right' if right else 'left'}; white-space: pre-wrap"
            # Of many columns those of words would become a word wide.
            style += "; min-width: 20em" if len(text) > LONG_CELL else ""
            shown = "<i>NULL</i>" if value is None else html.escape(text)
            cells.append(f'<td style="{style}">{shown}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    heads = []
    for number, heading in enumerate(headings):
        title = f' title="{html.escape(printable(titles[number]))}"' if titles else ""
        heads.append(f"<th{title}>{html.escape(printable(heading))}</th>")
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    # The class by which notebooks style data frames.
    table = f'<table class="dataframe">{head}<tbody>{"".join(body)}</tbody></table>'
    return table, cut


def html_notes(notes: Iterable[str]) -> str:
    """Return sentences as HTML, a small paragraph each."""
    return "".join(f"<p><small>{html.escape(printable(note))}</small></p>" for note in notes)


def without_formula(value: object) -> object:
    """Return a value that a spreadsheet shows: a text that it would run gets a leading quote."""
    if isinstance(value, str) and value[:1] in FORMULA_MARKS:
        return f"'{value}"
    return value


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def join_words(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def describe_cost(usd: float | None, unpriced: int) -> str:
    """Return the known dollars of calls, and how many calls are of unknown cost beside them."""
    # Refused calls cost nothing: their zero says nothing about the others.
    if usd is None or (unpriced and usd == 0):
        return UNKNOWN_COST
    unknown = f" and {pluralize(unpriced, 'call')} of unknown cost" if unpriced else ""
    return f"${usd:.4f}{unknown}"


def finite(value: object) -> object:
    """Return a value as strict JSON has it: NaN and infinities become None, keys become text.

    Values inside lists, tuples and dictionaries are converted too.
    """
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [finite(item) for item in value]
        case dict():
            return {str(key): finite(item) for key, item in value.items()}
        case _:
            return value


def normalised(text: str) -> str:
    """Return a text in one case, with single spaces, without invisible characters."""
    if not text.isascii():
        text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(text.casefold().split())


def words_of(text: str) -> list[str]:
    """Return the words of a text, without what stands between them."""
    if text.isascii():
        # The faster way to the same words.
        return text.encode().translate(ONLY_WORDS).decode().split()
    return WORD.findall(text)
