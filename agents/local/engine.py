"""One device thread serves many asyncio agents: continuous batching over the rows of a cache, kept prefixes, memory that runs out.

A request becomes a draft, a reply in the making, in a row (seating.py says in which).  A step reads at most one chunk of prompts, then gives
every decoding row its next token.  A prompt that begins like what a row holds goes on from there, so that n samples of one prompt read it
once.

What is left out: pages (a row is as long as the longest request), beams, speculative decoding, more than one device.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from agents.local.cache import PADDING, Rows
from agents.local.choosing import choose
from agents.local.drafts import (
    Draft,
    GenerationResult,
    Job,
    TokenRecord,
    deliver,
    finish_draft,
    note,
    too_large_error,
)
from agents.local.measures import measure
from agents.local.seating import Row, Seating
from arena.errors import ContextOverflowError, UnreachableError

SMALLEST_CHUNK = 16
# How often a draft may run out of memory when nothing can be made smaller any more.
MAX_MEMORY_FAILURES = 3
LOG = logging.getLogger("arena.local")


class Engine:
    """Serves jobs on one device thread; `generate` from any event loop, `close` at the end.

    `decode` turns token ids into text, for stop words.  `chunk` is how many prompt tokens are read between two decoding steps.
    """

    def __init__(
        self, rows: Rows, decode: Callable[[Sequence[int]], str], *, chunk: int = 2048
    ) -> None:
        self.chunk = chunk
        self._decode = decode
        self._pieces: dict[int, str] = {}
        self._rows = rows
        self._seating = Seating(rows)
        self.counts = self._seating.counts
        self._inbox: deque[Draft] = deque()
        self._ended_groups: deque[str] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._death: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be asked: it has neither been closed nor died."""
        return self._death is None and not self._closing

    @property
    def capacity(self) -> int:
        """How many tokens a prompt and its reply can have together."""
        return self._rows.capacity

    async def generate(self, job: Job) -> GenerationResult:
        """The reply to a job; waits for its turn, and gives its row back when it is cancelled.

        Raises ContextOverflow where it can never fit, Unreachable where the device thread has died.
        """
        if len(job.ids) + min(job.max_tokens, 1) > self._rows.capacity or not job.ids:
            raise ContextOverflowError(
                f"a prompt of {len(job.ids)} tokens does not fit rows of {self._rows.capacity}",
                sent=False,
            )
        loop = asyncio.get_running_loop()
        draft = Draft(
            job,
            loop.create_future(),
            loop,
            job.group,
            job.priority,
            time.monotonic(),
            random.Random(job.seed),
            array("i", job.ids),
        )
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
                raise UnreachableError(
                    "the local engine was closed while it was being asked", sent=False
                )
            self._inbox.append(draft)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="local engine", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    @contextmanager
    def announce(self, group: str) -> Iterator[None]:
        """While this lasts, a member of a group is about to ask, and the group is not admitted without it."""
        on_their_way = self._seating.queue.on_their_way
        on_their_way[group] += 1
        try:
            yield
        finally:
            on_their_way[group] -= 1
            if not on_their_way[group]:
                del on_their_way[group]

    def end_group(self, group: str) -> None:
        """Say that nothing more will come of a group, so that its rows can be given to others at once."""
        self._ended_groups.append(group)

    def close(self) -> None:
        """Stop the device thread; what is still waiting fails.  Blocks until the step at hand is through."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        """The device thread: step after step, asleep while there is nothing to do."""
        cause: BaseException | None = None
        why = "the local engine was closed while it was being asked"
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
                    *(row.draft for row in self._seating.table if row.draft),
                    *self._inbox,
                ]
            for draft in lost:
                error = UnreachableError(why)
                error.__cause__ = cause
                deliver(draft, error)

    def _take_in(self) -> bool:
        """Let what came wait in the queue; sleeps while there is nothing to do.  False when the engine is to stop."""
        with self._wake:
            while (
                not self._closing
                and not self._inbox
                and not self._seating.active
                and not len(self._seating.queue)
            ):
                self._wake.wait()
            came = list(self._inbox)
            self._inbox.clear()
        now = time.monotonic()
        for draft in came:
            self._seating.queue.add(draft, now)
        while self._ended_groups:
            self._seating.queue.end_group(self._ended_groups.popleft())
        return not self._closing

    def _step(self) -> None:
        """Admit, read at most one chunk of prompts, and give every decoding row its next token."""
        self._drop_cancelled()
        self._seating.admit()
        if self._seating.active == 0:
            # All that waits, waits for rows that are held for a moment.
            time.sleep(0.002)
        if self._seating.active > self._seating.decoding:
            self._read_prompts()
        if self._seating.decoding:
            self._decode_step()

    def _drop_cancelled(self) -> None:
        for draft in [one for one in self._seating.queue.everyone() if one.cancelled]:
            self._seating.queue.drop(draft)
        for row in reversed(range(self._seating.active)):
            if self._seating.table[row].draft.cancelled:
                self._seating.release(row)

    # Reading prompts.

    def _read_prompts(self) -> None:
        """Read a chunk of the prompts that wait for it: those that came first, as many as fit the chunk when padded to the longest."""
        first, chosen, width = self._seating.decoding, [], 0
        for number in range(first, self._seating.active):
            left = min(
                self._seating.table[number].planned - self._seating.table[number].filled, self.chunk
            )
            if chosen and max(width, left) * (len(chosen) + 1) > self.chunk:
                break
            chosen.append(left)
            width = max(width, left)
        try:
            self._read(first, chosen, width)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._shrink_prefill(error, first, len(chosen))

    def _read(self, first: int, lengths: Sequence[int], width: int) -> None:
        """Run the next `lengths` tokens of the rows from `first` on through the model."""
        rows = self._seating.table[first : first + len(lengths)]
        ids = np.zeros((len(rows), width), np.int64)
        positions = np.full((len(rows), width), PADDING, np.int64)
        keep = 1
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[number, width - length :] = row.tokens[row.filled : row.filled + length]
            positions[number, width - length :] = np.arange(row.filled, row.filled + length)
            keep = max(keep, min(length, row.filled + length - row.draft.first_needed))
        logits = self._rows.forward(first, ids, positions, keep)
        read = [
            number for number, row in enumerate(rows) if row.filled + lengths[number] == row.planned
        ]
        speaks = [number for number in read if rows[number].draft.job.score_from is None]
        drawn = (
            self._draw_tokens([rows[number] for number in speaks], logits[speaks, -1])
            if speaks
            else None
        )
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            if row.draft.job.score_from is not None:
                self._score(row, logits[number], length)
            row.filled += length
            row.draft.prefilled += length
            row.draft.memory_failures = 0
            self.counts.prefilled += length
        for draft in [rows[number].draft for number in read]:
            if draft.job.score_from is None:
                self._seating.promote(draft.row)
            else:
                deliver(self._seating.release(draft.row), finish_draft(draft, "scored"))
        if drawn is not None:
            self._advance([rows[number] for number in speaks], *drawn)

    def _score(self, row: Row, logits: torch.Tensor, length: int) -> None:
        """Note the log probabilities of the tokens to score that follow the `length` positions just read; `logits` [keep, vocabulary] end
        at the last of them."""
        end = row.filled + length
        for position in range(
            max(row.filled, row.draft.first_needed), min(end, len(row.draft.ids) - 1)
        ):
            at = logits[position - end]
            row.draft.scores.append(float(at[row.tokens[position + 1]] - torch.logsumexp(at, -1)))

    def _shrink_prefill(self, error: BaseException, first: int, rows: int) -> None:
        """Out of memory: read less at once; where one row with the smallest chunk is still too much, that request fails."""
        self._after_out_of_memory(range(first, first + rows))
        if rows > 1 or self.chunk > SMALLEST_CHUNK:
            self.chunk = max(SMALLEST_CHUNK, self.chunk // 2)
            return
        self._try_alone(self._seating.table[first].draft, error)

    def _after_out_of_memory(self, rows: Iterable[int]) -> None:
        self.counts.out_of_memory += 1
        LOG.warning(
            "the device is out of memory (%d times so far): the local engine goes on with less at once",
            self.counts.out_of_memory,
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if not self._rows.can_truncate:
            # Some layers may hold the tokens already: such a row can only be read from its beginning.
            for row in rows:
                self._rows.clear(row)
                self._seating.table[row].filled = 0

    # Decoding.

    def _decode_step(self) -> None:
        rows = self._seating.table[: self._seating.decoding]
        ids = np.array([[row.tokens[row.filled]] for row in rows], np.int64)
        positions = np.array([[row.filled] for row in rows], np.int64)
        try:
            drawn = self._draw_tokens(rows, self._rows.forward(0, ids, positions)[:, -1])
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._shrink_batch(error)
            return
        for row in rows:
            row.filled += 1
            row.draft.steps += 1
            row.draft.memory_failures = 0
        self.counts.steps += 1
        self.counts.decoded += len(rows)
        self._advance(rows, *drawn)

    def _draw_tokens(
        self, rows: Sequence[Row], logits: torch.Tensor
    ) -> tuple[list[int], np.ndarray, list[TokenRecord | None]]:
        """The next token of each row from its logits [rows, vocabulary], its measures [3, rows], and its alternatives where asked for."""
        drafts = [row.draft for row in rows]
        chosen = choose(
            logits, [draft.job.sampling for draft in drafts], [draft.draw() for draft in drafts]
        )
        numbers = measure(logits, chosen).cpu().numpy().astype(np.float64)
        tokens = chosen.tolist()
        wanted = [draft.job.alternatives for draft in drafts]
        notes = [
            None if many is None else note(logits[n], tokens[n], float(numbers[0, n]), many)
            for n, many in enumerate(wanted)
        ]
        return tokens, numbers, notes

    def _advance(
        self,
        rows: Sequence[Row],
        chosen: Sequence[int],
        numbers: np.ndarray,
        notes: Sequence[TokenRecord | None],
    ) -> None:
        """Give each row its token; those that are through are delivered."""
        through = []
        for row, token, noted, logprob, entropy, certainty in zip(
            rows, chosen, notes, *numbers.tolist(), strict=True
        ):
            draft = row.draft
            draft.ids.append(token)
            draft.uniform = None
            if noted is not None:
                draft.noted.append(noted)
            draft.logprobs.append(logprob)
            draft.entropy_sum += entropy
            draft.certainty_sum += certainty
            end = self._finish_reason(draft, token)
            if end is not None or row.filled == self._rows.capacity:
                through.append((draft, end or "length"))
            else:
                row.tokens[row.filled] = token
                row.planned = row.filled + 1
        for draft, end in through:
            deliver(self._seating.release(draft.row), finish_draft(draft, end))

    def _finish_reason(self, draft: Draft, token: int) -> str | None:
        """How a draft ends with this token, None where it goes on."""
        job = draft.job
        if token in job.end_ids or (job.stop and self._completes_stop_word(draft, token)):
            return "stop"
        return "length" if len(draft.ids) - len(job.ids) >= job.max_tokens else None

    def _completes_stop_word(self, draft: Draft, token: int) -> bool:
        """Whether the token completes one of the words that end the reply."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._decode([token])
        stop = draft.job.stop
        # A word ends with its last character, so most tokens need no look at the text; a broken character may be the end of any.
        if (
            not any(word[-1].isspace() or word[-1] in piece for word in stop)
            and "\ufffd" not in piece
        ):
            return False
        tail = self._decode(draft.new_ids[-(max(map(len, stop)) + 8) :])
        return any(word in tail for word in stop)

    def _shrink_batch(self, error: BaseException) -> None:
        """Out of memory: the younger half goes back to the queue, and the batch stays that small; one alone fails."""
        self._after_out_of_memory(range(self._seating.decoding))
        drafts = sorted(
            (row.draft for row in self._seating.table[: self._seating.decoding]),
            key=lambda one: one.came_at,
        )
        if len(drafts) == 1 and self._rows.can_truncate:
            self._try_alone(drafts[0], error)
            return
        keep = len(drafts) // 2 if self._rows.can_truncate else 0
        self._seating.most_active = max(1, min(self._seating.most_active, len(drafts) // 2))
        now = time.monotonic()
        for draft in drafts[keep:]:
            self._seating.queue.add(self._seating.release(draft.row), now)

    def _try_alone(self, draft: Draft, error: BaseException) -> None:
        """Nothing can be made smaller: try a few times more, since others use the device as well, then fail this one request."""
        draft.memory_failures += 1
        if draft.memory_failures >= MAX_MEMORY_FAILURES:
            deliver(self._seating.release(draft.row), too_large_error(draft, error))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)
