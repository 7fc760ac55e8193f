"""Measure how long a tournament of the published size takes, beside the least it can take.

    python experiments/benchmarks/tournament.py [--debates 60] [--judges 3] [--repeats 2]
        [--latency 1] [--in-flight 400]

The publication's 60 debates and 357 verdicts (arXiv 2505.19184) were 717 calls in a single chain.
In parallel they are three speeches and one verdict deep, and the first calls to debaters, and then
those to judges, go alone.  A server of its own process on loopback answers after the latency; the
limit is (2 + max(call depth, calls / in flight)) x latency, the wall time that of both stages: the
debates, and the jury that reads them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents import agent
from arena import Arena, Arm, Study, Subject, given_pairs, run_stages
from protocols.debate import THREE_SPEECHES, debate
from protocols.judging import jury
from tests.fake_server import chat_process

SPEECHES = 2 * len(THREE_SPEECHES)
DEPTH = len(THREE_SPEECHES) + 1


def time_tournament(
    path: Path, debates: int, readings: tuple[int, int], latency_s: float, in_flight: int
) -> tuple[float, float, int]:
    """Play debates and their jury; return wall seconds, processor seconds of this process, calls.

    `readings` is (judges, repeats): how often each debate is read.
    """
    judges, repeats = readings
    with chat_process("--latency", str(latency_s)) as url:
        # One server plays all models and judges; their names alone tell them apart.
        pair = (agent(f"http/one@{url}"), agent(f"http/other@{url}"))
        motions = [Subject(f"This house would hold debate number {n}.") for n in range(debates)]
        arm = Arm("only", debate, given_pairs([pair], mirrored=False))
        played = Study("depth", [arm], motions)
        jurors = [agent(f"http/judge{n}@{url}") for n in range(judges)]
        verdicts = jury("depth jury", played, jurors, orders=["as played"], repeats=repeats)
        began, began_cpu = time.perf_counter(), time.process_time()
        summaries = run_stages(Arena(path, concurrency=in_flight), [played, verdicts])
        wall = time.perf_counter() - began
        cpu = time.process_time() - began_cpu
    calls = debates * (SPEECHES + judges * repeats)
    replies = sum(summary.replies for summary in summaries)
    if replies != calls or any(summary.failed or summary.open for summary in summaries):
        ended = ", ".join(map(str, summaries))
        raise SystemExit(f"the tournament did not finish in {calls} calls: {ended}")
    return wall, cpu, calls


def main() -> int:
    """Print one line; return 1 if the tournament took more than 1.3 times the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--debates", type=int, default=60)
    parser.add_argument("--judges", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--in-flight", type=int, default=400)
    options = parser.parse_args()
    readings = (options.judges, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.duckdb"
        wall, cpu, calls = time_tournament(
            path, options.debates, readings, options.latency, options.in_flight
        )
    limit = (2 + max(DEPTH, calls / options.in_flight)) * options.latency
    print(
        f"{options.debates} debates, {calls} calls: {wall:.2f} s, limit {limit:.2f} s,"
        f" ratio {wall / limit:.2f}, processor {cpu:.2f} s"
    )
    return int(wall > 1.3 * limit)


if __name__ == "__main__":
    sys.exit(main())
