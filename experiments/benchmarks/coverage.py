"""Measure how often the report's 95% intervals hold the truth, over seeded simulated studies.

    python experiments/benchmarks/coverage.py [--studies 200] [--debates 40]
        [--profile confident:unreadable=0.2]

The expected confidence of a simulated debater is known exactly.  Each study is a number of debates
of one profile against itself, played, stored and reported like any other; only the seed differs.
The two sides of a simulated debate share part of their error, so an interval that takes ratings as
independent covers too rarely.  Exit status 1 if a share lies outside 90 to 99%.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from agents import agent
from agents.simulated.debater import expected_confidence
from analysis.reports.debates import study_reports
from arena import Arena, ArenaError, Arm, Study, Subject, against_itself
from protocols.debate import THREE_SPEECHES, debate


def interval_coverage(path: Path, profile: str, seed: int, debates: int) -> dict[str, bool]:
    """Play one study; return by quantity whether the report's interval holds the truth."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    # Each seed is another draw from the same truth.
    lineups = list(against_itself([agent(f"sim/{profile}:seed={seed}")]))
    study = Study(f"coverage {seed}", [Arm("only", debate, lineups)], motions)
    Arena(path).run(study, watch=lambda stats: None)
    [report] = study_reports(path, study.name)
    assert report.debates is not None
    assert report.debates.rise is not None
    truth = [expected_confidence(profile, round) for round in range(len(THREE_SPEECHES))]
    held = {
        row.phase: row.rating.ci_low <= mean <= row.rating.ci_high
        for row, mean in zip(report.debates.phases, truth, strict=True)
    }
    rise = report.debates.rise.change
    held["rise"] = rise.ci_low <= truth[-1] - truth[0] <= rise.ci_high
    return held


def coverage_shares(profile: str, studies: int, debates: int) -> dict[str, float]:
    """Return by quantity the share of seeded studies whose interval holds the truth."""
    hits = Counter[str]()
    for seed in range(studies):
        with tempfile.TemporaryDirectory() as folder:
            hits.update(interval_coverage(Path(folder) / "arena.duckdb", profile, seed, debates))
    return {name: count / studies for name, count in hits.items()}


def main() -> int:
    """Print one line per quantity."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--debates", type=int, default=40)
    parser.add_argument("--profile", default="confident:unreadable=0.2")
    options = parser.parse_args()
    if options.studies < 1 or options.debates < 2:
        parser.error("an interval needs at least 1 study of at least 2 debates")
    try:
        shares = coverage_shares(options.profile, options.studies, options.debates)
    except ArenaError as error:
        parser.error(str(error))
    print(
        f"{options.studies} studies of {options.debates} debates, sim/{options.profile}:"
        " share of 95% intervals that hold the truth"
    )
    for name, share in shares.items():
        print(f"  {name:10} {100 * share:5.1f}%")
    # About three standard errors around 95% with 200 studies.
    return int(any(not 0.9 <= share <= 0.99 for share in shares.values()))


if __name__ == "__main__":
    sys.exit(main())
