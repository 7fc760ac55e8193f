"""Compare the power that `arena power` estimates with studies that share no code with it.

    python experiments/benchmarks/power.py [--studies 5000] [--seed 1] [--played 100]

Is it the share of studies that find the effect?  First, for a grid of effects, numbers of debates
and claims, with no effect and unreadable ratings among them: `arena power --json` with 20,000
simulated studies, beside the share of significant results in 5,000 studies from the generator and
the tests written here in plain Python: one rating at a time, re-asked as in a debate, the variance
by expanded sums, decisions by critical values or intervals instead of p.  (With 2,000 studies three
points are 2.6 standard errors at a power of a half: among 35 rows one is off by chance in every
fifth run or so.)  Then a few points the slow way: studies of 20 debates that are played through the
arena, with the p-values of `arena report`.

Exit status 1 if a share of the grid is off by more than three points, or a played one by more than
three standard errors.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import json
import math
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t as student

from agents import agent
from analysis.reports.debates import StudyReport, study_reports
from arena import Arena, Arm, Study, Subject, against_itself
from arena.cli.main import main as arena_command
from protocols.debate import debate

LEVEL = 0.05
MARGIN = 0.05
PHASES = 3
POWER_STUDIES = 20_000
WITHIN_POINTS = 3.0
StudyRatings = list[list[list[float | None]]]  # debates, sides, phases


@dataclass(frozen=True)
class Kind:
    """A kind of debater: its first mean confidence, the rise per phase, two spreads, and unread.

    `shared_sd` is the part of the spread that both sides of a debate share, `unread` the
    probability that a rating cannot be read.
    """

    start: float = 0.5
    step: float = 0.0
    own_sd: float = 0.08
    shared_sd: float = 0.05
    unread: float = 0.0

    def reference(self) -> str:
        """Return the kind in the words of `arena power`."""
        own = f"bias={self.start - 0.5!r}:drift={self.step}:noise={self.own_sd}"
        return f"sim/even:{own}:debate_sd={self.shared_sd}:unreadable={self.unread}"


EVEN = Kind()
# The claim with its pairing, the two kinds (None: against itself), and the numbers of debates.
GRID: list[tuple[str, Kind, Kind | None, list[int]]] = [
    ("rise", EVEN, None, [10, 40]),
    ("rise", Kind(step=0.02), None, [10, 20, 40]),
    ("rise", Kind(start=0.6, step=0.03, own_sd=0.15, unread=0.5), None, [20, 40]),
    ("rise", Kind(start=0.93, step=0.02, own_sd=0.12), None, [20, 60]),
    ("rise", Kind(step=0.03), EVEN, [20, 40]),
    ("above-half", EVEN, None, [5, 20]),
    ("above-half", Kind(start=0.53), None, [10, 20, 40]),
    ("above-half", Kind(start=0.54, shared_sd=0.12, unread=0.6), None, [10, 40]),
    ("equivalence", EVEN, None, [30, 40]),
    ("equivalence", Kind(start=0.52), None, [30, 60]),
    ("equivalence", Kind(start=0.55), None, [40]),
    ("difference", EVEN, EVEN, [10]),
    ("difference", Kind(start=0.54), EVEN, [10, 20, 40]),
    ("difference", Kind(start=0.5, own_sd=0.25, unread=0.5), EVEN, [10, 40]),
    ("difference", Kind(start=0.58, own_sd=0.25, unread=0.5), EVEN, [40]),
    ("difference motion", Kind(start=0.54, unread=0.3), EVEN, [20, 40]),
    ("difference debate", Kind(start=0.5, shared_sd=0.2), Kind(shared_sd=0.2), [20]),
    (
        "difference debate",
        Kind(start=0.54, shared_sd=0.2, unread=0.4),
        Kind(shared_sd=0.2),
        [20, 60],
    ),
]
PLAYED = [Kind(start=0.53, step=0.01), Kind(start=0.56, step=0.02, own_sd=0.15, unread=0.4), EVEN]


def draw_study(draw: random.Random, first: Kind, second: Kind, debates: int) -> StudyRatings:
    """Draw one study, a rating at a time."""
    study: StudyRatings = []
    for _ in range(debates):
        shared = draw.gauss(0.0, 1.0)
        study.append(
            [
                [draw_rating(draw, kind, phase, shared) for phase in range(PHASES)]
                for kind in (first, second)
            ]
        )
    return study


def draw_rating(draw: random.Random, kind: Kind, phase: int, shared: float) -> float | None:
    """Draw one rating: if it cannot be read, it is asked for once more."""
    for _ in range(2):
        level = draw.gauss(kind.start + kind.step * phase + kind.shared_sd * shared, kind.own_sd)
        if draw.random() < kind.unread:
            continue
        # Stated in whole percent, between 0 and 100.
        return int(100 * min(1.0, max(0.0, level)) + 0.5) / 100
    return None


def moments(rows: list[list[float]]) -> tuple[float, float, int]:
    """Return the mean, the variance of the mean, and the number of debates of values by debate.

    Debates are clusters: the variance is that of a ratio of sums, here with its square expanded.
    """
    rows = [row for row in rows if row]
    if len(rows) < 2:
        return math.nan, math.nan, len(rows)
    n = sum(map(len, rows))
    mean = sum(map(sum, rows)) / n
    squares = (
        sum(sum(row) ** 2 for row in rows)
        - 2 * mean * sum(sum(row) * len(row) for row in rows)
        + mean**2 * sum(len(row) ** 2 for row in rows)
    )
    return mean, len(rows) / (len(rows) - 1) * squares / n**2, len(rows)


@functools.cache
def critical(tail: float, degrees: float) -> float:
    """Return Student's quantile that leaves so much above it."""
    return float(student.isf(tail, degrees))


def last_ratings(study: StudyRatings) -> list[list[float]]:
    """Return the readable ratings of the last phase, by debate."""
    return [[side[-1] for side in play if side[-1] is not None] for play in study]


def significant(
    claim: str, draw: random.Random, one: Kind, other: Kind | None, debates: int
) -> bool:
    """Draw a study of so many debates, and tell whether it finds its claim."""
    if claim == "difference debate":
        study = draw_study(draw, one, other or one, debates)
        return differs_from_zero([gaps([play[0][-1]], [play[1][-1]]) for play in study])
    if claim.startswith("difference"):
        first, second = (draw_study(draw, kind, kind, debates) for kind in (one, other or one))
        if claim.endswith("motion"):
            pairs = zip(first, second, strict=True)
            rows = [gaps([side[-1] for side in a], [side[-1] for side in b]) for a, b in pairs]
            return differs_from_zero(rows)
        return means_differ(last_ratings(first), last_ratings(second))
    study = draw_study(draw, one, other or one, debates)
    if claim == "rise":
        rows = [gaps([side[-1] for side in play], [side[0] for side in play]) for play in study]
        return differs_from_zero(rows)
    mean, variance, groups = moments(last_ratings(study))
    if not variance > 0:
        return False
    if claim == "above-half":
        return abs(mean - 0.5) > critical(LEVEL / 2, groups - 1) * math.sqrt(variance)
    # Two one-sided tests: the 90% interval must lie within the margin around one half.
    width = critical(LEVEL, groups - 1) * math.sqrt(variance)
    return mean - width > 0.5 - MARGIN and mean + width < 0.5 + MARGIN


def means_differ(first: list[list[float]], second: list[list[float]]) -> bool:
    """Tell by Welch's test, with debates as clusters, whether two means differ."""
    a, u, m = moments(first)
    b, v, n = moments(second)
    if not u + v > 0:
        return False
    # Satterthwaite's degrees of freedom, from the two variances.
    degrees = (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1))
    return abs(a - b) > float(student.isf(LEVEL / 2, degrees)) * math.sqrt(u + v)


def gaps(later: list[float | None], earlier: list[float | None]) -> list[float]:
    """Return the differences of ratings of which both could be read."""
    return [a - b for a, b in zip(later, earlier, strict=True) if a is not None and b is not None]


def differs_from_zero(rows: list[list[float]]) -> bool:
    """Tell whether values by debate have a mean other than 0."""
    mean, variance, groups = moments(rows)
    return variance > 0 and abs(mean) > critical(LEVEL / 2, groups - 1) * math.sqrt(variance)


def arena_power(claim: str, one: Kind, other: Kind | None, debates: list[int]) -> list[float]:
    """Return the power that `arena power` estimates, by number of debates."""
    name, _, paired = claim.partition(" ")
    options = {
        "--claim": name,
        "--debates": ",".join(map(str, debates)),
        "--most": str(max(debates)),
        "--studies": str(POWER_STUDIES),
        # Hardly ever reached: the smallest number of debates is of no interest here.
        "--target": "0.9999999",
        "--margin": f"{100 * MARGIN:g}",
        "--level": str(LEVEL),
        "--phases": str(PHASES),
    }
    options |= {"--against": other.reference()} if other else {}
    options |= {"--paired": paired} if paired else {}
    command = ["power", one.reference(), "--json", *itertools.chain(*options.items())]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert arena_command(command) == 0
    return [row["share"] for row in json.loads(output.getvalue())["powers"]]


def describe(kind: Kind | None) -> str:
    """Return in words how a kind differs from the even one."""
    if kind is None:
        return "itself"
    parts = [
        f"{name}={value:g}" for name, value in vars(kind).items() if value != getattr(EVEN, name)
    ]
    return " ".join(parts) or "even"


def compare(studies: int, seed: int) -> int:
    """Print the grid; return how many shares are off by more than three points."""
    print(
        f"{'claim':17} {'debaters':46} {'against':13} debates  arena power"
        f"  {studies:6,} studies  points    sd  within 3"
    )
    off = 0
    squares = []
    for claim, one, other, debates in GRID:
        for number, share in zip(debates, arena_power(claim, one, other, debates), strict=True):
            # A seed of its own for each row: rows can be compared between grids.
            draw = random.Random(f"{seed} {claim} {one} {other} {number}")
            hits = sum(significant(claim, draw, one, other, number) for _ in range(studies))
            ours = hits / studies
            difference = 100 * (share - ours)
            sd = 100 * math.sqrt(share * (1 - share) * (1 / studies + 1 / POWER_STUDIES))
            within = abs(difference) <= WITHIN_POINTS
            off += not within
            # A power of 0 or 1 has no spread to compare with.
            squares += [(difference / sd) ** 2] if sd else []
            print(
                f"{claim:17} {describe(one):46} {describe(other):13} {number:7}"
                f" {100 * share:11.1f}% {100 * ours:13.1f}%  {difference:+6.1f} {sd:5.2f}"
                f"  {'yes' if within else 'NO'}",
                flush=True,
            )
    print(
        f"{len(squares)} rows, {off} off by more than three points; mean square of points / sd"
        f" {statistics.fmean(squares):.2f} (1 if only chance differs)"
    )
    return off


def play_studies(kind: Kind, studies: int, debates: int) -> list[tuple[str, float]]:
    """Play studies of a kind of debater against itself.

    Returns each claim with the share of studies whose p in `arena report` is below the level.
    """
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder) / "arena.duckdb")
        for number in range(studies):
            arms = [Arm("only", debate, list(against_itself([agent(kind.reference())])))]
            arena.run(Study(f"power {number}", arms, motions), watch=lambda stats: None)
        p_values = [claim_p_values(report) for report in study_reports(arena.path)]
    # An undefined p is nan, which is below no level.
    return [
        (claim, sum(p[claim] < LEVEL for p in p_values) / studies)
        for claim in ("rise", "above-half")
    ]


def claim_p_values(report: StudyReport) -> dict[str, float]:
    """Return the p-values of a report by claim."""
    assert report.debates is not None
    assert report.debates.rise is not None
    assert report.debates.against_half is not None
    return {
        "rise": report.debates.rise.change.p,
        "above-half": report.debates.against_half[-1].test.p,
    }


def compare_played(studies: int, debates: int = 20) -> int:
    """Print the played points; return how many are off by more than three standard errors."""
    print(
        f"\nThe slow way: {studies} studies of {debates} debates each, played, stored and reported"
    )
    off = 0
    for kind in PLAYED:
        for claim, played in play_studies(kind, studies, debates):
            share = arena_power(claim, kind, None, [debates])[0]
            sd = math.sqrt(share * (1 - share) / studies)
            within = abs(share - played) <= 3 * sd
            off += not within
            print(
                f"{claim:17} {describe(kind):60} {debates:7} {100 * share:11.1f}%"
                f" {100 * played:13.1f}%  {100 * (share - played):+6.1f} {100 * sd:5.2f}"
                f"  {'within 3 sd' if within else 'NO'}",
                flush=True,
            )
    return off


def main() -> int:
    """Print both comparisons; return 1 if anything is off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--played",
        type=int,
        default=100,
        help="studies to play through the arena for each point (0: none)",
    )
    options = parser.parse_args()
    if options.studies < 1 or options.played < 0:
        parser.error("at least one study is needed")
    began = time.monotonic()
    off = compare(options.studies, options.seed)
    if options.played:
        off += compare_played(options.played)
    print(f"{time.monotonic() - began:.0f} s")
    return int(off > 0)


if __name__ == "__main__":
    sys.exit(main())
