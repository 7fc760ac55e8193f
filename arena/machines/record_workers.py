"""Keep the workers of a record alive: processes that play its shares, wherever they run."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager

from arena.errors import ArenaError, StudyError
from arena.machines.record_server import Part, Record
from arena.machines.study_source import StudySource

# A worker that dies so often in a row without having written a line will always do so.
MOST_DEATHS = 5


class WorkedRecord(Record):
    """A record whose shares are played by `workers` processes, which are started again if they die.

    Where they run, a subclass says by `listen` and `work`.  With 0 workers, parts come by
    themselves.
    """

    def __init__(self, workers: int, source: StudySource | None, secret: str = "") -> None:
        super().__init__(source, secret)
        self.workers = workers
        # Messages with lines, by the share whose part sent them.
        self._lines: Counter[str] = Counter()

    def listen(self) -> AbstractAsyncContextManager[str]:
        """Let parts connect, and yield at which address."""
        raise NotImplementedError

    async def work(self, address: str, number: int) -> str:
        """Play a share, from 1 to `workers`, in another process until that ends.

        Returns "" if it ended by itself, or else how it died.
        """
        raise NotImplementedError

    async def serve(self) -> None:
        """Start the workers, and wait until all are through, or the run is over."""
        async with self.listen() as address:
            keeping = {
                asyncio.create_task(self._keep(number, address))
                for number in range(1, self.workers + 1)
            }
            try:
                await self._wait(keeping)
            finally:
                await self.end_parts()
                for task in keeping:
                    task.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)

    async def _wait(self, keeping: set[asyncio.Task[None]]) -> None:
        """Wait until every worker has ended by itself, or the run is over."""
        while not self.over.done() and (keeping or not self.workers):
            ended, _ = await asyncio.wait(
                {self.over, *keeping}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended & keeping:
                task.result()
            keeping -= ended
        if self.over.done():
            self.over.result()

    async def _keep(self, number: int, address: str) -> None:
        """Keep a worker alive until it ends by itself."""
        share = f"{number}/{self.workers}"
        deaths = 0
        while True:
            before = self._lines[share]
            why = await self.work(address, number)
            if not why:
                return
            deaths = deaths + 1 if self._lines[share] == before else 0
            if deaths == MOST_DEATHS:
                raise StudyError(
                    f"the process that plays share {share} died {deaths} times before its first"
                    f" call ({why}); what was said so far is kept"
                )

    def is_replaced(self, old: Part) -> bool:
        """Return whether a part gives its share to a new one.

        A worker is started only when the one before it has ended, though its node may have been
        lost without a word.
        """
        return bool(self.workers) or super().is_replaced(old)

    def on_fault(self, part: Part, error: ArenaError) -> None:
        """End the run with the error of a worker; who begins a part by hand is told of it there."""
        if self.workers:
            self.fail(error)
        else:
            self.run.stats.notes.append(f"{part.name} cannot play: {error}")

    def on_lost(self, part: Part) -> None:
        """Note how much a part has written; without workers, see whether all is played."""
        self._lines[part.share] += part.lines
        if not (self.workers or self.parts or self.over.done()) and self.is_through:
            self.over.set_result(None)
