"""Measure the cost of answering 2,000 questions with 8 paths each: simulated, over HTTP, reported.

    python experiments/benchmarks/peers.py [--questions 2000] [--paths 8] [--latency 0.1]
        [--in-flight 64]

Self-consistency on `sim/solver`: wall seconds of the run and of the report.  The same against a
server of its own process on loopback that answers after the latency: wall time beside the limit,
calls / in flight x latency.  Then one sample and a vote of 16 on the toy that adds three numbers:
the share of right answers.
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
from agents.simulated.questions import simulated_questions
from agents.toy.problems import sums
from analysis.reports.debates import study_reports
from arena import Arena, Arm, Sampling, Study
from protocols.self_consistency import self_consistency
from protocols.single import single
from tests.fake_server import chat_process


def vote_study(reference: str, questions: int, paths: int) -> Study:
    """Return self-consistency of one solver over simulated questions."""
    lineup = {"solver": agent(reference)}
    arm = Arm("vote", self_consistency, [lineup], {"paths": paths})
    return Study("vote", [arm], simulated_questions(questions))


def time_simulated(folder: Path, questions: int, paths: int) -> None:
    """Print the seconds of the simulated study and of its report."""
    arena = Arena(folder / "sim.duckdb", concurrency=64)
    study = vote_study("sim/solver", questions, paths)
    began = time.perf_counter()
    summary = arena.run(study, watch=lambda stats: None)
    played = time.perf_counter()
    study_reports(arena.path)
    ended = time.perf_counter()
    print(
        f"simulated: {summary.replies:,} replies in {played - began:.1f} s,"
        f" report in {ended - played:.1f} s, together {ended - began:.1f} s"
    )


def time_http(folder: Path, questions: int, paths: int, latency_s: float, in_flight: int) -> None:
    """Print the wall time against a server beside its limit."""
    with chat_process("--latency", str(latency_s)) as url:
        arena = Arena(folder / "http.duckdb", concurrency=in_flight)
        study = vote_study(f"http/any@{url}", questions, paths)
        began, began_cpu = time.perf_counter(), time.process_time()
        summary = arena.run(study, watch=lambda stats: None)
        wall = time.perf_counter() - began
        cpu = time.process_time() - began_cpu
    # With every place in use all the time.
    limit = summary.calls / in_flight * latency_s
    print(
        f"over HTTP: {summary.calls:,} calls in {wall:.1f} s, limit {limit:.1f} s,"
        f" {wall / limit:.2f} times; {cpu:.1f} CPU s"
    )


def compare_toy(folder: Path, questions: int) -> None:
    """Print the share of right answers of the toy, with one sample and with a vote of 16."""
    arena = Arena(folder / "toy.duckdb")
    solver = {"solver": agent("toy/sum", sampling=Sampling(temperature=1.7, max_tokens=100))}
    arms = [
        Arm("single", single, [solver]),
        Arm("vote of 16", self_consistency, [solver], {"paths": 16}),
    ]
    arena.run(Study("toy", arms, sums(questions)), watch=lambda stats: None)
    rows = arena.sql("select arm, questions, 100 * accuracy from accuracy order by accuracy").rows
    for arm, answered, percent in rows:
        print(f"toy/sum at temperature 1.7: {arm}: {percent:.1f}% of {answered}")


def main() -> None:
    """Run the three measurements in a temporary folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--paths", type=int, default=8)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        time_simulated(folder, options.questions, options.paths)
        time_http(folder, options.questions, options.paths, options.latency, options.in_flight)
        # The toy computes on this machine's processor: fewer questions are enough.
        compare_toy(folder, min(options.questions, 200))


if __name__ == "__main__":
    main()
