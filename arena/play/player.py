"""Say what plays the chosen episodes of a run: this process, or others for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from arena.calls.batch_rounds import BatchRounds
from arena.calls.ledger import RunContext
from arena.store.replay import StudyState
from arena.studies.study import Play


class Player(Protocol):
    """What plays the episodes of a run, whose store, journal and limits stay in this process.

    A call goes out at most `late_s` seconds after the limits have let it in.
    """

    late_s: float

    async def open(self, todo: Sequence[Play]) -> None:
        """Prepare for calls; StudyError if that cannot be, before anything is written."""

    async def play(
        self,
        run: RunContext,
        batches: BatchRounds | None,
        todo: Sequence[Play],
        state: StudyState,
        at_once: int,
    ) -> None:
        """Play episodes, `at_once` at a time, and return when none can be played any more."""

    async def close(self, todo: Sequence[Play]) -> None:
        """End what was opened."""
