"""Find the private words of a run in what somebody else is sent.

Looked for are runs of eight words, or of forty characters, whatever their case, white space,
compatible or invisible characters.  A run is private as long as it stands nowhere else: not in what
its author had been sent, nor in public words, nor in what is the reader's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from arena.text import normalised

if TYPE_CHECKING:
    from arena.calls.private_blocks import Table, Unit


# Whose words they are: an episode and a seat of it.
Author = tuple[str, str]


class PrivateWords:
    """The private words of a run.  Add them as they come, and look for them in what is sent."""

    def __init__(self) -> None:
        self._tables: tuple[Table, ...] = ()
        self._public: list[str] = []
        self._own: dict[Author, list[str]] = {}
        self._harmless: set[int] = set()

    def add(self, author: Author, words: str, known: Iterable[str] = ()) -> None:
        """Add private words of an author.

        `known` is what the author had been sent, and what it said in public with these words.
        """
        if not self._tables:
            # Here, since numpy takes a tenth of a second.
            from arena.calls.private_blocks import Characters, Table, Words

            self._tables = (Table(Words(8, 6, 3)), Table(Characters(40, 28, 13)))
        text = normalised(words)
        self._own.setdefault(author, []).append(text)
        known_texts = [normalised(other) for other in known]
        for table in self._tables:
            table.add(author, text, known_texts)

    def publish(self, words: str) -> None:
        """Note public words: from now on their runs are nobody's secret."""
        text = normalised(words)
        self._public.append(text)
        for table in self._tables:
            for private, start, _ in list(table.runs_in(text)):
                private.private[start] = False

    def author_of_leak(
        self, reader: Author, texts: Sequence[str], allowed: Sequence[str] = ()
    ) -> Author | None:
        """Return whose private words stand in texts that go to a reader, None if nobody's do.

        The texts are looked through one after another and joined, so that words which were cut in
        two are found.  `allowed` are texts that everybody knows, such as the question.  A text
        without any private words is remembered: what is written later and stands in it was copied
        from it.
        """
        joined = "".join(texts)
        key = hash(joined)
        if key in self._harmless:
            return None
        text = normalised(joined)
        harmless = True
        for table in self._tables:
            for private, start, _ in table.runs_in(text):
                harmless = False
                if private.author == reader or not private.private[start]:
                    continue
                words = table.unit.words(private.text, start)
                if any(self._stand_in_harmless(table.unit, words, part) for part in texts):
                    continue
                if any(table.unit.stands_in(words, normalised(other)) for other in allowed):
                    continue
                if any(table.unit.stands_in(words, own) for own in self._own.get(reader, ())):
                    continue
                if not any(table.unit.stands_in(words, public) for public in self._public):
                    return private.author
                private.private[start] = False
        if harmless:
            self._harmless.update((key, *map(hash, texts)))
        return None

    def _stand_in_harmless(self, unit: Unit, words: str, part: str) -> bool:
        """Return whether words stand in a part that was sent before they were written."""
        return hash(part) in self._harmless and unit.stands_in(words, normalised(part))
