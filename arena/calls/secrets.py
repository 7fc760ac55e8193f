"""Keep keys out of everything that is written: find secrets and remove them from texts.

A server may echo a key cut short, with signs or spaces between, or encoded.  So what is removed is
every piece of at least PIECE characters of a key, in any of `forms`.  Letters and digits never
stand between: a sentence may hold those of any key in their order.  Left out: a piece that is
shorter, and any encoding that is not there; whoever has the key can always hide it.
"""

from __future__ import annotations

import base64
import os
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from arena.errors import StudyError

NAME = re.compile(r"(KEY|KEY_ID|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")
# Shorter values would be found in ordinary words.
SHORTEST = 8
# So many characters of a key in a row give it away; fewer stand in ordinary words.
PIECE = 12
REMOVED = "[key]"
# Small letters alone are compared, and both alphabets of base64 are made one.
FOLD = bytes.maketrans(
    string.ascii_uppercase.encode() + b"-_", string.ascii_lowercase.encode() + b"+/"
)
WORDS = (string.ascii_letters + string.digits).encode()


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write a key, in folded bytes: `least` of them in a row give a piece of it away.

    `between` are the bytes that may stand between them, which are deleted before the search.
    """

    word: bytes
    least: int
    between: bytes


def known_secrets() -> list[str]:
    """Return the values of all environment variables that may hold a key, the longest first.

    Values that are names of files are left out.
    """
    values = {value.strip() for name, value in os.environ.items() if NAME.search(name.upper())}
    return sorted(
        (value for value in values if len(value) >= SHORTEST and not os.path.exists(value)),
        key=len,
        reverse=True,
    )


def without_secrets(text: str) -> str:
    """Replace every known secret in a text by "[key]"."""
    return remove_secrets(text, known_secrets())


def remove_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets in a text by "[key]": whole or in pieces, plain, spaced out or encoded.

    A secret of less than SHORTEST characters is none (servers without keys take any word), and one
    of less than PIECE is removed only whole and as it is.  Takes time in proportion to the length
    of the text.
    """
    if len(text) < SHORTEST:
        return text
    secrets = [secret for secret in secrets if len(secret) >= SHORTEST]
    # Pieces are found by their ASCII letters, so what has others goes whole, and before them.
    for secret in secrets:
        if not secret.isascii():
            text = text.replace(secret, REMOVED)
    text = cut_out(text, sorted(find_pieces(text, secrets)))
    # Last, since they may be a part of longer ones.
    for secret in secrets:
        if len(secret) < PIECE:
            text = text.replace(secret, REMOVED)
    return text


def find_pieces(text: str, secrets: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where a text has a piece of a secret in any of its forms."""
    letters = text.encode("ascii", "ignore")
    # The text without what may stand between; forms of several secrets share it.
    views: dict[bytes, bytearray] = {}
    for form in chain.from_iterable(map(forms, secrets)):
        if form.between not in views:
            views[form.between] = bytearray(letters.translate(FOLD, form.between))
        pieces = list(take_pieces(views[form.between], form))
        places = places_of(text, form.between) if pieces else []
        for start, end in pieces:
            yield places[start], places[end - 1] + 1


@lru_cache(maxsize=64)
def forms(secret: str) -> tuple[Form, ...]:
    """Return the ways to write a secret: plain, in hexadecimal, as \\uXXXX escapes, in base64.

    Empty for one that has less than PIECE characters of ASCII.
    """
    raw = secret.encode("ascii", "ignore")
    if len(raw) < PIECE:
        return ()
    plain_form = Form(raw.translate(FOLD), PIECE, all_but(WORDS + raw))
    # Between digits an escape has its letter: x41, u0041.
    between_digits = all_but(WORDS) + b"xXuU"
    digits = [
        Form(raw.hex().encode(), 2 * PIECE, between_digits),
        Form(raw.decode().encode("utf-16-be").hex().encode(), 4 * PIECE, between_digits),
    ]
    encoded = []
    # What stands before a piece shifts it by 0, 1 or 2 bytes.  Digits that are made of its bits
    # alone are the same then, whatever stands around it: at least 15 of PIECE characters.
    for shift in range(3):
        word = base64.b64encode(bytes(shift) + raw)[
            -(-8 * shift // 6) : 8 * (shift + len(raw)) // 6
        ]
        encoded.append(Form(word.translate(FOLD), 15, all_but(WORDS + b"+/-_")))
    return plain_form, *digits, *encoded


def all_but(letters: bytes) -> bytes:
    """Return every byte that is not one of these."""
    return bytes(sorted(set(range(256)) - set(letters)))


def take_pieces(view: bytearray, form: Form) -> Iterator[tuple[int, int]]:
    """Yield where a folded text has at least `form.least` bytes of a form in a row, or all of it.

    Each such place is overwritten with zeros, so that it is found and compared only once.
    """
    word = form.word
    least = min(form.least, len(word))
    # Each piece holds one of these blocks whole, which the fast search for a known word finds.
    block = (least + 1) // 2
    for offset in range(0, len(word) - block + 1, block):
        searched = word[offset : offset + block]
        at = view.find(searched)
        while at >= 0:
            # `lead` turns a place in the view into one in the word.
            lead = offset - at
            start, end = at, at + block
            while start > 0 and start + lead > 0 and view[start - 1] == word[start + lead - 1]:
                start -= 1
            while end < len(view) and end + lead < len(word) and view[end] == word[end + lead]:
                end += 1
            if end - start >= least:
                yield start, end
                view[start:end] = bytes(end - start)
            else:
                end = at + 1
            at = view.find(searched, end)


def places_of(text: str, between: bytes) -> list[int]:
    """Return the place in a text of each byte that is left without those that stand between."""
    letters = set(map(chr, all_but(between))) & set(map(chr, range(128)))
    return [place for place, letter in enumerate(text) if letter in letters]


def cut_out(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with "[key]" for every span, and once for spans that overlap or touch.

    The spans come in the order of their starts.
    """
    parts = []
    done = 0
    end = -1
    for start, stop in spans:
        if start > end:
            parts += [text[done:start], REMOVED]
        end = max(end, stop)
        done = end
    return "".join(parts) + text[done:]


def check_no_secret(texts: Iterable[str], what: str) -> None:
    """Raise StudyError if a text that would be stored holds a key of the environment.

    The message names `what` held it and does not repeat the key.
    """
    secrets = known_secrets()
    for text in texts:
        if any(secret in text for secret in secrets):
            raise StudyError(
                f"{what} holds the value of a key of the environment, and would be stored;"
                " keys belong into the environment alone"
            )
