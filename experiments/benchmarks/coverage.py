"""How often the report's 95% intervals hold the truth: seeded studies of simulated debaters, whose expected confidence is known exactly.

    python experiments/benchmarks/coverage.py [--studies 200] [--debates 40] [--profile confident:unreadable=0.2]

Each study is a number of debates of one profile against itself, played, stored and reported like any other; only the seed differs.  The
two sides of a simulated debate share part of their error, so an interval that takes ratings as independent covers too rarely.  Exit
status 1 where a share lies outside 90 to 99%.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from agents import agent
from agents.simulated.debater import expected_confidence
from analysis.reports.debates import report
from arena import Arena, ArenaError, Arm, Study, Subject, against_itself
from protocols.debate import THREE_SPEECHES, debate


def interval_coverage(path: Path, profile: str, seed: int, debates: int) -> dict[str, bool]:
    """Play one study into the store and tell for each quantity whether the report's interval holds the truth."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    lineups = list(against_itself([agent(f"sim/{profile}:seed={seed}")]))
    study = Study(f"coverage {seed}", [Arm("only", debate, lineups)], motions)
    Arena(path).run(study, watch=lambda tally: None)
    [found] = report(path, study.name)
    truth = [expected_confidence(profile, round) for round in range(len(THREE_SPEECHES))]
    held = {
        row["phase"]: row["ci_low"] <= mean <= row["ci_high"]
        for row, mean in zip(found["phases"], truth, strict=True)
    }
    return held | {
        "rise": found["rise"]["ci_low"] <= truth[-1] - truth[0] <= found["rise"]["ci_high"]
    }


def shares(profile: str, studies: int, debates: int) -> dict[str, float]:
    """The share of seeded studies whose interval holds the truth, by quantity."""
    hits: dict[str, int] = {}
    for seed in range(studies):
        with tempfile.TemporaryDirectory() as folder:
            for name, hit in interval_coverage(
                Path(folder) / "arena.duckdb", profile, seed, debates
            ).items():
                hits[name] = hits.get(name, 0) + hit
    return {name: count / studies for name, count in hits.items()}


def main() -> int:
    """Print one line per quantity."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--studies", type=int, default=200)
    words.add_argument("--debates", type=int, default=40)
    words.add_argument("--profile", default="confident:unreadable=0.2")
    chosen = words.parse_args()
    if chosen.studies < 1 or chosen.debates < 2:
        words.error("an interval needs at least 1 study of at least 2 debates")
    try:
        found = shares(chosen.profile, chosen.studies, chosen.debates)
    except ArenaError as error:
        words.error(str(error))
    print(
        f"{chosen.studies} studies of {chosen.debates} debates, sim/{chosen.profile}: share of 95% intervals that hold the truth"
    )
    for name, share in found.items():
        print(f"  {name:10} {100 * share:5.1f}%")
    return int(any(not 0.9 <= share <= 0.99 for share in found.values()))


if __name__ == "__main__":
    sys.exit(main())
