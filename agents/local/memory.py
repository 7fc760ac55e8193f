"""Make the steps of the engine smaller when the device runs out of memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch

from agents.local.cache import Rows
from agents.local.drafts import Draft, deliver, too_large_error
from agents.local.seating import Seating

SMALLEST_CHUNK = 16
# How often a draft may run out of memory once nothing can be made smaller.
MAX_MEMORY_FAILURES = 3
LOG = logging.getLogger("arena.local")


class MemoryLimits:
    """The size of a step: `chunk` prompt tokens, and `seating.most_active` rows."""

    def __init__(self, rows: Rows, seating: Seating, chunk: int) -> None:
        self.chunk = chunk
        self._rows = rows
        self._seating = seating

    def shrink_prefill(self, error: BaseException, first: int, rows: int) -> None:
        """Read less at once after a lack of memory in `rows` rows from `first` on.

        If one row with the smallest chunk is still too much, its request fails.
        """
        self._clean_up(range(first, first + rows))
        if rows > 1 or self.chunk > SMALLEST_CHUNK:
            self.chunk = max(SMALLEST_CHUNK, self.chunk // 2)
            return
        self._try_alone(self._seating.table[first].draft, error)

    def shrink_batch(self, error: BaseException) -> None:
        """Generate for fewer rows after a lack of memory, now and later.

        The younger half goes back to the queue.  A draft that is already alone is tried again.
        """
        self._clean_up(range(self._seating.decoding))
        drafts = sorted(
            (row.draft for row in self._seating.table[: self._seating.decoding]),
            key=lambda draft: draft.came_at,
        )
        if len(drafts) == 1 and self._rows.can_truncate:
            self._try_alone(drafts[0], error)
            return
        # Rows that cannot be cut back were cleared: all of them have to be read again.
        keep = len(drafts) // 2 if self._rows.can_truncate else 0
        self._seating.most_active = max(1, min(self._seating.most_active, len(drafts) // 2))
        now = time.monotonic()
        for draft in drafts[keep:]:
            self._seating.queue.add(self._seating.release(draft.row), now)

    def _clean_up(self, rows: Iterable[int]) -> None:
        self._seating.counts.out_of_memory += 1
        LOG.warning(
            "the device is out of memory (%d times): the local engine goes on with less at once",
            self._seating.counts.out_of_memory,
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if not self._rows.can_truncate:
            # Some layers may hold the new tokens already, and a row that cannot be cut back has to
            # be read from its beginning.
            for row in rows:
                self._rows.clear(row)
                self._seating.table[row].filled = 0

    def _try_alone(self, draft: Draft, error: BaseException) -> None:
        # Other programs use the device as well, and may free memory meanwhile.
        draft.memory_failures += 1
        if draft.memory_failures >= MAX_MEMORY_FAILURES:
            deliver(self._seating.release(draft.row), too_large_error(draft, error))


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which a device is the current one, as graphs and kernels need."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the device, or the machine, has no memory left."""
    # torch on a CPU raises a plain RuntimeError with these words.
    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)
