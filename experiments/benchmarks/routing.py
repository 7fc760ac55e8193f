"""How long does it take to route summaries?  Of 700 characters, as 256 tokens are; seeded words, one core.

    python experiments/benchmarks/routing.py [--paths 4,16,32,64] [--characters 700] [--repeats 5]

The fastest of the repeats, in milliseconds, by router and number of paths.  Exit status 1 where 64 paths take 150 ms or more.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from protocols.routing import ROUTERS, SIMILARITIES, route

LIMIT_MS = 150.0
WORDS = "so the sum of all bases is even and we find that x equals seven minus the angle at point three of a triangle".split()  # noqa: SIM905


def summary(draw: random.Random, characters: int) -> str:
    """Words of so many characters."""
    return " ".join(draw.choices(WORDS, k=characters // 2))[:characters]


def fastest_ms(summaries: list[str], router: str, similarity: str, repeats: int) -> float:
    """The shortest of several runs of `route` with four peers, in milliseconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        route(summaries, router=router, top_k=4, rng=random.Random(1), similarity=similarity)
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


def main() -> int:
    """Print the table."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--paths", default="4,16,32,64")
    words.add_argument("--characters", type=int, default=700)
    words.add_argument("--repeats", type=int, default=5)
    chosen = words.parse_args()
    draw, slow = random.Random(1), False
    print(
        f"{'router':10} {'similarity':12}"
        + "".join(f"{count + ' paths':>10}" for count in chosen.paths.split(","))
        + "   ms"
    )
    sets = {
        count: [summary(draw, chosen.characters) for _ in range(count)]
        for count in map(int, chosen.paths.split(","))
    }
    for router in ROUTERS:
        for similarity in SIMILARITIES if router not in ("random", "all") else ("-",):
            name = similarity if similarity != "-" else "indel"
            times = {
                count: fastest_ms(summaries, router, name, chosen.repeats)
                for count, summaries in sets.items()
            }
            slow = slow or any(ms >= LIMIT_MS for count, ms in times.items() if count <= 64)
            print(f"{router:10} {similarity:12}" + "".join(f"{ms:10.2f}" for ms in times.values()))
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
