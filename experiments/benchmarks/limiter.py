"""Measure the cost of holding calls back: thousands of waiters before one limit of requests.

    python experiments/benchmarks/limiter.py [--waiters 5000] [--per-second 100] [--seconds 5]

Every waiter wants to go out at once; arena.calls.rate_limits lets so many a second through, for
some seconds.  For comparison the same waiters stand before asyncio-throttle's Throttler by itself,
which lets each of them look at the clock again and again.  Processor time is that of this process
after the first second, when all waiters stand in line; the limit is checked at every call, over any
window of one second; an inversion is a call that went out before one that came earlier.
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
    """One limiter: percent of a core, most calls in any second, calls out of order, rate (1/s)."""

    name: str
    percent: float
    most_in_a_second: int
    inversions: int
    rate: float


def most_within(times: Sequence[float], window_s: float) -> int:
    """Return the largest number of sorted times within a window that is open at its end."""
    most = 0
    first = 0
    for last, time_s in enumerate(times):
        # Both ends only move on: each time enters the window once and leaves it once.
        while time_s - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


async def measure(
    name: str, enter: Callable[[], Awaitable[object]], waiters: int, seconds: float
) -> Measurement:
    """Let the waiters loose before a limiter; stop after some seconds."""
    departures: list[tuple[int, float]] = []

    async def wait(number: int) -> None:
        await enter()
        departures.append((number, time.monotonic()))

    tasks = [asyncio.create_task(wait(number)) for number in range(waiters)]
    # The first second goes to starting the tasks; then all waiters stand in line.
    await asyncio.sleep(1)
    began, began_cpu, before = time.monotonic(), time.process_time(), len(departures)
    await asyncio.sleep(seconds)
    cpu = time.process_time() - began_cpu
    wall = time.monotonic() - began
    passed = len(departures) - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    inversions = sum(later < earlier for (earlier, _), (later, _) in itertools.pairwise(departures))
    most = most_within([time_s for _, time_s in departures], 1)
    return Measurement(name, 100 * cpu / wall, most, inversions, passed / wall)


async def compare(waiters: int, per_second: int, seconds: float) -> list[Measurement]:
    """Measure our limiter and the bare library, one after the other."""
    limiter = RateLimiter(waiters, {"p": Limit(rpm=60 * per_second)})
    throttler = Throttler(per_second, 1.0)
    return [
        await measure(
            "arena.calls.rate_limits", lambda: limiter.enter("p/model", REQUEST), waiters, seconds
        ),
        await measure("asyncio-throttle alone", throttler.acquire, waiters, seconds),
    ]


def main() -> int:
    """Print a table; return 1 if our limiter is slow, lets too many through, or changes the order.

    Slow is 2% of a core or more.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--waiters", type=int, default=5000)
    parser.add_argument("--per-second", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    results = asyncio.run(compare(options.waiters, options.per_second, options.seconds))
    print("| limiter | percent of a core | most in any second | out of order | calls per second |")
    print("|---|---|---|---|---|")
    for row in results:
        print(
            f"| {row.name} | {row.percent:.1f} | {row.most_in_a_second}"
            f" | {row.inversions} | {row.rate:.1f} |"
        )
    ours = results[0]
    return int(
        ours.percent >= 2 or ours.most_in_a_second > options.per_second or ours.inversions > 0
    )


if __name__ == "__main__":
    sys.exit(main())
