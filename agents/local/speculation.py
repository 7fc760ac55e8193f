"""Guess the next tokens of a reply from what stands before it, so that a step reads several.

Debaters quote each other and their sources: where the last tokens of a reply have stood before, it
may go on as it did there (prompt lookup decoding, A. Saxena 2023).  The guessed tokens run through
the model in the same pass, each place draws its token with its own uniform number, and a guess
counts only if it is the token that was drawn.  So a reply is the same with guesses and without,
but for ties closer than rounding.

It pays while a step costs hardly more for some tokens more, which is so for a few rows, and where
about half of the guesses or more come true.  That is why only free seeds (`?seeds=free`) guess, in
steps of few rows, fewer tokens the fewer of them came true the last time, and none for a while
after they were all wrong.
"""

from __future__ import annotations

from array import array

# Tokens that must have stood together before.
NGRAM = 3
MOST_GUESSES = 12
# Tokens for which a reply whose guesses were all wrong makes none; more if that happens again.
FIRST_REST = 2
LONGEST_REST = 64


class Guesses:
    """The guesses for one reply, and how many of them came true."""

    def __init__(self) -> None:
        self.made = 0
        self.true = 0
        self._most = 4
        self._rest = 0
        self._rests_until = 0
        # For each n-gram the place after its last occurrence.
        self._after: dict[tuple[int, ...], int] = {}
        self._learned = NGRAM

    def next_tokens(self, ids: array[int], most: int) -> list[int]:
        """Return the tokens that may follow `ids`, at most `most` of them; often none."""
        for end in range(self._learned, len(ids)):
            self._after[tuple(ids[end - NGRAM : end])] = end
        self._learned = max(self._learned, len(ids))
        place = self._after.get(tuple(ids[-NGRAM:]))
        if place is None or len(ids) < self._rests_until:
            return []
        return ids[place : place + min(most, self._most)].tolist()

    def note(self, made: int, true: int) -> None:
        """Note how many of the guesses of a step came true."""
        self.made += made
        self.true += true
        self._most = min(MOST_GUESSES, 1 + 2 * true)
        self._rest = 0 if true else min(LONGEST_REST, max(FIRST_REST, 2 * self._rest))
        self._rests_until = self._learned + self._rest
