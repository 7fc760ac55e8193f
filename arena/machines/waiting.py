"""Say what is waited for before a run begins, when it takes longer than a moment."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TypeVar

QUIET_S = 2.0
SAY_EVERY_S = 30.0
T = TypeVar("T")


async def say_while(work: asyncio.Future[T], words: str) -> T:
    """Wait for work, and say what it is on standard error, after two seconds and now and then."""
    began = time.monotonic()
    wait_s = QUIET_S
    try:
        while True:
            done, _ = await asyncio.wait([work], timeout=wait_s)
            if done:
                return work.result()
            print(f"{words}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            wait_s = SAY_EVERY_S
    except asyncio.CancelledError:
        # Nobody asks any more how it has ended.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        work.cancel()
        raise
