"""Serve many asyncio agents with one model on one device thread.

The engine batches continuously: a request becomes a draft, a reply in the making, in a row of the
cache (seating.py decides which), and joins the batch between two steps.  A step (steps.py) reads a
part of the prompts, and gives every generating row its next token.  A prompt that begins like the
tokens of a row goes on from there, so that n samples of one prompt read it once.

Left out: beams.  Several devices have an engine each (engines.py).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from agents.local.device_work import Work, deliver, on_device
from agents.local.drafts import Draft, GenerationResult, Job
from agents.local.faults import lost_error
from agents.local.rows import Rows
from agents.local.seating import Seating
from agents.local.speculation import Guesses
from agents.local.steps import Steps
from agents.local.stopping import EndDetector
from arena.errors import ContextOverflowError, RefusedError, UnreachableError

CPU = torch.device("cpu")
Result = TypeVar("Result")
# How long an idle engine waits for another request after one has come.
BREATH_S = 0.0005
CLOSED = "the local engine was closed while it was being asked"


class Engine:
    """A model on one device thread: `generate` from any event loop, `close` at the end.

    `decode` turns token ids into text, for stop words.  `chunk` is the number of prompt tokens that
    are read between two decoding steps at most, padding included.  `device` is that of the rows.
    With a `drafter` next tokens are guessed: it makes what guesses those of a reply.
    """

    def __init__(
        self,
        rows: Rows,
        decode: Callable[[Sequence[int]], str],
        *,
        chunk: int = 2048,
        device: torch.device = CPU,
        drafter: Callable[[], Guesses] | None = None,
    ) -> None:
        self._rows = rows
        self._device = device
        self._seating = Seating(rows)
        ends = EndDetector(decode)
        self._steps = Steps(rows, self._seating, ends, chunk, drafter=drafter)
        self.counts = self._seating.counts
        self._inbox: deque[Draft] = deque()
        self._works: deque[Work[Any]] = deque()
        self._ended_groups: deque[str] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._death: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the engine takes requests: it has neither been closed nor died."""
        return self._death is None and not self._closing

    @property
    def capacity(self) -> int:
        """The number of tokens that a prompt and its reply can have together."""
        return self._rows.capacity

    @property
    def seeds_hold(self) -> bool:
        """Whether a test has shown that a row's logits do not depend on its company."""
        return self._rows.seeds_hold

    async def generate(self, job: Job) -> GenerationResult:
        """Return the reply to a job; a call that is cancelled gives its row back.

        Raises ContextOverflowError if the job can never fit, UnreachableError if the engine was
        closed or its device thread has died.
        """
        if len(job.ids) + min(job.max_tokens, 1) > self._rows.capacity or not job.ids:
            raise ContextOverflowError(
                f"a prompt of {len(job.ids)} tokens does not fit rows of {self._rows.capacity}",
                sent=False,
            )
        if job.beside and self._rows.slots < 2:
            raise RefusedError("its way of decoding takes two rows: take ?slots=2", sent=False)
        draft = Draft(job, asyncio.get_running_loop().create_future())
        self._put(draft)
        try:
            return await draft.future
        except asyncio.CancelledError:
            draft.cancelled = True
            raise

    async def run(self, work: Callable[[], Result], group: str = "") -> Result:
        """Return the result of work on the device thread, done between two steps.

        Raises what the work raises, as a ModelError.  `group` says on which of several devices.
        """
        task: Work[Result] = Work(work, asyncio.get_running_loop().create_future())
        self._put(task)
        return await task.future

    def _put(self, draft: Draft | Work[Any]) -> None:
        with self._wake:
            if self._death is not None:
                raise UnreachableError(self._death, sent=False)
            if self._closing:
                raise UnreachableError(CLOSED, sent=False)
            if isinstance(draft, Draft):
                self._inbox.append(draft)
            else:
                self._works.append(draft)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="local engine", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    @contextmanager
    def announce(self, group: str) -> Iterator[None]:
        """Announce that a member of a group is about to ask, for as long as the context lasts.

        A busy engine does not admit the group without it.
        """
        on_their_way = self._seating.queue.on_their_way
        on_their_way[group] += 1
        try:
            yield
        finally:
            on_their_way[group] -= 1
            if not on_their_way[group]:
                del on_their_way[group]

    def end_group(self, group: str) -> None:
        """Note that a group is over, so that its rows can be given to others at once."""
        # The queue belongs to the device thread, which takes the name up before its next step.
        self._ended_groups.append(group)

    def close(self) -> None:
        """Stop the device thread, blocking until the current step is done; unfinished jobs fail."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        # Not when nobody refers to them any more: the next engine needs the memory of a GPU now.
        self._rows.free()

    def _serve(self) -> None:
        """Run steps on the device thread, asleep while there is nothing to do."""
        cause: BaseException | None = None
        why = CLOSED
        try:
            with torch.inference_mode(), on_device(self._device):
                while self._take_in():
                    self._step()
        except BaseException as error:
            cause = error
            why = f"the device thread of the local engine died of {type(error).__name__}: {error}"
        finally:
            with self._wake:
                self._death = why
                lost: list[Draft | Work[Any]] = [
                    *self._seating.queue.everyone(),
                    *(row.occupant for row in self._seating.table if row.occupant),
                    *self._inbox,
                    *self._works,
                ]
            for waiting in lost:
                deliver(waiting.future, lost_error(why, cause))

    def _take_in(self) -> bool:
        """Move new jobs into the queue; return whether the engine goes on.

        Sleeps while there is nothing to do.
        """
        with self._wake:
            while not (self._closing or self._inbox or self._works or self._seating.has_work):
                self._wake.wait()
        if not self._seating.has_work:
            self._await_others()
        with self._wake:
            arrivals = list(self._inbox)
            self._inbox.clear()
        now = time.monotonic()
        for draft in arrivals:
            self._seating.queue.add(draft, now)
        while self._ended_groups:
            self._seating.queue.end_group(self._ended_groups.popleft())
        return not self._closing

    def _await_others(self) -> None:
        """Wait for those that come at once with the first one, while more of them come.

        Read together, prompts of equal length need no mask from then on.
        """
        seen = 0
        while seen < len(self._inbox) < self._rows.slots and not self._closing:
            seen = len(self._inbox)
            time.sleep(BREATH_S)

    def _step(self) -> None:
        """Admit, read a part of the prompts, and give every decoding row its next token.

        Other work is done one at a time before it, so that rows go on generating meanwhile.
        """
        if self._works:
            self._works.popleft().run()
            if not self._seating.has_work:
                return
        self._drop_cancelled()
        self._seating.admit()
        if self._seating.active == 0:
            # All jobs wait for rows that are held for a moment longer, or for their group.
            time.sleep(0.002)
        self._steps.step()

    def _drop_cancelled(self) -> None:
        for draft in [draft for draft in self._seating.queue.everyone() if draft.cancelled]:
            self._seating.queue.drop(draft)
        rows = self._seating.table[: self._seating.active]
        for draft in [row.draft for row in rows if row.draft.cancelled]:
            self._seating.release(draft.row)
