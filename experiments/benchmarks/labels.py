"""Measure how often win rates that are corrected by people's labels hold the truth.

    python experiments/benchmarks/labels.py [--studies 2000] [--seed 1]

A judge with planted errors decides 600 debates; people label 30, 100 or 300 of them, drawn at
random, and are right.  The generator is plain Python and shares no code with what it tests: one
debate at a time, a coin for who wins and a coin for whether the judge errs.  Kinds of study:

- errs: 60% are won by the proposition; the judge sees 90% of its wins and 65% of the others.
- leans: 80% won, of which it sees 90%, and 70% of the others.
- motions: 120 motions of five debates, some hard to win and some hard to judge.
- contestant: one of six in a round robin, that is in a third of the debates, on either side.
- favours: the same, but the judge sees 95% of this contestant's wins and 60% of its losses.

For each: the share of 95% intervals that hold the true win rate, with their mean width in points:
of the verdicts as they are, of the labels alone, prediction-powered, and by Rogan and Gladen, which
assumes that the judge errs alike on all debates (not so of the kind favours); beside it, where the
rate is that of all debates, the interval of Lang and Reiczigel (2014), which takes labels and
verdicts for separate samples, and is not used.

Exit status 1 if a corrected interval holds the truth in less than 93 or more than 97% (with 30
labels, up to 98.5%: few errors come in whole numbers), except by Rogan and Gladen of favours.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.statistics.bootstrap import Interval
from analysis.statistics.label_correction import prediction_powered, rogan_gladen
from analysis.statistics.shares import share_intervals

DEBATES = 600
LABELS = (30, 100, 300)
WITHIN = (93.0, 97.0)
WITH_FEW = 98.5
Z = 1.959963984540054
NOTHING = Interval(math.nan, math.nan, math.nan)


@dataclass
class Played:
    """A judged tournament, as lists by debate; `first` says where the contestant is proposition."""

    won: list[int] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)
    cluster: list[int] = field(default_factory=list)
    member: list[bool] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of study: how it is made, and the true rate in question, maybe a contestant's."""

    name: str
    make: Callable[[random.Random], Played]
    truth: float
    of_contestant: bool = False
    errs_alike: bool = True


def logistic(x: float) -> float:
    """Return the chance of x logits."""
    return 1 / (1 + math.exp(-x))


def simple(chance: float, sensitivity: float, specificity: float) -> Callable[..., Played]:
    """Return a maker of studies whose debates have nothing to do with each other."""

    def make(draw: random.Random) -> Played:
        played = Played()
        for debate in range(DEBATES):
            won = draw.random() < chance
            right = draw.random() < (sensitivity if won else specificity)
            played.won.append(int(won))
            played.judged.append(int(won == right))
            played.cluster.append(debate)
            played.member.append(True)
            played.first.append(True)
        return played

    return make


def by_motions(draw: random.Random) -> Played:
    """Make a study of 120 motions that differ in who wins, and in how hard they are to judge."""
    played = Played()
    for motion in range(DEBATES // 5):
        chance = logistic(0.5 + draw.gauss(0, 1))
        error = draw.uniform(0, 0.4)
        for _ in range(5):
            won = draw.random() < chance
            played.won.append(int(won))
            played.judged.append(int(won != (draw.random() < error)))
            played.cluster.append(motion)
            played.member.append(True)
            played.first.append(True)
    return played


def round_robin(*, favours: bool) -> Callable[..., Played]:
    """Return a maker of round robins of six, of whom the first wins 70% of its debates."""

    def make(draw: random.Random) -> Played:
        played = Played()
        pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
        for number in range(DEBATES):
            pair = pairs[number % len(pairs)]
            first_wins = 0.7 if pair[0] == 0 else 0.3 if pair[1] == 0 else 0.5
            won = draw.random() < first_wins
            error = 0.15 if won else 0.25
            if favours and 0 in pair:
                error = 0.05 if (pair[0] == 0) == won else 0.4
            played.won.append(int(won))
            played.judged.append(int(won != (draw.random() < error)))
            played.cluster.append(number)
            played.member.append(0 in pair)
            played.first.append(pair[0] == 0)
        return played

    return make


def mean_over_motions() -> float:
    """Return the chance of a win over all motions that there could be, by sums."""
    steps = [k / 1000 for k in range(-6000, 6001)]
    weights = [math.exp(-x * x / 2) for x in steps]
    chances = [logistic(0.5 + x) for x in steps]
    return math.fsum(w * c for w, c in zip(weights, chances, strict=True)) / math.fsum(weights)


KINDS = [
    Kind("errs", simple(0.6, 0.9, 0.65), 0.6),
    Kind("leans", simple(0.8, 0.9, 0.7), 0.8),
    Kind("motions", by_motions, mean_over_motions()),
    Kind("contestant", round_robin(favours=False), 0.7, of_contestant=True),
    Kind("favours", round_robin(favours=True), 0.7, of_contestant=True, errs_alike=False),
]


def intervals_of(kind: Kind, played: Played, labels: int, draw: random.Random) -> list[Interval]:
    """Return the five intervals of one study with so many labels."""
    chosen = set(draw.sample(range(DEBATES), labels))
    judged = np.array(played.judged, dtype=float)
    label = np.array([won if k in chosen else math.nan for k, won in enumerate(played.won)])
    cluster = np.array(played.cluster)
    member = np.array(played.member)
    turned = ~np.array(played.first)
    own_judged = np.where(turned, 1 - judged, judged)[member]
    own_label = np.where(turned, 1 - label, label)[member]
    _, own_cluster = np.unique(cluster[member], return_inverse=True)
    corrected = prediction_powered(own_judged, own_label, own_cluster)
    by_errors = rogan_gladen(judged, label, cluster, member=member, turned=turned & member)
    return [
        plain_interval(own_judged, own_cluster),
        plain_interval(own_label, own_cluster),
        corrected.share,
        by_errors.share,
        lang_reiczigel(played, chosen) if not kind.of_contestant else NOTHING,
    ]


def lang_reiczigel(played: Played, chosen: set[int]) -> Interval:
    """Return the interval of Lang and Reiczigel, by its published formulas."""
    right = {1: 0, 0: 0}
    there = {1: 0, 0: 0}
    for k in chosen:
        there[played.won[k]] += 1
        right[played.won[k]] += played.won[k] == played.judged[k]
    size = len(played.won)
    se, sp = ((right[k] + 1) / (there[k] + 2) for k in (1, 0))
    apparent = (sum(played.judged) + Z * Z / 2) / (size + Z * Z)
    if there[1] < 5 or there[0] < 5 or right[1] / there[1] + right[0] / there[0] <= 1:
        return NOTHING
    if se + sp <= 1:
        return NOTHING
    share = (apparent + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (there[1] + 2), sp * (1 - sp) / (there[0] + 2)
    shift = 2 * Z * Z * (share * of_se - (1 - share) * of_sp)
    spread = apparent * (1 - apparent) / (size + Z * Z)
    spread += share**2 * of_se + (1 - share) ** 2 * of_sp
    half = Z * math.sqrt(spread) / (se + sp - 1)
    low, high = (min(max(share + shift + end, 0.0), 1.0) for end in (-half, half))
    return Interval(share, low, high)


def plain_interval(values: np.ndarray, cluster: np.ndarray) -> Interval:
    """Return the interval of a share as the report has it elsewhere, nan left out."""
    there = ~np.isnan(values)
    size = int(cluster.max()) + 1
    top = np.bincount(cluster[there], values[there], size).astype(float)
    bottom = np.bincount(cluster[there], minlength=size).astype(float)
    return share_intervals(top[:, None], bottom[:, None])[0]


def main() -> int:
    """Print the table; return 1 if an interval holds too seldom or too often."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    noise = 3 * math.sqrt(0.05 * 0.95 / options.studies) * 100
    print("95% intervals that hold the true win rate, percent (mean width, points)")
    print(f"{'kind':12}{'labels':>7}{'as judged':>15}{'labels alone':>15}", end="")
    print(f"{'powered':>15}{'Rogan-Gladen':>15}{'Lang-R.':>15}  without powered, Rogan-Gladen")
    wrong = []
    for kind in KINDS:
        for labels in LABELS:
            draw = random.Random(f"{options.seed} {kind.name} {labels}")
            held = [0] * 5
            width = [0.0] * 5
            there = [0] * 5
            for _ in range(options.studies):
                found = intervals_of(kind, kind.make(draw), labels, draw)
                for k, each in enumerate(found):
                    if not math.isnan(each.ci_low):
                        there[k] += 1
                        held[k] += each.ci_low <= kind.truth <= each.ci_high
                        width[k] += each.ci_high - each.ci_low
            shares = [100 * h / max(n, 1) for h, n in zip(held, there, strict=True)]
            widths = [100 * w / max(n, 1) for w, n in zip(width, there, strict=True)]
            cells = [
                f"{share:.1f} ({w:.1f})" if n else "-"
                for share, w, n in zip(shares, widths, there, strict=True)
            ]
            lacking = [options.studies - n for n in there[2:4]]
            print(f"{kind.name:12}{labels:7}", *(f"{cell:>14}" for cell in cells), lacking)
            for k, name in ((2, "powered"), (3, "Rogan-Gladen")):
                demanded = name == "powered" or kind.errs_alike
                most = WITH_FEW if labels == 30 else WITHIN[1]
                if demanded and there[k] and not within(shares[k], most, noise):
                    wrong.append(f"{kind.name} {labels} {name}: {shares[k]:.1f}")
    for line in wrong:
        print("out of bounds:", line)
    return 1 if wrong else 0


def within(share: float, most: float, noise: float) -> bool:
    """Tell whether a coverage lies in its bounds, as far as so many studies can tell."""
    # 3 standard errors of 2,000 studies are 1.5 points: the bounds themselves leave 2.
    slack = max(noise - 1.5, 0)
    return WITHIN[0] - slack <= share <= most + slack


if __name__ == "__main__":
    sys.exit(main())
