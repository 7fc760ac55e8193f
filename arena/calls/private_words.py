"""Find the private words of a run in what somebody else is sent.

Looked for are runs of eight words, or of forty characters, whatever their case, white space,
compatible or invisible characters.  A run is private as long as it stands nowhere else: not in what
its author had been sent, nor in public words, nor in what is the reader's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from arena.text import normalised

if TYPE_CHECKING:
    from arena.calls.private_blocks import Table


# Whose words they are: an episode and a seat of it.
Author = tuple[str, str]


class PrivateWords:
    """The private words of a run.  Add them as they come, and look for them in what is sent."""

    def __init__(self) -> None:
        self._tables: tuple[Table, ...] = ()
        # Words whose runs are not looked up yet.
        self._new: list[tuple[Author, str, tuple[str, ...]]] = []
        self._own: dict[Author, list[str]] = {}
        self._added: set[int] = set()
        self._public: list[str] = []
        self._harmless: set[int] = set()

    def add(self, author: Author, words: str, known: Iterable[str] = ()) -> None:
        """Add private words of an author.

        `known` is what the author had been sent, and what it said in public with these words.
        """
        self._new.append((author, words, tuple(known)))

    def publish(self, words: str) -> None:
        """Note public words: from now on they are nobody's secret."""
        self._public.append(words)

    def author_of_leak(
        self, reader: Author, texts: Sequence[str], allowed: Sequence[str] = ()
    ) -> Author | None:
        """Return whose private words stand in texts that go to a reader, None if nobody's do.

        The texts are looked through joined, so that words which were cut in two are found.
        `allowed` are texts that everybody knows, such as the question.  A text without any private
        words is remembered: what is written later and stands in it was copied from it.
        """
        joined = "".join(texts)
        key = hash(joined)
        if not joined or key in self._harmless:
            return None
        self._add_new()
        # Where nothing private is long enough to be looked for, the texts need not be taken apart.
        tables = [table for table in self._tables if table.tiers]
        text = normalised(joined) if tables else ""
        harmless = True
        for table in tables:
            for private, start in table.runs_in(text):
                harmless = False
                if private.author == reader:
                    continue
                run = table.unit.words(private.words, start)
                stands_in = partial(table.unit.stands_in, run)
                # Of what is public to the reader alone it cannot be said for good.
                sent_before = (part for part in texts if hash(part) in self._harmless)
                if any(map(stands_in, map(normalised, (*sent_before, *allowed)))):
                    continue
                if any(map(stands_in, self._own.get(reader, ()))):
                    continue
                if not any(map(stands_in, map(normalised, (*private.known, *self._public)))):
                    return private.author
                private.harmless.add(start)
        if harmless:
            self._harmless.update((key, *map(hash, texts)))
        return None

    def _add_new(self) -> None:
        """Bring the new words into the tables."""
        if self._new and not self._tables:
            # Here, since numpy takes a tenth of a second.
            from arena.calls.private_blocks import UNITS, Table

            self._tables = tuple(map(Table, UNITS))
        from_now_on, self._new = self._new, []
        for author, words, known in from_now_on:
            text = normalised(words)
            self._own.setdefault(author, []).append(text)
            # Whatever has been added is found, whoever writes it once more.
            if hash(text) in self._added:
                continue
            self._added.add(hash(text))
            # Not shared between the tables: each notes what is harmless in units of its own.
            for table in self._tables:
                table.add(author, text, known)
