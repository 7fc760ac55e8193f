"""Read a text in the other way that its spelling allows: 1,22 as 1.22, 42! as 42, 5k as 5000.

An answer that is right in a second reading alone is not told: it is neither right nor wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

POINTS_AND_COMMAS = re.compile(r"[-+]?[0-9]{1,12}(?:[., '][0-9]{1,3})*[.,][0-9]+")
THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:[, '][0-9]{3})+")
INDIAN = re.compile(r"[-+]?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
SUFFIX = re.compile(r"(\\?[$€£¥]?\s*[0-9][0-9.,]*)\s?(k|K|M|mn|m|B|bn|T)")
SIZES = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9, "t": 12}
DEGREES = re.compile(r"(.*[0-9)}])\s*(?:°|\^\s*\{?\s*\\circ\s*\}?|\\degree)")
CLOSED = re.compile(r"\[([^\[\]()]*,[^\[\]()]*)\]")
ITEM = re.compile(r"(?:[-*+]|[0-9]{1,2}[.)])\s+")
MODULO = re.compile(r"\s*(?:\\pmod\s*\{[^{}]*\}|\(\s*\\?mod\s+[^()]*\))\s*\Z")
ROMAN = re.compile(r"[IVXLCDM]{2,}")
# Texts in full, and what they may stand for as well.
READINGS = [
    (re.compile(r"(.*\.[0-9]+)\(([0-9]+)\)"), r"\1\\overline{\2}"),  # 0.1(6), or a product
    (re.compile(r"(.*[0-9])\s*(?:‰|\\permil|\\textperthousand|per mille?)"), r"(\1)/1000"),
    (re.compile(r"(.*[0-9])\s*(?:‰|\\permil|\\textperthousand|per mille?)"), r"\1"),
    # log is the natural one in some books and the decimal one in others.
    (re.compile(r"(.*)\\log(?![A-Za-z_])(.*)"), r"\1\\ln\2"),
    (re.compile(r"(.*)\\log(?![A-Za-z_])(.*)"), r"\1\\log_{10}\2"),
    # 0.333...
    (
        re.compile(r"([-+]?[0-9]*\.[0-9]{0,6}?)([0-9]{1,6}?)\2{1,8}(?:\.{3}|…|\\[lc]?dots)"),
        r"\1\\overline{\2}",
    ),
    (re.compile(r"(.*[0-9)]!)=(.*)"), r"\1 = \2"),  # 4!=24, no inequality
    (re.compile(r">\s*(.+)"), r"\1"),  # a quotation, or a relation
    (re.compile(r"([ie])"), r"1*\1"),
    (re.compile(r"([a-z])([a-z])"), r"\1*\2"),  # ab, the product or the word
    (re.compile(r"([a-z])([a-z])([a-z])"), r"\1*\2*\3"),
]
# 300 k: the letter may be a unit in the other case.
LONE_LETTER = re.compile(r"(.*[0-9])\s+([A-Za-z])")
CLOCK = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))?\s*(?:([ap])\.?\s?m\.?)?", re.I)
SWAP = str.maketrans(",.", ".,")


def second_readings(text: str) -> Iterator[str]:
    """Return the texts that a text without wrappers may stand for as well."""
    text = text.strip()
    if POINTS_AND_COMMAS.fullmatch(text):
        swapped = text.translate(SWAP)
        # 0.0001 is no list of two numbers.
        if "." in swapped or THOUSANDS.fullmatch(swapped):
            yield swapped
    if INDIAN.fullmatch(text):
        yield text.replace(",", "")
    if text.endswith("!"):
        yield text.rstrip("! ")
    for pattern, reading in READINGS:
        match = pattern.fullmatch(text)
        if match is not None:
            yield match.expand(reading)
    letter = LONE_LETTER.fullmatch(text)
    if letter is not None:
        yield f"{letter[1]} {letter[2].swapcase()}"
    clock = CLOCK.fullmatch(text)
    if clock is not None and (clock[2] or clock[3]) and 1 <= int(clock[1]) <= 12:
        # 3:30 alone may be in the afternoon.
        hour = int(clock[1]) % 12 + 12 * ((clock[3] or "p").lower() == "p")
        yield f"{hour}:{clock[2] or '00'}"
    item = ITEM.match(text)
    if item is not None:
        yield text[item.end() :]
    if MODULO.search(text):
        yield MODULO.sub("", text)
    suffix = SUFFIX.fullmatch(text)
    if suffix is not None:
        yield f"{suffix[1]}*10^{SIZES[suffix[2].lower()]}"
    degrees = DEGREES.fullmatch(text)
    if degrees is not None:
        yield rf"({degrees[1]})*\pi/180"
    closed = CLOSED.fullmatch(text)
    if closed is not None:
        yield f"({closed[1]})"


def is_foreign_number(text: str) -> bool:
    """Tell whether a text is a number in signs that are no digits: 四十二, ④②, XLII."""
    text = text.strip()
    if ROMAN.fullmatch(text):
        return True
    signs = [char for char in text if not char.isspace()]
    return bool(signs) and all(
        not char.isascii() and unicodedata.numeric(char, None) is not None for char in signs
    )


def without_accents(text: str) -> str:
    """Return a text with its letters in their plainest form: Zürich is Zurich."""
    parts = unicodedata.normalize("NFD", text)
    return "".join(char for char in parts if not unicodedata.combining(char))
