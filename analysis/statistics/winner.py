"""Name the best of many estimators only on questions that did not choose it.

The best of thirty equal estimators looks better than the others on the questions that chose it.  So
questions are cut in two halves by seed.  On each half the best is chosen, and on the other half it
has to beat every other, by one-sided tests at 2.5% each; as it must pass all of them, no correction
for their number is needed (Berger 1982, intersection-union test), and none for its choice.  With
two halves at 2.5% each, one that is not the best is named in at most 5% of sets.

Estimators whose difference has no spread order the replies alike: they win together.  Most of the
power is spent on the runner-up: where two are close there is no winner, but the set of
simultaneous.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.clustered import Array, Codes, Mask, student_test
from analysis.statistics.jackknife import influences, jackknife_se, weights_without
from analysis.statistics.simultaneous import ALIKE

HALF_LEVEL = 0.025
# From fewer questions a half, a jackknife's error is itself too uncertain.
FEWEST_QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class Half:
    """One direction: `chosen` on one half, -1: none; `p` on the other half that it is not best.

    `p` is the largest over all others that do not order the replies alike, nan without a test.
    """

    chosen: int
    p: float


@dataclass(frozen=True, slots=True)
class Winner:
    """The winner's number, -1: none, with those that order replies like it, and both directions."""

    winner: int
    alike: tuple[int, ...]
    halves: tuple[Half, Half]


def split_questions(questions: int, seed: int = 0) -> Mask:
    """Return (questions,) which questions are in the first half, drawn by seed."""
    mask: Mask = np.random.default_rng((seed, questions)).permutation(questions) % 2 == 0
    return mask


def name_winner(
    statistics: Callable[[Array], Array], questions: int, *, candidates: Mask | None = None
) -> Winner:
    """Return the winner of K statistics, higher is better, of as many questions.

    `statistics` gives (B, K) of weights (B, questions).  `candidates` (K,) may win; others are not
    compared.  There is no winner with fewer than FEWEST_QUESTIONS questions in a half.
    """
    first = split_questions(questions)
    groups = [np.flatnonzero(first), np.flatnonzero(~first)]
    nothing = Winner(-1, (), (Half(-1, np.nan), Half(-1, np.nan)))
    if min(map(len, groups)) < FEWEST_QUESTIONS:
        return nothing
    found = [half_statistics(statistics, group, questions) for group in groups]
    sides = []
    alike: dict[int, tuple[int, ...]] = {}
    for chooser, judge in (found, found[::-1]):
        scores = np.where(np.isfinite(chooser[0]), chooser[0], -np.inf)
        if candidates is not None:
            scores = np.where(candidates, scores, -np.inf)
        chosen = int(np.argmax(scores))
        if not np.isfinite(scores[chosen]):
            return nothing
        rivals = np.flatnonzero(np.isfinite(scores))
        p, same = beats_all(*judge, chosen, rivals.tolist())
        sides.append(Half(chosen, p))
        alike[chosen] = same
    named = {
        tuple(sorted((side.chosen, *alike[side.chosen]))) for side in sides if side.p <= HALF_LEVEL
    }
    # Two halves that name different ones contradict each other.
    if len(named) != 1:
        return Winner(-1, (), (sides[0], sides[1]))
    group, *_ = named
    return Winner(group[0], group[1:], (sides[0], sides[1]))


def half_statistics(
    statistics: Callable[[Array], Array], members: Codes, questions: int
) -> tuple[Array, Array]:
    """Return (estimates (K,), influences (groups, K)) of some of the questions."""
    part = weights_without(len(members))
    weights = np.zeros((len(part), questions))
    weights[:, members] = part
    estimates, *without = statistics(weights)
    return estimates, influences(np.array(without))


def beats_all(
    estimate: Array, influence: Array, chosen: int, rivals: Sequence[int]
) -> tuple[float, tuple[int, ...]]:
    """Return (largest one-sided p that the chosen one beats each rival, those alike to it)."""
    worst = np.nan
    alike = []
    for rival in rivals:
        if rival == chosen:
            continue
        lead = float(estimate[chosen] - estimate[rival])
        se = float(jackknife_se(influence[:, [chosen]] - influence[:, [rival]])[0])
        if se <= ALIKE and abs(lead) <= ALIKE:
            alike.append(rival)
            continue
        _, p = student_test(lead, se, len(influence) - 1, one_sided=True)
        # A test that cannot be made is not passed.
        worst = np.fmax(worst, 1.0 if np.isnan(p) else p)
    return float(worst), tuple(alike)
