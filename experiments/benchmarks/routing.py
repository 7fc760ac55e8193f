"""Measure how long it takes to route summaries of 700 characters (256 tokens), on one core.

    python experiments/benchmarks/routing.py [--paths 4,16,32,64] [--characters 700] [--repeats 5]

Words are seeded.  Prints the fastest of the repeats, in milliseconds, by router and number of
paths.  Exit status 1 if 64 paths take 150 ms or more.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from protocols.routing import ROUTERS, SIMILARITIES, route

LIMIT_MS = 150.0
WORDS = (  # noqa: SIM905
    "so the sum of all bases is even and we find that x equals seven minus the angle at point"
    " three of a triangle"
).split()


def summary(draw: random.Random, characters: int) -> str:
    """Return words of so many characters."""
    return " ".join(draw.choices(WORDS, k=characters // 2))[:characters]


def fastest_ms(summaries: list[str], router: str, similarity: str, repeats: int) -> float:
    """Return the shortest of several runs of `route` with four peers, in milliseconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        route(summaries, router=router, top_k=4, rng=random.Random(1), similarity=similarity)
        times.append(1000 * (time.perf_counter() - began))
    # Other work on the machine can only make a run slower.
    return min(times)


def main() -> int:
    """Print the table; return 1 if routing up to 64 paths is too slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paths", default="4,16,32,64")
    parser.add_argument("--characters", type=int, default=700)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    counts = [int(count) for count in options.paths.split(",")]
    header = "".join(f"{f'{count} paths':>10}" for count in counts)
    print(f"{'router':10} {'similarity':12}{header}   ms")
    draw = random.Random(1)
    sets = {count: [summary(draw, options.characters) for _ in range(count)] for count in counts}
    slow = False
    for router in ROUTERS:
        # These two routers do not compare summaries; `route` wants a similarity all the same.
        blind = router in ("random", "all")
        for similarity in ("indel",) if blind else SIMILARITIES:
            times = {
                count: fastest_ms(summaries, router, similarity, options.repeats)
                for count, summaries in sets.items()
            }
            slow = slow or any(ms >= LIMIT_MS for count, ms in times.items() if count <= 64)
            cells = "".join(f"{ms:10.2f}" for ms in times.values())
            print(f"{router:10} {'-' if blind else similarity:12}{cells}")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
