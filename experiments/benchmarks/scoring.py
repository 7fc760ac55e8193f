"""Measure what it costs to score stored replies, beside the calls to the models.

    python -m experiments.benchmarks.scoring --turns 100000

A scripted model that answers at once gives ten replies of 1 kB to each of so many questions; then
three black-box estimators score them all: the votes of the samples, self-probing, and P(True) by
replies.  The time is that of the processor, all calls to the instant model included, and comes in
parts: the plan (reading who said what), the run, and a run that finds all done.  The most memory is
that of the process.  Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study, Subject
from arena.text import utc_now
from arena.tournaments.stages import resolve_stage
from arena.types import Request
from protocols import named
from protocols.scoring import Wanted, score

Result = TypeVar("Result")
SAMPLES = 10
WORDS = "Step by step we add one number to the other and check what comes of it. " * 14
ESTIMATORS: list[Wanted] = ["consistency", "self_probing", ("p_true_empirical", {"replies": 1})]


def main() -> None:
    """Make the replies unless they are there, score them, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--turns", type=int, default=100_000, help="stored replies")
    options.add_argument("--db", type=Path, help="a store to make, or to use again")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given.db or Path(folder) / "scoring.duckdb", given.turns)


def measure(path: Path, turns: int) -> None:
    """Score so many stored replies, and print the processor time of each part."""
    print(f"{utc_now():%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    arena = Arena(path)
    answered = questions(turns // SAMPLES)
    timed("playing the study that is scored", lambda: arena.run(answered, watch=ignore))
    stage = score("scores", of=answered, estimators=ESTIMATORS)
    study = timed("planning the scoring", lambda: resolve_stage(stage, path))
    scored = timed("scoring", lambda: arena.run(study, watch=ignore))
    again = timed("scoring again", lambda: arena.run(resolve_stage(stage, path), watch=ignore))
    count = arena.sql("select count(*), count(value) from latest_scores").rows[0]
    print(f"{turns} replies, {scored.calls} calls and {again.calls} again; rows, values: {count}")


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Do the work, and print its processor time with the most memory of the process so far."""
    began = time.process_time()
    result = work()
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 if sys.platform == "darwin" else 1024
    )
    print(f"{what}: {seconds:.1f} s of processor time, {peak:.0f} MB at most", flush=True)
    return result


def ignore(stats: object) -> None:
    """Draw no progress."""


def questions(count: int) -> Study:
    """Return a study of ten replies to each of so many questions."""
    solver = Agent("solver", scripted_model(reply, name="instant"))
    subjects = [Subject(f"What is {n} + {n}?", "question", str(2 * n)) for n in range(count)]
    arm = Arm("paths", named("self_consistency"), [{"solver": solver}], {"paths": SAMPLES})
    return Study("replies", [arm], subjects)


def reply(request: Request) -> str:
    """Return an answer that is one of three, or what a probe asks for."""
    if request.place.phase == "probe":
        return "True" if request.sampling.max_tokens == 1 else f"Confidence: {request.seed % 101}%"
    return f"{WORDS} So it is {request.seed}.\n\\boxed{{{request.seed % 3}}}"


if __name__ == "__main__":
    main()
