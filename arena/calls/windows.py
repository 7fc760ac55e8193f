"""Count the requests and the tokens of the last minute against a limit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from asyncio_throttle.throttler import Throttler

MINUTE_S = 60.0


class RequestWindow:
    """The window of asyncio-throttle: at most `rpm` requests in any minute.

    They go in portions of about one second, and the window says for how long it is full.
    """

    def __init__(self, rpm: float, minute_s: float = MINUTE_S) -> None:
        # Rounded down, so that the portions of a minute never exceed the limit.
        self.portion = max(1, int(rpm // MINUTE_S))
        self.period_s = minute_s / (rpm // self.portion) if rpm >= 1 else minute_s / rpm
        # Any, since the methods of the library have no types.
        self._throttler: Any = Throttler(self.portion, self.period_s)

    def wait_s(self) -> float:
        """Return the seconds until there is room, 0 if there is some now."""
        self._throttler.flush()
        times: Sequence[float] = self._throttler._task_logs
        if len(times) < self.portion:
            return 0.0
        # The window keeps a call that is exactly as old as its period, hence a bit more.
        return max(0.0, times[0] + self.period_s - time.monotonic()) + 1e-4

    def note(self, at: float) -> None:
        """Note a call that went out at a time of the past, later than those noted before it."""
        self._throttler._task_logs.append(at)

    async def acquire(self) -> None:
        """Wait for room and note a call."""
        await self._throttler.acquire()


class TokenWindow:
    """The tokens of the last minute: as expected at first, as counted once the reply is there."""

    def __init__(self, tpm: float, minute_s: float = MINUTE_S) -> None:
        self.tpm = tpm
        self._minute_s = minute_s
        # [time, tokens] of each call: lists, since the tokens are corrected later.
        self._entries: deque[list[float]] = deque()
        self._sum = 0.0

    def wait_s(self, tokens: float) -> float:
        """Return the seconds until so many tokens have room, 0 if they have it now.

        A call that needs more than the limit of a whole minute waits for an empty window.
        """
        now = time.monotonic()
        while self._entries and now - self._entries[0][0] >= self._minute_s:
            self._sum -= self._entries.popleft()[1]
        excess = self._sum + min(tokens, self.tpm) - self.tpm
        # Entries leave in the order in which they came: find the one that makes enough room.
        for entered_at, entry_tokens in self._entries:
            if excess <= 0:
                break
            excess -= entry_tokens
            if excess <= 0:
                return max(0.0, entered_at + self._minute_s - now) + 1e-4
        return 0.0

    def take(self, tokens: float) -> list[float]:
        """Note that a call begins, and return its entry."""
        return self.note(time.monotonic(), tokens)

    def note(self, at: float, tokens: float) -> list[float]:
        """Note a call of so many tokens, later than those noted before it; return its entry."""
        entry = [at, tokens]
        self._entries.append(entry)
        self._sum += tokens
        return entry

    def correct(self, entry: list[float], tokens: float) -> None:
        """Replace the expected tokens of an entry by the counted ones."""
        if time.monotonic() - entry[0] < self._minute_s:
            self._sum += tokens - entry[1]
            entry[1] = tokens
