"""How long a tournament of the published size takes beside what it must take: three speeches and one verdict deep, everything in parallel.

    python experiments/benchmarks/tournament.py [--debates 60] [--judges 3] [--repeats 2] [--latency 1] [--in-flight 400]

The publication's 60 debates and 357 verdicts (arXiv 2505.19184) were 717 calls in a single chain.  A server of its own process on loopback
answers after the latency; the limit is max(call depth, calls / in flight) x latency, the wall time that of both stages: the debates, and the
jury that reads them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agents import agent  # noqa: E402
from arena import Arena, Arm, Study, Subject, given_pairs, run_stages  # noqa: E402
from protocols.debate import THREE_SPEECHES, debate  # noqa: E402
from protocols.judging import jury  # noqa: E402
from tests.fake_server import chat_process  # noqa: E402

SPEECHES = 2 * len(THREE_SPEECHES)
DEPTH = len(THREE_SPEECHES) + 1


def time_tournament(
    path: Path, debates: int, readings: tuple[int, int], latency_s: float, in_flight: int
) -> tuple[float, float, int]:
    """(wall seconds, processor seconds of this process, calls) for debates and `readings` = (judges, repeats) of each."""
    judges, repeats = readings
    with chat_process("--latency", str(latency_s)) as url:
        debaters = [agent(f"http/{name}@{url}") for name in ("one", "other")]
        motions = [Subject(f"This house would hold debate number {n}.") for n in range(debates)]
        played = Study(
            "depth",
            [Arm("only", debate, given_pairs([(debaters[0], debaters[1])], mirrored=False))],
            motions,
        )
        jurors = [agent(f"http/judge{n}@{url}") for n in range(judges)]
        stages = [played, jury("depth jury", played, jurors, orders=["as played"], repeats=repeats)]
        wall, cpu = time.perf_counter(), time.process_time()
        summaries = run_stages(Arena(path, concurrency=in_flight), stages)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    calls = debates * (SPEECHES + judges * repeats)
    if sum(summary.replies for summary in summaries) != calls or any(
        summary.failed or summary.open for summary in summaries
    ):
        raise SystemExit(
            f"the tournament did not finish in {calls} calls: {', '.join(map(str, summaries))}"
        )
    return wall, cpu, calls


def main() -> int:
    """Print one line of a table; exit status 1 above 1.3 times the limit."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--debates", type=int, default=60)
    words.add_argument("--judges", type=int, default=3)
    words.add_argument("--repeats", type=int, default=2)
    words.add_argument("--latency", type=float, default=1.0)
    words.add_argument("--in-flight", type=int, default=400)
    chosen = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        readings = chosen.judges, chosen.repeats
        wall, cpu, calls = time_tournament(
            Path(folder) / "a.duckdb", chosen.debates, readings, chosen.latency, chosen.in_flight
        )
    limit = max(DEPTH, calls / chosen.in_flight) * chosen.latency
    print(
        f"{chosen.debates} debates, {calls} calls: {wall:.2f} s, limit {limit:.2f} s, ratio {wall / limit:.2f}, processor {cpu:.2f} s"
    )
    return int(wall > 1.3 * limit)


if __name__ == "__main__":
    sys.exit(main())
