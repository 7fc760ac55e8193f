"""Make pages for many readers: each page once, the newest request first, and none for nobody.

A lane does a few pieces of work at once, in threads, and lets a few wait.  Readers who ask for the
same share one piece.  Work that nobody waits for any more is dropped, or told to end if it runs.
When too many pieces wait, the oldest is refused: whoever has just come is served within moments,
however many others have asked before and may have gone since.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

from arena.errors import StoreError

RETRY_AFTER_S = 2


class BusyError(StoreError):
    """Too much work waits; the store is fine, and another try may succeed."""


class ReaderGoneError(StoreError):
    """Nobody waits for this page any more."""


class Work:
    """One piece of work: its function, its result, and how many readers wait for it.

    Once `gone` is set nobody does, and `stops` have been called.
    """

    def __init__(self, key: Hashable, run: Callable[[], Any]) -> None:
        self.key = key
        self.run = run
        self.readers = 0
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.gone = threading.Event()
        self.stops: list[Callable[[], None]] = []


# The work that the running thread does; None outside of a lane.
CURRENT: ContextVar[Work | None] = ContextVar("work", default=None)


def end_if_gone() -> None:
    """Raise ReaderGoneError if nobody waits any more for the work of this thread."""
    work = CURRENT.get()
    if work is not None and work.gone.is_set():
        raise ReaderGoneError("nobody waits for this page any more")


def stop_when_gone(stop: Callable[[], None]) -> None:
    """Let `stop` be called, from another thread, when nobody waits any more for this work."""
    work = CURRENT.get()
    if work is not None:
        work.stops.append(stop)
        # The last reader may have gone just before.
        if work.gone.is_set():
            stop()


class Lane:
    """A queue of work, newest first: `running` pieces at once, `waiting` more at most.

    All methods are called in the event loop; `words` says what is refused.
    """

    def __init__(self, running: int, waiting: int, words: str) -> None:
        self.most_running = running
        self.most_waiting = waiting
        self.words = words
        self.threads = ThreadPoolExecutor(running, thread_name_prefix="lane")
        self.by_key: dict[Hashable, Work] = {}
        self.waiting: list[Work] = []
        self.running: set[asyncio.Task[None]] = set()

    async def share(self, key: Hashable, run: Callable[[], Any]) -> Any:
        """Return what `run` returns, or what the work with this key does that is under way.

        Raises its error, or BusyError if too much has come since.  A reader who leaves cancels.
        """
        work = self.by_key.get(key)
        if work is None:
            work = self.by_key[key] = Work(key, run)
            self.waiting.append(work)
            self.advance()
            if len(self.waiting) > self.most_waiting:
                self.forget(oldest := self.waiting.pop(0))
                oldest.result.set_exception(BusyError(self.words))
        work.readers += 1
        try:
            return await asyncio.shield(work.result)
        finally:
            work.readers -= 1
            if not work.readers and not work.result.done():
                self.abandon(work)

    def abandon(self, work: Work) -> None:
        """Drop work that nobody waits for, or tell it to end if it runs."""
        self.forget(work)
        work.result.cancel()
        if work in self.waiting:
            self.waiting.remove(work)
        work.gone.set()
        for stop in work.stops:
            stop()

    def forget(self, work: Work) -> None:
        """Let nobody join this work any more."""
        if self.by_key.get(work.key) is work:
            del self.by_key[work.key]

    def advance(self) -> None:
        """Begin the newest work that waits, as far as there is room."""
        while self.waiting and len(self.running) < self.most_running:
            task = asyncio.create_task(self.perform(self.waiting.pop()))
            self.running.add(task)
            task.add_done_callback(self.end)

    def end(self, task: asyncio.Task[None]) -> None:
        """Make room for the next work."""
        self.running.discard(task)
        self.advance()

    async def perform(self, work: Work) -> None:
        """Do the work in a thread, and hand its result or its error to those who wait."""
        context = copy_context()
        context.run(CURRENT.set, work)
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self.threads, context.run, work.run)
        except Exception as error:
            self.forget(work)
            if not work.result.done():
                work.result.set_exception(error)
        else:
            self.forget(work)
            if not work.result.done():
                work.result.set_result(result)
