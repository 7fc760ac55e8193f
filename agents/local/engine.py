"""Serve many asyncio agents with one model on one device thread.

The engine batches continuously: a request becomes a draft, a reply in the making, in a row of the
cache (seating.py decides which), and joins the batch between two steps.  A step reads at most one
chunk of prompts, then gives every generating row its next token.  A prompt that begins like the
tokens of a row goes on from there, so that n samples of one prompt read it once.  When memory runs
out, the engine reads less at once or serves fewer rows.

Left out: pages (a row is as long as the longest request), beams, speculative decoding, more than
one device.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from agents.local.cache import PADDING, Rows
from agents.local.choosing import choose
from agents.local.drafts import (
    Draft,
    DrawnToken,
    GenerationResult,
    Job,
    deliver,
    finish_draft,
    record_token,
)
from agents.local.measures import measure
from agents.local.memory import MemoryLimits, out_of_memory
from agents.local.seating import Row, Seating
from agents.local.stopping import EndDetector
from arena.errors import ContextOverflowError, RefusedError, UnreachableError

CLOSED = "the local engine was closed while it was being asked"


class Engine:
    """A model on one device thread: `generate` from any event loop, `close` at the end.

    `decode` turns token ids into text, for stop words.  `chunk` is the number of prompt tokens that
    are read between two decoding steps at most, padding included.
    """

    def __init__(
        self, rows: Rows, decode: Callable[[Sequence[int]], str], *, chunk: int = 2048
    ) -> None:
        self._ends = EndDetector(decode)
        self._rows = rows
        self._seating = Seating(rows)
        self._memory = MemoryLimits(rows, self._seating, chunk)
        self.counts = self._seating.counts
        self._inbox: deque[Draft] = deque()
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
        draft = Draft(job, asyncio.get_running_loop().create_future())
        self._put(draft)
        try:
            return await draft.future
        except asyncio.CancelledError:
            draft.cancelled = True
            raise

    def _put(self, draft: Draft) -> None:
        with self._wake:
            if self._death is not None:
                raise UnreachableError(self._death, sent=False)
            if self._closing:
                raise UnreachableError(CLOSED, sent=False)
            self._inbox.append(draft)
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

    def _serve(self) -> None:
        """Run steps on the device thread, asleep while there is nothing to do."""
        cause: BaseException | None = None
        why = CLOSED
        try:
            with torch.inference_mode():
                while self._take_in():
                    self._step()
        except BaseException as error:
            cause = error
            why = f"the device thread of the local engine died of {type(error).__name__}: {error}"
        finally:
            with self._wake:
                self._death = why
                lost = [
                    *self._seating.queue.everyone(),
                    *(row.occupant for row in self._seating.table if row.occupant),
                    *self._inbox,
                ]
            for draft in lost:
                # One error for each: its traceback grows wherever it is raised.
                unreachable = UnreachableError(why)
                unreachable.__cause__ = cause
                deliver(draft, unreachable)

    def _take_in(self) -> bool:
        """Move new jobs into the queue; return whether the engine goes on.

        Sleeps while there is nothing to do.
        """
        with self._wake:
            while not (self._closing or self._inbox or self._seating.has_work):
                self._wake.wait()
            arrivals = list(self._inbox)
            self._inbox.clear()
        now = time.monotonic()
        for draft in arrivals:
            self._seating.queue.add(draft, now)
        while self._ended_groups:
            self._seating.queue.end_group(self._ended_groups.popleft())
        return not self._closing

    def _step(self) -> None:
        """Admit, read at most one chunk of prompts, and give every decoding row its next token."""
        self._drop_cancelled()
        self._seating.admit()
        if self._seating.active == 0:
            # All jobs wait for rows that are held for a moment longer, or for their group.
            time.sleep(0.002)
        if self._seating.active > self._seating.decoding:
            self._read_prompts()
        if self._seating.decoding:
            self._decode_step()

    def _drop_cancelled(self) -> None:
        for draft in [draft for draft in self._seating.queue.everyone() if draft.cancelled]:
            self._seating.queue.drop(draft)
        # From the last row down, since a release moves later rows and not earlier ones.
        for row in reversed(range(self._seating.active)):
            if self._seating.table[row].draft.cancelled:
                self._seating.release(row)

    # Reading prompts.

    def _read_prompts(self) -> None:
        """Read a chunk of the prompts that wait for it.

        These are the first rows of their region, as many as fit a chunk when padded to the longest.
        """
        first = self._seating.decoding
        lengths: list[int] = []
        width = 0
        for row in self._seating.table[first : self._seating.active]:
            left = min(row.planned - row.filled, self._memory.chunk)
            if lengths and max(width, left) * (len(lengths) + 1) > self._memory.chunk:
                break
            lengths.append(left)
            width = max(width, left)
        try:
            self._read(first, lengths, width)
        except Exception as error:
            if out_of_memory(error):
                self._memory.shrink_prefill(error, first, len(lengths))
            else:
                self._each_alone(self._read_row, first, len(lengths), error)

    def _read_row(self, number: int) -> None:
        """Read the next chunk of one row alone, from its beginning if it cannot be cut back."""
        row = self._seating.table[number]
        if not self._rows.can_truncate:
            self._rows.clear(number)
            row.filled = 0
        length = min(row.planned - row.filled, self._memory.chunk)
        self._read(number, [length], length)

    def _each_alone(
        self, work: Callable[[int], None], first: int, count: int, error: Exception
    ) -> None:
        """Do the work of rows one by one after it failed for them together.

        A row that fails alone is given up with its own error, and the others go on; rows that
        cannot be tried alone are to be asked for again.  The whole engine dies of a fault that
        leaves the device in an unknown state.
        """
        if device_is_lost(error):
            raise error
        # A generating row that cannot be cut back may have gone on in the step that failed.
        again = count > 1 and (self._rows.can_truncate or first >= self._seating.decoding)
        for draft in [row.draft for row in self._seating.table[first : first + count]]:
            fault = error
            by_itself = count == 1
            if again:
                try:
                    work(draft.row)
                    continue
                except Exception as own:
                    if device_is_lost(own):
                        raise
                    fault = own
                    by_itself = not out_of_memory(own)
            outcome = failed_draft_error(fault) if by_itself else beside_failed_error(fault)
            deliver(self._seating.release(draft.row), outcome)

    def _read(self, first: int, lengths: Sequence[int], width: int) -> None:
        """Run the next `lengths` tokens of the rows from `first` on through the model.

        `width` is the largest of the lengths.  Rows whose prompt is complete get their first token
        at once, or their scores.
        """
        rows = self._seating.table[first : first + len(lengths)]
        ids = np.zeros((len(rows), width), np.int64)
        positions = np.full((len(rows), width), PADDING, np.int64)
        # The last columns whose logits some row needs; a row of scores needs several.
        keep = 1
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[number, width - length :] = row.tokens[row.filled : row.filled + length]
            positions[number, width - length :] = np.arange(row.filled, row.filled + length)
            keep = max(keep, min(length, row.filled + length - row.draft.first_needed))
        logits = self._rows.forward(first, ids, positions, keep)
        complete = [
            number for number, row in enumerate(rows) if row.filled + lengths[number] == row.planned
        ]
        starting = [number for number in complete if rows[number].draft.job.score_from is None]
        starting_rows = [rows[number] for number in starting]
        # Drawn before any row is changed: a lack of memory here leaves everything as it was.
        drawn = self._draw_tokens(starting_rows, logits[starting, -1]) if starting else []
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            if row.draft.job.score_from is not None:
                self._score(row, logits[number], length)
            row.filled += length
            row.draft.prefilled += length
            row.draft.memory_failures = 0
            self.counts.prefilled += length
        # The drafts are listed first, since promoting and releasing moves the rows.
        for draft in [rows[number].draft for number in complete]:
            if draft.job.score_from is None:
                self._seating.promote(draft.row)
            else:
                deliver(self._seating.release(draft.row), finish_draft(draft, "scored"))
        self._advance(starting_rows, drawn)

    def _score(self, row: Row, logits: torch.Tensor, length: int) -> None:
        """Append the log probabilities (nats) of the scored tokens after the positions just read.

        `logits` [keep, vocabulary] end at the last of the `length` positions.
        """
        end = row.filled + length
        for position in range(
            max(row.filled, row.draft.first_needed), min(end, len(row.draft.ids) - 1)
        ):
            here = logits[position - end]
            score = here[row.tokens[position + 1]] - torch.logsumexp(here, -1)
            row.draft.scores.append(float(score))

    # Decoding.

    def _decode_step(self) -> None:
        count = self._seating.decoding
        try:
            self._decode_rows(0, count)
        except Exception as error:
            if out_of_memory(error):
                self._memory.shrink_batch(error)
            else:
                self._each_alone(lambda number: self._decode_rows(number, 1), 0, count, error)
        else:
            self.counts.steps += 1

    def _decode_rows(self, first: int, count: int) -> None:
        """Give `count` generating rows from `first` on their next token."""
        rows = self._seating.table[first : first + count]
        ids = np.array([[row.tokens[row.filled]] for row in rows], np.int64)
        positions = np.array([[row.filled] for row in rows], np.int64)
        drawn = self._draw_tokens(rows, self._rows.forward(first, ids, positions)[:, -1])
        for row in rows:
            row.filled += 1
            row.draft.steps += 1
            row.draft.memory_failures = 0
        self.counts.decoded += len(rows)
        self._advance(rows, drawn)

    def _draw_tokens(self, rows: Sequence[Row], logits: torch.Tensor) -> list[DrawnToken]:
        """Return the next token of each row.

        `logits` is [rows, vocabulary], float32, and is shifted in place.
        """
        drafts = [row.draft for row in rows]
        chosen = choose(
            logits, [draft.job.sampling for draft in drafts], [draft.draw() for draft in drafts]
        )
        # [rows, 3]: one copy from the device for all of them.
        measures = measure(logits, chosen).T.tolist()
        drawn = []
        for row, token in enumerate(chosen.tolist()):
            alternatives = drafts[row].job.alternatives
            logprob, entropy, certainty = measures[row]
            record = None
            if alternatives is not None:
                record = record_token(logits[row], token, logprob, alternatives)
            drawn.append(DrawnToken(token, logprob, entropy, certainty, record))
        return drawn

    def _advance(self, rows: Sequence[Row], drawn: Sequence[DrawnToken]) -> None:
        """Append its token to each row, and deliver the replies that end with it."""
        finished: list[tuple[Draft, str | Exception]] = []
        for row, new in zip(rows, drawn, strict=True):
            draft = row.draft
            draft.append(new)
            try:
                end = self._ends.finish_reason(draft, new.token)
            except Exception as error:
                # A text that cannot be decoded ends its own reply alone.
                finished.append((draft, error))
                continue
            if end is not None or row.filled == self._rows.capacity:
                finished.append((draft, end or "length"))
            else:
                # The token runs through the model in the next step, which gives the one after it.
                row.tokens[row.filled] = new.token
                row.planned = row.filled + 1
        for draft, how in finished:
            outcome = finish_draft(draft, how) if isinstance(how, str) else failed_draft_error(how)
            deliver(self._seating.release(draft.row), outcome)


def device_is_lost(error: BaseException) -> bool:
    """Return whether no further step on this device can succeed."""
    return "CUDA error" in str(error) or "device-side assert" in str(error)


def beside_failed_error(cause: Exception) -> UnreachableError:
    """Return the error of a request whose row cannot be told from one that failed beside it."""
    error = UnreachableError(
        f"a step of the local engine failed for this request or one beside it"
        f" ({type(cause).__name__}: {cause}); try again"
    )
    error.__cause__ = cause
    return error


def failed_draft_error(cause: Exception) -> RefusedError:
    """Return the error of the one request whose row failed."""
    error = RefusedError(
        f"the local engine cannot answer this request: {type(cause).__name__}: {cause}"
    )
    error.__cause__ = cause
    return error
