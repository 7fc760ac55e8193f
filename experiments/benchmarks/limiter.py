"""What it costs to hold calls back: thousands of waiters before one limit of requests, and whether the limit holds.

    python experiments/benchmarks/limiter.py [--waiters 5000] [--per-second 100] [--seconds 5]

Every waiter wants to go out at once; the gates of arena.limits let through so many a second for some seconds.  For comparison the same
waiters stand before asyncio-throttle's Throttler by itself, which lets each of them look at the clock again and again.  Processor time is that
of this process after the first second, when all waiters stand in line; the window is checked at every call, over one second and over the
limiter's own window; an inversion is a call that went out before one that came earlier.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from asyncio_throttle import Throttler

from arena.calls.rate_limits import Limit, RateLimiter
from arena.types import Place, Request, Sampling

REQUEST = Request((), Sampling(), 0, Place("", "", 0, 0, "", 0))


@dataclass(frozen=True)
class Measurement:
    """One limiter: percent of a core, most calls in any second, calls out of order, calls per second."""

    name: str
    percent: float
    most_in_a_second: int
    inversions: int
    rate: float


def most_within(times: Sequence[float], window_s: float) -> int:
    """The largest number of times that lie in a window which is open at its end."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


async def measure(
    name: str, enter: Callable[[], Awaitable[object]], waiters: int, seconds: float
) -> Measurement:
    """Let the waiters loose before a limiter; stop after some seconds."""
    gone: list[tuple[int, float]] = []

    async def wait(number: int) -> None:
        """One waiter."""
        await enter()
        gone.append((number, time.monotonic()))

    tasks = [asyncio.create_task(wait(number)) for number in range(waiters)]
    await asyncio.sleep(1)
    cpu, wall, before = time.process_time(), time.monotonic(), len(gone)
    await asyncio.sleep(seconds)
    cpu, wall, passed = time.process_time() - cpu, time.monotonic() - wall, len(gone) - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    numbers, times = [number for number, _ in gone], [at for _, at in gone]
    inversions = sum(later < earlier for earlier, later in itertools.pairwise(numbers))
    return Measurement(name, 100 * cpu / wall, most_within(times, 1), inversions, passed / wall)


async def compare(waiters: int, per_second: int, seconds: float) -> list[Measurement]:
    """Our gates and the bare library, one after the other."""
    pace = RateLimiter(waiters, {"p": Limit(rpm=60 * per_second)})
    ours = await measure(
        "arena.calls.rate_limits", lambda: pace.enter("p/model", REQUEST), waiters, seconds
    )
    return [
        ours,
        await measure(
            "asyncio-throttle alone", Throttler(per_second, 1.0).acquire, waiters, seconds
        ),
    ]


def main() -> int:
    """Print a table; exit status 1 where our limiter takes 2% of a core or more, lets too many through, or changes the order."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--waiters", type=int, default=5000)
    words.add_argument("--per-second", type=int, default=100)
    words.add_argument("--seconds", type=float, default=5.0)
    chosen = words.parse_args()
    found = asyncio.run(compare(chosen.waiters, chosen.per_second, chosen.seconds))
    print(
        "| limiter | percent of a core | most in any second | out of order | calls per second |\n|---|---|---|---|---|"
    )
    for one in found:
        print(
            f"| {one.name} | {one.percent:.1f} | {one.most_in_a_second} | {one.inversions} | {one.rate:.1f} |"
        )
    ours = found[0]
    return int(
        ours.percent >= 2 or ours.most_in_a_second > chosen.per_second or ours.inversions > 0
    )


if __name__ == "__main__":
    sys.exit(main())
