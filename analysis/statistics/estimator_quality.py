"""Compare estimators of confidence: what each knows, with intervals that hold alone and at once.

One estimator gives each reply a value, higher is surer, in any unit.  Its AUROCs and the numbers of
its order are computed with all questions and without each one (jackknife.py), which gives errors
over questions and their dependence between estimators: an interval for each (area_interval.py),
simultaneous intervals and the set that may be best (simultaneous.py), and a winner on questions
that did not choose it (winner.py).  Sets and winner go by AUROC over questions.

Each estimator is judged on the replies that it scored.  One that lacks more than MOST_MISSING of
them could win by what it leaves out: it has its numbers, and is not compared.

An interval speaks of further questions like these, to the same models, asked as often each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from analysis.statistics.area_interval import area_limits
from analysis.statistics.bootstrap import CHUNK_VALUES, Interval
from analysis.statistics.clustered import Array, Codes, Mask
from analysis.statistics.jackknife import influences, jackknife_se, weights_without
from analysis.statistics.ordered_quality import OrderedQuality, ordered_quality
from analysis.statistics.pair_auroc import length_strata, pair_aurocs
from analysis.statistics.simultaneous import max_t_quantile, may_be_best, student_quantile
from analysis.statistics.winner import Winner, name_winner

MOST_MISSING = 0.1
# What numbers can be: intervals are cut to it.
RANGES = {"prr": (-np.inf, 1.0), "aurc_x1000": (0.0, 1000.0)}
ORDERED = tuple(field.name for field in fields(OrderedQuality))


@dataclass(frozen=True, slots=True)
class ScoredReplies:
    """N replies to Q questions, with the values (E, N) of E estimators, nan where missing.

    `right` (N,) is 0 or 1, `question` (N,) a code in [0, Q); `length` (N,) in any unit, nan where
    unknown.
    """

    values: Array
    right: Array
    question: Codes
    length: Array

    @property
    def questions(self) -> int:
        """Return Q."""
        return int(self.question.max(initial=-1)) + 1

    def part(self, number: int) -> Part:
        """Return the replies that an estimator scored."""
        there = ~np.isnan(self.values[number])
        return Part(
            self.values[number][there], self.right[there], self.question[there], self.length[there]
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The replies that one estimator scored, (n,) each; see ScoredReplies."""

    values: Array
    right: Array
    question: Codes
    length: Array

    def pairs(self, weights: Array) -> Array:
        """Return (B, 4): AUROC over and within questions, then both at equal length."""
        plain = pair_aurocs(self.values, self.right, self.question, weights)
        known = ~np.isnan(self.length)
        some = self.values[known], self.right[known], self.question[known]
        equal = pair_aurocs(*some, weights, length_strata(self.length[known]))
        return np.stack((plain.over, plain.within, equal.over, equal.within), axis=1)

    def over(self, weights: Array) -> Array:
        """Return (B,) AUROC over questions alone."""
        return pair_aurocs(self.values, self.right, self.question, weights).over

    def ordered(self, weights: Array) -> Array:
        """Return (B, 6) the numbers of OrderedQuality, in its order."""
        found = ordered_quality(self.values, self.right, self.question, weights)
        return np.stack([getattr(found, name) for name in ORDERED], axis=1)

    def counts(self) -> tuple[int, int, int]:
        """Return how many replies are right, are wrong, and how many questions have both."""
        right, wrong = (np.unique(self.question[self.right == side]) for side in (1, 0))
        rights = int(self.right.sum())
        return rights, self.right.size - rights, np.intersect1d(right, wrong).size


@dataclass(frozen=True, slots=True)
class Quality:
    """What one estimator knows; undefined numbers are nan.

    `over` is AUROC over questions, `within` within them; `..._equal_length` count pairs of about
    equal length alone.  `over_at_once` and `within_at_once` are the simultaneous intervals.
    `may_be_best`: cannot be told from the best; None: not compared.  The rest is as in
    OrderedQuality.  `n` counts replies that were scored, `missing` those that were not.
    """

    n: int
    missing: int
    right: int
    mixed: int
    over: Interval
    over_at_once: Interval
    within: Interval
    within_at_once: Interval
    over_equal_length: Interval
    within_equal_length: Interval
    may_be_best: bool | None
    auprc_right: Interval
    auprc_wrong: Interval
    selective: Interval
    aurc: Interval
    aurc_x1000: Interval
    prr: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """The quality of each estimator, in their order, and who won."""

    estimators: tuple[Quality, ...]
    winner: Winner
    wider_at_once: float


def compare_estimators(replies: ScoredReplies, *, excluded: Sequence[int] = ()) -> Comparison:
    """Return the quality of all estimators, and of those that are compared who is best.

    `excluded` have their numbers and are not compared, such as the length of a reply.  Raises
    ValueError for outcomes that are not 0 or 1.
    """
    if not np.isin(replies.right, (0, 1)).all():
        raise ValueError("outcomes must be 0 or 1; leave out what was not graded, and count it")
    parts = [replies.part(number) for number in range(len(replies.values))]
    weights = weights_without(replies.questions)
    pairs = np.array([in_pieces(part.pairs, weights, part.right.size) for part in parts])
    pairs = pairs.reshape(len(parts), len(weights), 4)
    ordered = [in_pieces(part.ordered, weights, part.right.size) for part in parts]
    there = ~np.isnan(replies.values)
    enough = (1 - MOST_MISSING) * max(1, replies.right.size)
    candidates: Mask = there.sum(axis=1) >= enough
    candidates[list(excluded)] = False
    candidates &= np.isfinite(pairs[:, :, 0]).all(axis=1)
    limits = [area_intervals(parts, pairs[:, :, kind], kind % 2 == 0) for kind in range(4)]
    best = np.zeros(len(parts), dtype=np.bool_)
    shown = pairs[candidates, :, 0].T
    if candidates.any():
        best[candidates] = may_be_best(shown[0], influences(shown[1:]))
    winner = name_winner(partial(areas_over, parts), replies.questions, candidates=candidates)
    qualities = []
    for number, part in enumerate(parts):
        (over, over_once), (within, within_once), (over_equal, _), (within_equal, _) = (
            each[number] for each in limits
        )
        rights, wrongs, mixed = part.counts()
        qualities.append(
            Quality(
                rights + wrongs,
                replies.right.size - part.right.size,
                rights,
                mixed,
                over,
                over_once,
                within,
                within_once,
                over_equal,
                within_equal,
                bool(best[number]) if candidates[number] else None,
                **ordered_intervals(ordered[number]),
            )
        )
    wider = max_t_quantile(influences(pairs[:, 1:, 0].T)) if len(parts) else np.nan
    return Comparison(tuple(qualities), winner, wider)


def in_pieces(make: Callable[[Array], Array], weights: Array, replies: int) -> Array:
    """Return what a function makes of weights (B, Q), some draws at a time.

    Each draw takes memory for every reply: all at once were gigabytes of a hundred thousand.
    """
    step = max(1, CHUNK_VALUES // max(1, replies))
    return np.concatenate([make(weights[at : at + step]) for at in range(0, len(weights), step)])


def areas_over(parts: Sequence[Part], weights: Array) -> Array:
    """Return (B, E) AUROC over questions of each estimator under each of the weights."""
    return np.stack([in_pieces(part.over, weights, part.right.size) for part in parts], axis=1)


def area_intervals(
    parts: Sequence[Part], areas: Array, over: bool
) -> list[tuple[Interval, Interval]]:
    """Return for each estimator its AUROC with its own and with its simultaneous interval.

    `areas` (E, 1 + groups) are AUROCs with all questions, then without each group.
    """
    if not len(parts):
        return []
    influence = influences(areas[:, 1:].T)
    se = jackknife_se(influence)
    counts = np.array([part.counts() for part in parts], dtype=np.float64)
    right, wrong, mixed = counts.T
    replies = np.array([part.right.size / max(1, np.unique(part.question).size) for part in parts])
    groups = len(influence)
    found = []
    for quantile in (student_quantile(groups), max_t_quantile(influence)):
        if over:
            ends = area_limits(areas[:, 0], se, right, wrong, replies, quantile)
        else:
            ends = area_limits(areas[:, 0], se, mixed, None, np.ones(len(parts)), quantile)
        found.append([Interval(*map(float, each)) for each in zip(areas[:, 0], *ends, strict=True)])
    return list(zip(*found, strict=True))


def ordered_intervals(numbers: Array) -> dict[str, Interval]:
    """Return the numbers of an order, each with its jackknife interval, cut to what can be.

    `numbers` (1 + groups, 6) are those with all questions, then without each group.
    """
    influence = influences(numbers[1:])
    se = jackknife_se(influence)
    width = student_quantile(len(influence)) * np.where(se > 0, se, np.nan)
    result = {}
    for name, estimate, half in zip(ORDERED, numbers[0].tolist(), width.tolist(), strict=True):
        low, high = RANGES.get(name, (0.0, 1.0))
        ends = np.clip((estimate - half, estimate + half), low, high).tolist()
        result[name] = Interval(estimate, *ends)
    return result
