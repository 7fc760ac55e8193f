"""Measure how long 60 parallel debates take, beside the least they can take.

    python experiments/benchmarks/debates.py [--debates 60] [--latency 1] [--in-flight 400]

A debate is three calls deep, and the first call to a model goes alone.  A server of its own process
on loopback answers after the latency.  The limit is (1 + max(call depth, calls / in flight)) x
latency; the wall time is that of `Arena.run`, with the store created, every reply fsynced, and the
journal folded at the end.
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
from arena import Arena, Arm, Study, Subject, against_itself
from protocols.debate import THREE_SPEECHES, debate
from tests.fake_server import chat_process


def time_study(path: Path, debates: int, latency_s: float, in_flight: int) -> tuple[float, float]:
    """Play the study; return the wall seconds and the processor seconds of this process."""
    with chat_process("--latency", str(latency_s)) as url:
        motions = [Subject(f"This house would hold debate number {n}.") for n in range(debates)]
        arm = Arm("only", debate, against_itself([agent(f"http/any@{url}")]))
        # Processor time is of this process alone, without the server's.
        began, began_cpu = time.perf_counter(), time.process_time()
        summary = Arena(path, concurrency=in_flight).run(Study("depth", [arm], motions))
        wall = time.perf_counter() - began
        cpu = time.process_time() - began_cpu
    if (summary.done, summary.replies) != (debates, 6 * debates):
        raise SystemExit(f"the study did not finish: {summary}")
    return wall, cpu


def main() -> int:
    """Print one line; return 1 if the study took more than 1.3 times the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--debates", type=int, default=60)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--in-flight", type=int, default=400)
    options = parser.parse_args()
    rounds = max(len(THREE_SPEECHES), 6 * options.debates / options.in_flight)
    limit = (1 + rounds) * options.latency
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time_study(
            Path(folder) / "a.duckdb", options.debates, options.latency, options.in_flight
        )
    print(
        f"{options.debates} debates: {wall:.2f} s, limit {limit:.2f} s,"
        f" ratio {wall / limit:.2f}, processor {cpu:.2f} s"
    )
    return int(wall > 1.3 * limit)


if __name__ == "__main__":
    sys.exit(main())
