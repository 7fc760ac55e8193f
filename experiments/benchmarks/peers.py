"""What answering questions costs: 2,000 questions with 8 paths each, simulated and over HTTP, with the report.

    python experiments/benchmarks/peers.py [--questions 2000] [--paths 8] [--latency 0.1] [--in-flight 64]

Self-consistency on `sim/solver`: wall seconds of the run and of the report.  The same against a server of its own process on loopback that
answers after the latency: wall time beside the limit, calls / in flight x latency.  Then LeaP and self-consistency on the toy that adds three
numbers: right answers, with the intervals that the report gives.
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
from agents.simulated.questions import simulated_questions  # noqa: E402
from agents.toy.problems import sums  # noqa: E402
from analysis.reports.debates import report  # noqa: E402
from arena import Arena, Arm, Sampling, Study  # noqa: E402
from protocols.self_consistency import self_consistency  # noqa: E402
from protocols.single import single  # noqa: E402
from tests.fake_server import chat_process  # noqa: E402


def time_simulated(folder: Path, questions: int, paths: int) -> None:
    """Print what the simulated study and its report take."""
    arena = Arena(folder / "sim.duckdb", concurrency=64)
    study = Study(
        "sim",
        [Arm("vote", self_consistency, [{"solver": agent("sim/solver")}], {"paths": paths})],
        simulated_questions(questions),
    )
    began = time.perf_counter()
    summary = arena.run(study, watch=lambda tally: None)
    played = time.perf_counter()
    report(arena.path)
    done = time.perf_counter()
    print(
        f"simulated: {summary.replies:,} replies in {played - began:.1f} s, report in {done - played:.1f} s, together {done - began:.1f} s"
    )


def over_http(folder: Path, questions: int, paths: int, latency_s: float, in_flight: int) -> None:
    """Print the wall time against a server beside its limit."""
    with chat_process("--latency", str(latency_s)) as url:
        arena = Arena(folder / "http.duckdb", concurrency=in_flight)
        solver = {"solver": agent(f"http/any@{url}")}
        study = Study(
            "http",
            [Arm("vote", self_consistency, [solver], {"paths": paths})],
            simulated_questions(questions),
        )
        began, cpu = time.perf_counter(), time.process_time()
        summary = arena.run(study, watch=lambda tally: None)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    limit = summary.calls / in_flight * latency_s
    print(
        f"over HTTP: {summary.calls:,} calls in {wall:.1f} s, limit {limit:.1f} s, {wall / limit:.2f} times; {cpu:.1f} CPU s"
    )


def toy(folder: Path, questions: int) -> None:
    """Print what a vote of 16 adds on the toy."""
    arena = Arena(folder / "toy.duckdb")
    solver = {"solver": agent("toy/sum", sampling=Sampling(temperature=1.7, max_tokens=100))}
    arms = [
        Arm("single", single, [solver]),
        Arm("vote of 16", self_consistency, [solver], {"paths": 16}),
    ]
    arena.run(Study("toy", arms, sums(questions)), watch=lambda tally: None)
    for arm in arena.sql(
        "select arm, questions, round(100 * accuracy, 1) as percent from accuracy order by accuracy"
    ).dicts():
        print(f"toy/sum at temperature 1.7: {arm['arm']}: {arm['percent']}% of {arm['questions']}")


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--paths", type=int, default=8)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--in-flight", type=int, default=64)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        time_simulated(Path(folder), args.questions, args.paths)
        over_http(Path(folder), args.questions, args.paths, args.latency, args.in_flight)
        toy(Path(folder), min(args.questions, 200))


if __name__ == "__main__":
    main()
