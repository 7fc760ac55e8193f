"""Tell when no episode of a run can go on but by the replies of batches."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol


class Speaker(Protocol):
    """An episode, as far as a round of batches has to know it."""

    id: str

    @property
    def outstanding_asks(self) -> int:
        """Return how many of its asks have no reply yet."""


class Waits:
    """The episodes that are played, and how many asks of each wait for a batch.

    `changes` counts whatever may let an episode go on or wait; `changed` is set by each of them.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.changed = asyncio.Event()
        self._episodes: dict[str, Speaker] = {}
        self._waiting: Counter[str] = Counter()

    def enter(self, episode: Speaker) -> None:
        """Note that an episode is played."""
        self._episodes[episode.id] = episode

    def leave(self, episode: Speaker) -> None:
        """Note that an episode has ended."""
        self._episodes.pop(episode.id, None)
        self.note_change()

    def wait_for(self, episode: str, outcome: asyncio.Future[bytes]) -> None:
        """Note that an ask of an episode waits for an outcome.

        It no longer does as soon as the outcome is there, not when its task wakes up: a round that
        is sent in between would miss what the episode asks next.
        """

        def count_down(_: asyncio.Future[bytes]) -> None:
            """Note that one ask fewer waits."""
            self._waiting[episode] -= 1
            self.note_change()

        self._waiting[episode] += 1
        outcome.add_done_callback(count_down)

    def note_change(self) -> None:
        """Note that something has changed."""
        self.changes += 1
        self.changed.set()

    def is_quiet(self) -> bool:
        """Return whether no episode can go on but by replies of batches.

        One without an ask that waits computes, or reads from somewhere: it may ask next.
        """
        return all(
            0 < episode.outstanding_asks <= self._waiting[id]
            for id, episode in self._episodes.items()
        )
