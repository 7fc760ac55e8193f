"""Keep the passage of a subject from the seats of an episode that must not read it.

A protocol shows a passage to whom it wants, and says who must not be shown it.  To these the
passage is refused, and so is any text in which eight words or forty characters of it stand; the
public words of a turn may quote it, since all may read what was said.
"""

from __future__ import annotations

from collections.abc import Sequence

from arena.calls.private_words import PrivateWords
from arena.errors import LeakError, ProtocolError
from arena.play.prompt import Passage, Piece


class HiddenPassage:
    """The passage of one episode's subject, who has read it, and who must not."""

    def __init__(self, episode: str, text: str) -> None:
        self.text = text
        self._episode = episode
        self._readers: set[str] = set()
        self._blind: set[str] = set()
        self._words = PrivateWords()
        if text:
            self._words.add((episode, PASSAGE_AUTHOR), text)

    def hide_from(self, seat: str) -> None:
        """Refuse the passage to a seat from now on; LeakError if it has read it."""
        if seat in self._readers:
            raise LeakError(f"{seat} has read the passage that is to be hidden from it")
        self._blind.add(seat)

    def publish(self, words: str) -> None:
        """Note that words were said in public, so that they may stand in anybody's request."""
        if self.text:
            self._words.publish(words)

    def check_is_subjects(self, text: str) -> None:
        """Raise ProtocolError if a passage to be shown is none of the subject's."""
        if text != self.text:
            raise ProtocolError(
                "a passage was about to be shown that is not the subject's; show passage(subject)"
                " of the subject that the protocol was given"
            )

    def check_pieces(self, seat: str, pieces: Sequence[Piece]) -> None:
        """Note that a seat reads the passage; LeakError if it must not."""
        if not any(isinstance(piece, Passage) for piece in pieces):
            return
        if seat in self._blind:
            raise LeakError(
                f"the passage was about to be shown to {seat}, from which it is hidden; leave it"
                " out of the prompt, or do not hide it"
            )
        self._readers.add(seat)

    def check_texts(self, seat: str, texts: Sequence[str], allowed: Sequence[str]) -> None:
        """Raise LeakError if words of the passage stand in texts for a seat that must not read it.

        `allowed` are the words of the question.
        """
        if seat not in self._blind or not self.text:
            return
        if self._words.author_of_leak((self._episode, seat), texts, allowed) is not None:
            raise LeakError(
                f"words of the passage stand as text in a request to {seat}, from which it is"
                " hidden; show it what was said about it, as turns"
            )


# No seat's name can hold a line break.
PASSAGE_AUTHOR = "the\npassage"
