"""Is the power that `arena power` estimates the share of studies that find the effect?  Compared with studies that share no code with it.

    python experiments/benchmarks/power.py [--studies 5000] [--seed 1] [--played 100]

First, for a grid of effects, numbers of debates and claims, with no effect and unreadable ratings among them: `arena power --json` with
20,000 simulated studies, beside the share of significant results in 5,000 studies from the generator and the tests written here in plain
Python: one rating at a time, re-asked as in a debate, the variance by expanded sums, decisions by critical values or intervals instead of p.
(With 2,000 studies three points are 2.6 standard errors at a power of a half: among 35 rows one is off by chance in every fifth run or so.)
Then a few points the slow way: studies of 20 debates that are played through the arena, with the p-values of `arena report`.

Exit status 1 where a share of the grid is off by more than three points, or a played one by more than three standard errors.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t as student

from agents import agent
from analysis.reports.debates import report
from arena import Arena, Arm, Study, Subject, against_itself
from arena.cli.main import main as arena_command
from protocols.debate import debate

LEVEL, MARGIN, PHASES = 0.05, 0.05, 3
WITHIN_POINTS = 3.0
StudyRatings = list[list[list[float | None]]]  # debates, sides, phases


@dataclass(frozen=True)
class Kind:
    """A kind of debater, in our own words: where it starts, what it adds per phase, how it spreads, how often it cannot be read."""

    start: float = 0.5
    step: float = 0.0
    own_sd: float = 0.08
    shared_sd: float = 0.05
    unread: float = 0.0

    def reference(self) -> str:
        """How `arena power` calls it."""
        own = f"bias={self.start - 0.5!r}:drift={self.step}:noise={self.own_sd}"
        return f"sim/even:{own}:debate_sd={self.shared_sd}:unreadable={self.unread}"


EVEN = Kind()
# Claim with its options, the two kinds (None: against itself), and the numbers of debates.
GRID: list[tuple[str, Kind, Kind | None, list[int]]] = [
    ("rise", EVEN, None, [10, 40]),
    ("rise", Kind(step=0.02), None, [10, 20, 40]),
    ("rise", Kind(start=0.6, step=0.03, own_sd=0.15, unread=0.5), None, [20, 40]),
    ("rise", Kind(start=0.93, step=0.02, own_sd=0.12), None, [20, 60]),
    ("rise", Kind(step=0.03), EVEN, [20, 40]),
    ("above-half", EVEN, None, [5, 20]),
    ("above-half", Kind(start=0.53), None, [10, 20, 40]),
    ("above-half", Kind(start=0.54, shared_sd=0.12, unread=0.6), None, [10, 40]),
    ("equivalence", EVEN, None, [10, 20]),
    ("equivalence", Kind(start=0.52), None, [20, 40]),
    ("equivalence", Kind(start=0.55), None, [20]),
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
    """One study, a rating at a time."""
    study: StudyRatings = []
    for _ in range(debates):
        day = draw.gauss(0.0, 1.0)
        study.append(
            [
                [rating(draw, kind, phase, day) for phase in range(PHASES)]
                for kind in (first, second)
            ]
        )
    return study


def rating(draw: random.Random, kind: Kind, phase: int, day: float) -> float | None:
    """One rating: asked for, and where it cannot be read asked for once more."""
    for _ in range(2):
        level = draw.gauss(kind.start + kind.step * phase + kind.shared_sd * day, kind.own_sd)
        if draw.random() < kind.unread:
            continue
        return int(100 * min(1.0, max(0.0, level)) + 0.5) / 100
    return None


def moments(rows: list[list[float]]) -> tuple[float, float, int]:
    """(mean, variance of the mean, debates) of values by debate: the variance of a ratio of sums, expanded."""
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
    """Student's quantile that leaves so much above it."""
    return float(student.isf(tail, degrees))


def last_ratings(study: StudyRatings) -> list[list[float]]:
    """The readable ratings of the last phase, by debate."""
    return [[side[-1] for side in play if side[-1] is not None] for play in study]


def significant(
    claim: str, draw: random.Random, one: Kind, other: Kind | None, debates: int
) -> bool:
    """Whether a study of so many debates finds its claim."""
    if claim == "difference debate":
        study = draw_study(draw, one, other or one, debates)
        return differs_from_zero([gaps([play[0][-1]], [play[1][-1]]) for play in study])
    if claim.startswith("difference"):
        first, second = (draw_study(draw, kind, kind, debates) for kind in (one, other or one))
        if claim.endswith("motion"):
            return differs_from_zero(
                [
                    gaps([side[-1] for side in a], [side[-1] for side in b])
                    for a, b in zip(first, second, strict=True)
                ]
            )
        return means_differ(last_ratings(first), last_ratings(second))
    study = draw_study(draw, one, other or one, debates)
    if claim == "rise":
        return differs_from_zero(
            [gaps([side[-1] for side in play], [side[0] for side in play]) for play in study]
        )
    mean, variance, groups = moments(last_ratings(study))
    if not variance > 0:
        return False
    if claim == "above-half":
        return abs(mean - 0.5) > critical(LEVEL / 2, groups - 1) * math.sqrt(variance)
    width = critical(LEVEL, groups - 1) * math.sqrt(variance)
    return mean - width > 0.5 - MARGIN and mean + width < 0.5 + MARGIN


def means_differ(first: list[list[float]], second: list[list[float]]) -> bool:
    """Welch's test with debates as clusters."""
    (a, u, m), (b, v, n) = moments(first), moments(second)
    if not u + v > 0:
        return False
    degrees = (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1))
    return abs(a - b) > float(student.isf(LEVEL / 2, degrees)) * math.sqrt(u + v)


def gaps(later: list[float | None], earlier: list[float | None]) -> list[float]:
    """The differences of ratings of which both could be read."""
    return [a - b for a, b in zip(later, earlier, strict=True) if a is not None and b is not None]


def differs_from_zero(rows: list[list[float]]) -> bool:
    """Whether values by debate have a mean other than 0."""
    mean, variance, groups = moments(rows)
    return variance > 0 and abs(mean) > critical(LEVEL / 2, groups - 1) * math.sqrt(variance)


def arena_power(claim: str, one: Kind, other: Kind | None, debates: list[int]) -> list[float]:
    """What `arena power` says, by number of debates."""
    name, _, paired = claim.partition(" ")
    command = [
        "power",
        one.reference(),
        "--claim",
        name,
        "--debates",
        ",".join(map(str, debates)),
        "--most",
        str(max(debates)),
        "--json",
    ]
    command += ["--against", other.reference()] if other else []
    command += ["--paired", paired] if paired else []
    # A target that is hardly ever reached: the smallest number of debates is not asked for here.
    command += [
        "--studies",
        "20000",
        "--target",
        "0.9999999",
        "--margin",
        str(MARGIN),
        "--level",
        str(LEVEL),
        "--phases",
        str(PHASES),
    ]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert arena_command(command) == 0
    return [row["share"] for row in json.loads(said.getvalue())["powers"]]


def words_of(kind: Kind | None) -> str:
    """What differs from the even kind."""
    if kind is None:
        return "itself"
    return (
        " ".join(
            f"{name}={value:g}"
            for name, value in vars(kind).items()
            if value != getattr(EVEN, name)
        )
        or "even"
    )


def compare(studies: int, seed: int) -> int:
    """Print the grid; returns how many shares are off by more than three points."""
    print(
        f"{'claim':17} {'debaters':46} {'against':13} debates  arena power  {studies:6,} studies  points    sd  within 3"
    )
    off, squares, points = 0, 0.0, 0
    for claim, one, other, debates in GRID:
        for number, share in zip(debates, arena_power(claim, one, other, debates), strict=True):
            draw = random.Random(f"{seed} {claim} {one} {other} {number}")
            found = (
                sum(significant(claim, draw, one, other, number) for _ in range(studies)) / studies
            )
            difference, sd = (
                100 * (share - found),
                100 * math.sqrt(share * (1 - share) * (1 / studies + 1 / 20_000)),
            )
            within = abs(difference) <= WITHIN_POINTS
            off += not within
            squares, points = squares + (difference / sd) ** 2 if sd else squares, points + bool(sd)
            kinds = f"{claim:17} {words_of(one):46} {words_of(other):13}"
            print(
                f"{kinds} {number:7} {100 * share:11.1f}% {100 * found:13.1f}%  {difference:+6.1f} {sd:5.2f}  {'yes' if within else 'NO'}",
                flush=True,
            )
    rows = f"{points} rows, {off} off by more than three points"
    print(
        f"{rows}; mean square of points / sd {squares / points:.2f} (1 where only chance differs)"
    )
    return off


def play_studies(kind: Kind, studies: int, debates: int) -> list[tuple[str, float]]:
    """(claim, share of played studies whose p in `arena report` is below the level) of a kind of debater against itself."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder) / "arena.duckdb")
        for number in range(studies):
            arms = [Arm("only", debate, list(against_itself([agent(kind.reference())])))]
            arena.run(Study(f"power {number}", arms, motions), watch=lambda tally: None)
        reports = report(arena.path)
    p_values: list[tuple[str, Callable[[dict], float | None]]] = [
        ("rise", lambda found: found["rise"]["p"]),
        ("above-half", lambda found: found["against_half"][-1]["p"]),
    ]
    return [
        (claim, sum((p_of(found) or 1.0) < LEVEL for found in reports) / studies)
        for claim, p_of in p_values
    ]


def compare_played(studies: int, debates: int = 20) -> int:
    """Print the points that were played; returns how many are off by more than three standard errors."""
    print(
        f"\nThe slow way: {studies} studies of {debates} debates each, played, stored and reported"
    )
    off = 0
    for kind in PLAYED:
        for claim, found in play_studies(kind, studies, debates):
            share = arena_power(claim, kind, None, [debates])[0]
            sd = math.sqrt(share * (1 - share) / studies)
            within = abs(share - found) <= 3 * sd
            off += not within
            verdict = "within 3 sd" if within else "NO"
            words = f"{claim:17} {words_of(kind):60}"
            print(
                f"{words} {debates:7} {100 * share:11.1f}% {100 * found:13.1f}%  {100 * (share - found):+6.1f} {100 * sd:5.2f}  {verdict}",
                flush=True,
            )
    return off


def main() -> int:
    """Both comparisons."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--studies", type=int, default=5000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument(
        "--played",
        type=int,
        default=100,
        help="studies to play through the arena for each point (0: none)",
    )
    chosen = words.parse_args()
    if chosen.studies < 1 or chosen.played < 0:
        words.error("at least one study is needed")
    began = time.monotonic()
    off = compare(chosen.studies, chosen.seed)
    if chosen.played:
        off += compare_played(chosen.played)
    print(f"{time.monotonic() - began:.0f} s")
    return int(off > 0)


if __name__ == "__main__":
    sys.exit(main())
