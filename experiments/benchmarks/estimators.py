"""Measure how often intervals of the table of estimators hold planted truths, and false winners.

    python -m experiments.benchmarks.estimators [--sets 200] [--questions 200] [--replies 5]

Simulated sets of questions that differ in hardness, and thirty estimators of each reply, of three
kinds: ten that see whether a reply is right and nothing else, ten that see how hard the question is
too, and ten whose values are stated in steps, so that many are equal.  Their errors are shared in
part, by question and between estimators.  The planted AUROC over questions is an integral over
hardness, the one within questions a closed form; of the numbers of an order (AUPRC, PRR, selective
accuracy, AURC) one set of 20,000 questions gives the truth.

Then thirty equal estimators: how often is one named better than all others? And one that is better
by some points: how often is it found, and how often is it in the set that may be best?

Exit status 1 if an AUROC's interval holds the truth outside 92 to 98%, by more than two standard
errors of a share of so many sets, or all at once in less than 92%; if a winner among equals is
named in more than 5%, or the best is in its set in less than 92%.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from analysis.statistics.bootstrap import Interval
from analysis.statistics.estimator_quality import (
    ORDERED,
    Comparison,
    ScoredReplies,
    compare_estimators,
)
from analysis.statistics.ordered_quality import ordered_quality
from arena.text import utc_now

Array = NDArray[np.float64]
KINDS = 3
EACH = 10
STEP = 0.7  # of stated values, in standard deviations of their noise
LEVEL, HARDNESS_SD = 0.3, 1.0  # a reply is right with chance ndtr(LEVEL + HARDNESS_SD * z)
SHARED = 0.5  # of the noise's variance: by question, and of each part between estimators
TRUTH_QUESTIONS = 20_000
LEADS = (0.05, 0.1)
GRID = np.linspace(-12, 12, 4801)


@dataclass(frozen=True)
class Planted:
    """Thirty estimators: how far they see right, and hardness, and their steps (0: none)."""

    seen: Array
    hardness: Array
    step: Array


def thirty() -> Planted:
    """Return the estimators, from one that sees nothing to one that sees nearly all."""
    kind = np.repeat(np.arange(KINDS), EACH)
    seen = np.tile(np.linspace(0, 2.4, EACH), KINDS)
    return Planted(seen, np.where(kind == 1, 0.7, 0.0), np.where(kind == 2, STEP, 0.0))


def equals(lead: float = 0.0) -> Planted:
    """Return thirty that see the same, the first of them more by a lead in AUROC."""
    seen = np.full(KINDS * EACH, 1.0)
    found = float(ndtr(1 / np.sqrt(2))) + lead
    seen[0] = np.sqrt(2) * float(np.interp(found, ndtr(GRID), GRID))
    return Planted(seen, np.zeros_like(seen), np.zeros_like(seen))


def planted_over(estimators: Planted) -> Array:
    """Return the AUROC over questions of each estimator, by integrals over hardness."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    chance = ndtr(LEVEL + HARDNESS_SD * nodes)
    areas = []
    for seen, hardness, step in zip(
        estimators.seen, estimators.hardness, estimators.step, strict=True
    ):
        shares = []
        for right, likely in ((1, chance), (0, 1 - chance)):
            weight = weights * likely / (weights * likely).sum()
            # The share at or below each place of a grid; of stated values, below the next edge.
            edge = GRID if step == 0 else (np.floor(GRID / step) + 0.5) * step
            below = ndtr(edge[:, None] - seen * right - hardness * nodes)
            shares.append(below @ weight)
        above, under = (np.diff(each, prepend=0.0, append=1.0) for each in shares)
        earlier = np.cumsum(under) - under
        areas.append(float((above * (earlier + under / 2)).sum()))
    return np.array(areas)


def draw_set(
    estimators: Planted, questions: int, replies: int, rng: np.random.Generator
) -> ScoredReplies:
    """Return a simulated set of replies with the values of each estimator."""
    question = np.repeat(np.arange(questions), replies)
    hardness = rng.normal(size=questions)
    chance = ndtr(LEVEL + HARDNESS_SD * hardness)[question]
    right = (rng.random(question.size) < chance).astype(np.float64)
    length = rng.lognormal(5, 0.5, question.size)
    by_question, by_reply = rng.normal(size=questions), rng.normal(size=question.size)
    values = []
    for seen, of_hardness, step in zip(
        estimators.seen, estimators.hardness, estimators.step, strict=True
    ):
        own = (rng.normal(size=questions) + by_question) / np.sqrt(2)
        other = (rng.normal(size=question.size) + by_reply) / np.sqrt(2)
        noise = np.sqrt(SHARED) * own[question] + np.sqrt(1 - SHARED) * other
        value = seen * right + of_hardness * hardness[question] + noise
        values.append(np.round(value / step) * step if step else value)
    return ScoredReplies(np.array(values), right, question, length)


def play(estimators: Planted, questions: int, replies: int, seed: int) -> Comparison:
    """Return the comparison of one simulated set."""
    rng = np.random.default_rng((seed, questions, replies))
    return compare_estimators(draw_set(estimators, questions, replies, rng))


def held(interval: Interval, truth: float) -> float:
    """Return 1 if the interval holds the truth, 0 if not, nan without an interval."""
    if np.isnan(interval.ci_low):
        return float("nan")
    return float(interval.ci_low <= truth <= interval.ci_high)


def play_all(estimators: Planted, given: argparse.Namespace) -> Iterator[Comparison]:
    """Yield the comparison of each set, over all processor cores."""
    one = partial(play, estimators, given.questions, given.replies)
    with ProcessPoolExecutor(given.processes) as pool:
        yield from pool.map(one, range(given.sets), chunksize=4)


def coverage(given: argparse.Namespace) -> bool:
    """Print how often intervals hold the planted truth; return whether all is as promised."""
    estimators = thirty()
    over = planted_over(estimators)
    within = ndtr(estimators.seen / np.sqrt(2 * (1 - SHARED)))
    continuous = np.flatnonzero(estimators.step == 0)
    large = draw_set(estimators, TRUTH_QUESTIONS, given.replies, np.random.default_rng(0))
    ones = np.ones((1, TRUTH_QUESTIONS))
    truths = [ordered_quality(values, large.right, large.question, ones) for values in large.values]
    found = list(play_all(estimators, given))
    own = np.array(
        [[held(e.over, t) for e, t in zip(c.estimators, over, strict=True)] for c in found]
    )
    once = np.array(
        [
            all(held(e.over_at_once, t) for e, t in zip(c.estimators, over, strict=True))
            for c in found
        ]
    )
    inside = np.array(
        [[held(c.estimators[k].within, within[k]) for k in continuous] for c in found]
    )
    inside_once = np.array(
        [all(held(c.estimators[k].within_at_once, within[k]) for k in continuous) for c in found]
    )
    best = np.array([bool(c.estimators[int(np.argmax(over))].may_be_best) for c in found])
    kinds = ("sees right or wrong", "sees hardness too", "stated in steps")
    print("planted AUROC over questions: held by the 95% interval in % of sets, by estimator")
    for kind, name in enumerate(kinds):
        mine = slice(kind * EACH, (kind + 1) * EACH)
        print(f"  {name:20s} " + " ".join(f"{each:6.3f}" for each in over[mine]))
        print(f"  {'':20s} " + " ".join(f"{100 * each:6.1f}" for each in own.mean(axis=0)[mine]))
    print(f"over questions: {spread(own)}; all at once {100 * once.mean():.1f}%")
    print(f"within questions: {spread(inside)}; all at once {100 * inside_once.mean():.1f}%")
    for name in ORDERED:
        rows = [
            [
                held(getattr(e, name), float(getattr(t, name)[0]))
                for e, t in zip(c.estimators, truths, strict=True)
            ]
            for c in found
        ]
        print(f"{name}: {spread(np.array(rows))}")
    print(f"the best estimator is in its set in {100 * best.mean():.1f}%")
    means = own.mean(axis=0)
    noise = 2 * np.sqrt(0.95 * 0.05 / given.sets)
    each = means.min() >= 0.92 - noise and means.max() <= 0.98 + noise
    return bool(each and once.mean() >= 0.92 and best.mean() >= 0.92)


def spread(rows: Array) -> str:
    """Return in words how often intervals held the truth, over estimators."""
    by_estimator = 100 * np.nanmean(rows, axis=0)
    ends = f"{by_estimator.min():.1f} to {by_estimator.max():.1f}%"
    return f"{np.nanmean(by_estimator):.1f}% on average, {ends} by estimator"


def winners(given: argparse.Namespace) -> bool:
    """Print how often one of equals is named a winner, and a better one found."""
    right = True
    for lead in (0.0, *LEADS):
        found = list(play_all(equals(lead), given))
        named = np.mean([c.winner.winner >= 0 for c in found])
        true = np.mean([c.winner.winner == 0 for c in found])
        in_set = np.mean([bool(c.estimators[0].may_be_best) for c in found])
        size = np.mean([sum(bool(e.may_be_best) for e in c.estimators) for c in found])
        print(
            f"one of thirty leads by {lead:.2f}: a winner in {100 * named:.1f}% of sets, the true"
            f" one in {100 * true:.1f}%; the set has {size:.1f} and holds it in {100 * in_set:.1f}%"
        )
        right &= bool(named <= 0.05 if lead == 0 else named - true <= 0.05)
    return right


def main() -> int:
    """Print all tables; return 1 if a promise is broken."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--sets", type=int, default=200)
    options.add_argument("--questions", type=int, default=200)
    options.add_argument("--replies", type=int, default=5)
    options.add_argument("--processes", type=int, default=os.cpu_count())
    options.add_argument("--part", choices=["coverage", "winners"], help="one of the two alone")
    given = options.parse_args()
    start = time.perf_counter()
    print(
        f"{utc_now():%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()},"
        f" {given.sets} sets of {given.questions} questions with {given.replies} replies"
    )
    held_all = given.part == "winners" or coverage(given)
    named = given.part == "coverage" or winners(given)
    print(f"{time.perf_counter() - start:.0f} s")
    return 0 if held_all and named else 1


if __name__ == "__main__":
    sys.exit(main())
