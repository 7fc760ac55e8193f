"""Check whether the quotes in a speech stand in a passage.

"Debating with More Persuasive LLMs Leads to More Truthful Answers", Akbir Khan et al., arXiv
2402.06782, lets debaters mark words as quotes, and tells every reader which of them stand in the
passage.

Kept: both texts are compared without case, punctuation and line breaks; a quote that was cut off
ends with its speech.  Different: nothing is not a quote; whole words count ("art" is not in
"party"); hyphens and dashes part words; a number keeps its point and its sign, and signs of
currency, percent and mathematics are words ("-1.5" is no "15", "5%" is no "$5"); of a quote with an
ellipsis each part must stand in the passage, in this order; a quote may run over a line break.
Marks of the arena itself in a speech, and what looks like them, are taken out: nobody verifies its
own quote.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# A quote ends at its own end, at the beginning of another, or with the speech.
QUOTE = re.compile(
    r"<\s*quote\s*>(?P<words>.*?)(?:<\s*/\s*quote\s*>|(?=<\s*quote\s*>)|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# A mark as the check writes it.
MARK = re.compile(r"<\s*(?P<end>/?)\s*(?:un)?verified\s*/?\s*>", re.IGNORECASE)
# Characters that nobody sees, and brackets that a reader may take for those of a tag.
UNSEEN = r"\s\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
OPENS = r"[<\[\uff1c\ufe64\uff3b\u2039\u00ab\u3008\u300a\u3010\u27e8\u27ea\u2329\u276c\u276e\u02c2]"
CLOSES = (
    r"[>\]\uff1e\ufe65\uff3d\u203a\u00bb\u3009\u300b\u3011\u27e9\u27eb\u232a\u276d\u276f\u02c3]"
)
NAME = f"[{UNSEEN}]*+".join("verified")
EDGE = rf"[/\\\uff0f{UNSEEN}]*+"
# What only the check itself may write, with attributes or in the disguise of other brackets.
FORGED = re.compile(
    rf"{OPENS}{EDGE}(?:u[{UNSEEN}]*+n[{UNSEEN}]*+)?{NAME}"
    rf"(?:{EDGE}{CLOSES}|\s[^<>=]{{0,40}}=[^<>]*+>)",
    re.IGNORECASE,
)
# The tags of quotes as well, which have done their work where speeches are marked.
TAG = re.compile(rf"{FORGED.pattern}|<[/\s]*+quote[/\s]*+>", re.IGNORECASE)
# What may stand between a minus and its number.
SIGNED = ".$\N{EURO SIGN}\N{POUND SIGN}\N{YEN SIGN}"
DASHES = str.maketrans("\u2010\u2011\u2012\u2013\u2212", "-----")
ELLIPSIS = re.compile(r"\.\s?\.\s?\.|\N{HORIZONTAL ELLIPSIS}")


@dataclass(frozen=True, slots=True)
class Quote:
    """The words of a quote, and whether they stand in the passage."""

    words: str
    verified: bool


def plain_words(text: str) -> str:
    """Return a text without case and punctuation, its words parted by single spaces.

    Numbers keep their points and signs; signs of currency, percent and mathematics are words.
    """
    text = unicodedata.normalize("NFKC", text).casefold().translate(DASHES)
    kept = []
    for place, character in enumerate(text):
        category = unicodedata.category(character)
        if is_of_number(text, place):
            kept.append(character)
        elif (category in ("Sc", "Sm") and character not in "|~") or character in "%\u2030":
            kept.append(f" {character} ")
        elif category == "Pd":
            kept.append(" ")
        elif not category.startswith(("P", "S", "Cf")):
            kept.append(character)
    return " ".join("".join(kept).split())


def is_of_number(text: str, place: int) -> bool:
    """Return whether a mark belongs to the number behind it: a point, a comma, a sign."""
    before, mark, behind = text[max(0, place - 1) : place], text[place], text[place + 1 : place + 2]
    if mark in ".,:/":
        # ".5" has a point as well; "end.5" and "...5" have not.
        return behind.isdecimal() and (before.isdecimal() or (mark == "." and not before.strip()))
    if mark != "-" or not (behind.isdecimal() or behind in SIGNED):
        return False
    return not before.strip() or before in "(["


def is_in(quote: str, passage: str) -> bool:
    """Return whether the words of a quote stand in a passage, part by part at an ellipsis."""
    parts = [plain_words(part) for part in ELLIPSIS.split(quote)]
    parts = [part for part in parts if part]
    text, start = f" {plain_words(passage)} ", 0
    for part in parts:
        place = text.find(f" {part} ", start)
        if place < 0:
            return False
        # The blank behind one part may stand before the next.
        start = place + len(part) + 1
    return bool(parts)


def quotes_in(speech: str, passage: str) -> tuple[Quote, ...]:
    """Return the quotes of a speech in order."""
    return tuple(
        Quote(words.strip(), is_in(words, passage))
        for words, is_quote in split_quotes(speech)
        if is_quote
    )


def split_quotes(speech: str) -> list[tuple[str, bool]]:
    """Return a speech in parts, each with whether it is a quote; no mark or tag is left in them."""
    speech = take_out(FORGED, speech)
    parts, begin = [], 0
    for found in QUOTE.finditer(speech):
        parts.append((speech[begin : found.start()], False))
        parts.append((found["words"], True))
        begin = found.end()
    parts.append((speech[begin:], False))
    return [(take_out(TAG, words), is_quote) for words, is_quote in parts]


def take_out(tags: re.Pattern[str], words: str) -> str:
    """Return words without these tags."""
    # Taking one out can join the halves of another; who nests more wants to forge one.
    for _ in range(20):
        left = tags.sub("", words)
        if left == words:
            return words
        words = left
    return re.sub(OPENS, "(", words)


def as_quotes(text: str) -> str:
    """Return a text in which marks that its author wrote are tags of quotes, still to be checked.

    Who reads marked speeches of others writes marks itself.
    """
    return MARK.sub(lambda found: "</quote>" if found["end"] else "<quote>", text)


def mark_quotes(speech: str, passage: str) -> str:
    """Return a speech in which each quote is marked as verified or as unverified."""
    marked = []
    for words, is_quote in split_quotes(speech):
        name = "verified" if is_in(words, passage) else "unverified"
        marked.append(f"<{name}>{words}</{name}>" if is_quote else words)
    return "".join(marked)
