"""Tell by its words whether a paragraph of a thought reflects, checks or decides.

"Speculative Thinking", arXiv 2504.12329, with the words of the released code (parameters, since
other models reflect in other words).
"""

from __future__ import annotations

from collections.abc import Iterable

VERIFY = ("verify", "think again", "recap", "check")
NEGATIVE = ("wait", "alternatively", "hold on", "another")
POSITIVE = ("yeah", "yes", "final answer", "confident")
PARAGRAPH = "\n\n"
CHECK = "Let me check whether there are some wrong steps:"


def classify(text: str) -> int:
    """Return -1 for a text that reflects or checks, 1 for one that decides, 0 for any other.

    The words are counted wherever they stand, also inside other words, as the released code does:
    "eyes" decides.  As many of both, and more than none, reflect.
    """
    low = text.casefold()
    negative = count(low, (*NEGATIVE, *VERIFY))
    positive = count(low, POSITIVE)
    if negative == positive == 0:
        return 0
    return 1 if positive > negative else -1


def verifies(text: str) -> bool:
    """Return whether a text holds a word of checking."""
    return count(text.casefold(), VERIFY) > 0


def count(low: str, words: Iterable[str]) -> int:
    """Return how often words stand in a text of small letters."""
    return sum(low.count(word) for word in words)
