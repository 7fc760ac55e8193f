"""Check whether the quotes in a speech stand in a passage.

"Debating with More Persuasive LLMs Leads to More Truthful Answers", Akbir Khan et al., arXiv
2402.06782, lets debaters mark words as quotes, and tells every reader which of them stand in the
passage.

Kept: both texts are compared without case, punctuation and line breaks; a quote that was cut off
ends with its speech.  Different: nothing is not a quote; whole words count ("art" is not in
"party"); hyphens and dashes part words; of a quote with an ellipsis each part must stand in the
passage, in this order; a quote may run over a line break.  Marks of the arena itself in a speech
are taken out: nobody verifies its own quote.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# A quote ends at its own end, at the beginning of another, or with the speech.
QUOTE = re.compile(r"<quote>(.*?)(?:</quote>|(?=<quote>)|\Z)", re.DOTALL | re.IGNORECASE)
# What only the check itself may write.
MARK = re.compile(r"<\s*(?P<end>/?)\s*(?:un)?verified\s*/?\s*>", re.IGNORECASE)
STRAY = re.compile(r"</?quote>", re.IGNORECASE)
ELLIPSIS = re.compile(r"\.\s?\.\s?\.|\N{HORIZONTAL ELLIPSIS}")


@dataclass(frozen=True, slots=True)
class Quote:
    """The words of a quote, and whether they stand in the passage."""

    words: str
    verified: bool


def plain_words(text: str) -> str:
    """Return a text without case and punctuation, its words parted by single spaces."""
    kept = []
    for character in unicodedata.normalize("NFKC", text).casefold():
        category = unicodedata.category(character)
        if category == "Pd":
            kept.append(" ")
        elif not category.startswith(("P", "S", "Cf")):
            kept.append(character)
    return " ".join("".join(kept).split())


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
        Quote(found[1].strip(), is_in(found[1], passage)) for found in QUOTE.finditer(speech)
    )


def as_quotes(text: str) -> str:
    """Return a text in which marks that its author wrote are tags of quotes, still to be checked.

    Who reads marked speeches of others writes marks itself.
    """
    return MARK.sub(lambda found: "</quote>" if found["end"] else "<quote>", text)


def mark_quotes(speech: str, passage: str) -> str:
    """Return a speech in which each quote is marked as verified or as unverified."""

    def mark(found: re.Match[str]) -> str:
        """Return one quote with its mark."""
        name = "verified" if is_in(found[1], passage) else "unverified"
        return f"<{name}>{STRAY.sub('', found[1])}</{name}>"

    # Taking one mark out can join the halves of another.
    while MARK.search(speech):
        speech = MARK.sub("", speech)
    return STRAY.sub("", QUOTE.sub(mark, speech))
