"""Find the claims of a speech, and the tokens that spell them: sentences, or quoted passages.

A claim is a stretch of characters [start, end) of the speech.  Stop words are words of grammar that
carry no fact; the list is ours, in the place of NLTK's, and of English alone.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

Span = tuple[int, int]

BREAK = re.compile(r"(?<=[.!?])[\"')\]*_]{0,3}\s+|\n+")
BULLET = re.compile(r"^\s{0,9}(?:[-*•>]{1,3}\s+|\(?\d{1,3}[.)]\s+)?")
EDGES = string.punctuation + string.whitespace + "“”‘’–—…"
LONGEST_QUOTE = 2000
# Nobody makes more claims in a speech; each costs a search through it.
MOST_CLAIMS = 500
STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are aren't as at be because been before
    being below between both but by can cannot could couldn't did didn't do does doesn't doing don't
    down during each either few for from further had hadn't has hasn't have haven't having he her
    here hers herself him himself his how however i if in into is isn't it it's its itself just let
    may me might more most must my myself neither no nor not now of off on once only or other ought
    our ours ourselves out over own same shall she should shouldn't so some such than that that's
    the their theirs them themselves then there there's these they this those though through thus to
    too under until up upon us very was wasn't we were weren't what when where whether which while
    who whom whose why will with within without won't would wouldn't yet you your yours yourself
    yourselves
    """.split()  # noqa: SIM905
)


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text: stretches that end in . ! or ?, or with their line."""
    spans: list[Span] = []
    start = 0
    for stop in [*BREAK.finditer(text), None]:
        end = len(text) if stop is None else stop.start()
        words = text[start:end]
        if any(letter.isalnum() for letter in words):
            left = len(words) - len(words.lstrip())
            spans.append((start + left, start + len(words.rstrip())))
        start = end if stop is None else stop.end()
    return spans


def quoted_spans(text: str, listed: str) -> tuple[list[Span], int]:
    """Return where the lines of a list stand word for word in a text, and how many do not.

    White space and quotation marks around a line play no part; a passage that is listed twice is
    one claim, where it stands first.
    """
    spans: list[Span] = []
    unfound = 0
    for line in listed.splitlines()[:MOST_CLAIMS]:
        words = BULLET.sub("", line).strip(EDGES)[:LONGEST_QUOTE].split()
        if not words:
            continue
        found = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE)
        if found is None:
            unfound += 1
        elif found.span() not in spans:
            spans.append(found.span())
    return sorted(spans), unfound


def tokens_within(tokens: Sequence[Span], claim: Span) -> list[int]:
    """Return the indices of the tokens that spell some of a claim."""
    begin, stop = claim
    return [k for k, (start, end) in enumerate(tokens) if start < stop and end > begin]


def bare(token: str) -> str:
    """Return a token without white space and punctuation around it."""
    return token.strip(EDGES)


def is_content(token: str) -> bool:
    """Return whether a token may carry a fact: it has letters or digits, and is no stop word."""
    word = bare(token)
    return bool(word) and word.casefold().replace("’", "'") not in STOP_WORDS
