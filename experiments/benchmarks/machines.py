"""Compare the ways to play: one process, processes with one record, workers or engines of Ray.

    python experiments/benchmarks/machines.py [--rounds 3] [--debates 2000] [--in-flight 256]
        [--ray PYTHON]

The model is a function that answers after 50 ms, so that the cost of everything else is measured.
The ways take turns, round after round; a figure is the median over the rounds, a ratio the median
of the ratios within a round, where both met the same state of the machine.  Replies a second are
those of the middle 80% of a run, without its start and end; processor time is user and system of
all processes of a run, less that of the same run with a few debates, so that imports count for
neither.  Each run folds its journal.  `--ray` names the Python of an environment that has Ray.
What workers, engines and Ray's own processes take is not counted, as on other nodes: of the ways on
Ray the processor time is that of the process that was started.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

# The programs of this folder are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query

FEW = 16
LONGEST_S = 300
STUDY = """
import asyncio
from agents.scripted import scripted_model
from arena import Agent, Arm, Study, Subject, against_itself
from arena.types import BaseModel, Reply
from protocols.debate import debate

SPEECH = "The house wins by a count, since a count is what a house does well. " * 10

async def reply(request):
    await asyncio.sleep(0.05)
    return f"<thoughts>It stands.</thoughts>\\n<speech>{SPEECH}</speech>\\n<rating>70</rating>"

class OnEngines(BaseModel):
    name = "own/slow"
    simulated = True
    on_engines = True

    async def __call__(self, request):
        return Reply(await reply(request))

def study(*, debates: int, engines: bool = False) -> Study:
    speaker = Agent("slow", OnEngines() if engines else scripted_model(reply, "slow"))
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    return Study("debates", [Arm("only", debate, against_itself([speaker]))], motions)
"""
# The time between the replies of the middle 80%, in seconds, and how many they are.
MIDDLE = """
    select count(*), epoch(max(ended_at) - min(ended_at)) from (
        select ended_at, percent_rank() over (order by ended_at) as rank from turns)
    where rank between 0.1 and 0.9
"""


@dataclass(frozen=True)
class Way:
    """A way to play: its name, the Python that does, and options of `arena run`."""

    name: str
    python: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figures:
    """Replies a second, processor milliseconds a call, and seconds of the whole run."""

    rate: float
    call_ms: float
    wall_s: float


def run(way: Way, folder: Path, debates: int, in_flight: int) -> tuple[Path, float, float]:
    """Play the study once; return its store, and the processor and wall seconds of it."""
    store = folder / f"{time.monotonic_ns()}.duckdb"
    study = folder / "study.py"
    study.write_text(STUDY)
    command = [way.python, "-m", "arena", "run", str(study), "-o", f"debates={debates}"]
    command += ["--db", str(store), "--concurrency", str(in_flight), *way.options]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, cwd=folder)
    after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{way.name} failed: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return store, cpu_s, wall_s


def measure(way: Way, folder: Path, debates: int, in_flight: int) -> Figures:
    """Measure a way once."""
    _, few_cpu_s, _ = run(way, folder, FEW, in_flight)
    store, cpu_s, wall_s = run(way, folder, debates, in_flight)
    count, seconds = query(store, MIDDLE).rows[0]
    calls = 6 * (debates - FEW)
    return Figures(count / seconds, 1000 * (cpu_s - few_cpu_s) / calls, wall_s)


def table(ways: Sequence[Way], found: dict[str, list[Figures]]) -> str:
    """Return the figures as a Markdown table; ratios are of the first way."""
    lines = [
        "| way | replies/s | by one process | CPU ms a call | by one process | all of the run, s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    first = found[ways[0].name]
    for way in ways:
        own = found[way.name]
        rates = statistics.median(each.rate for each in own)
        call_ms = statistics.median(each.call_ms for each in own)
        wall_s = statistics.median(each.wall_s for each in own)
        pairs = list(zip(own, first, strict=True))
        faster = statistics.median(mine.rate / one.rate for mine, one in pairs)
        dearer = statistics.median(mine.call_ms / one.call_ms for mine, one in pairs)
        lines.append(
            f"| {way.name} | {rates:,.0f} | {faster:.2f} | {call_ms:.2f} | {dearer:.2f}"
            f" | {wall_s:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all ways in turns, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--debates", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--ray", metavar="PYTHON")
    parser.add_argument("--only", metavar="WORD", help="one process, and ways whose names have it")
    options = parser.parse_args()
    ways = [
        Way("one process", sys.executable),
        Way("--on processes=2", sys.executable, ("--on", "processes=2")),
    ]
    if options.ray:
        ways.append(Way("--on ray --shards 2", options.ray, ("--on", "ray", "--shards", "2")))
        engines = ("--on", "ray", "--engines", "2", "-o", "engines=true")
        ways.append(Way("--on ray --engines 2", options.ray, engines))
    ways = [way for way in ways if way is ways[0] or (options.only or "") in way.name]
    found: dict[str, list[Figures]] = {way.name: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for round in range(options.rounds):
            for way in ways:
                figures = measure(way, Path(folder), options.debates, options.in_flight)
                found[way.name].append(figures)
                print(f"round {round + 1}, {way.name}: {figures}", file=sys.stderr, flush=True)
    print(table(ways, found))
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    print(f"\n{date}, {os.cpu_count()} cores, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
