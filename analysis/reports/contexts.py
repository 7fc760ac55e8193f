"""Report how well a rule decides between an own answer and one with a text (arXiv 2410.14675, RCR).

Situated faithfulness is the share of right answers over as many right texts as wrong ones; a method
is compared by question with putting the text into the prompt (direct).

The rule takes the own answer where the model is surer of it than of the other by more than a
threshold.  The threshold is tuned on half of the questions and judged on the other half, both ways
round, so that no question is judged by a threshold that it helped to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.contexts import Sides, Told
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import mean_interval
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import (
    CHANGE,
    SHARE,
    Array,
    Mask,
    MeanEstimate,
    clustered_mean,
)
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.multiplicity import holm

METHODS = ("closed", "direct", "implicit", "explicit", "token", "stated", "sampled")


@dataclass(frozen=True, slots=True)
class FaithfulnessRow:
    """How often one method is right, the mean over right and wrong texts of the same questions.

    `gain` is over direct input by the same agent, on their common questions, with p adjusted by
    Holm's method over the rows; of nothing for direct input itself.
    """

    method: str
    agent: str
    questions: int
    right: MeanEstimate
    gain: MeanEstimate
    p_holm: float = nan


def faithfulness_rows(found: Sequence[Told]) -> tuple[FaithfulnessRow, ...]:
    """Return the row of each method, in the order of METHODS."""
    direct = {each.agent: each for each in found if each.method == "direct"}
    rows = [
        FaithfulnessRow(
            each.method,
            each.agent,
            each.correct.size,
            clustered_mean(each.correct[:, None], within=SHARE),
            gain(each, direct.get(each.agent)),
        )
        for each in found
    ]
    rows.sort(key=lambda row: (row.agent, METHODS.index(row.method)))
    adjusted = holm([row.gain.p for row in rows]).tolist()
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def gain(of: Told, direct: Told | None) -> MeanEstimate:
    """Return by how much a method is more often right than direct input, by question."""
    differences: list[float] = []
    if direct is not None and direct is not of:
        other = dict(zip(direct.question, direct.correct.tolist(), strict=True))
        mine = zip(of.question, of.correct.tolist(), strict=True)
        differences = [value - other[name] for name, value in mine if name in other]
    return clustered_mean(np.array(differences, dtype=np.float64)[:, None], within=CHANGE)


@dataclass(frozen=True, slots=True)
class WeighingRow:
    """How well a rule decides by one signal, over all arms of a study.

    Of `pairs` of answers to `questions`, `own` and `told` are the shares of right ones alone and
    with a text, and `either` the most that any rule can come to.  `at_zero` is right by the
    threshold 0, `tuned` by a threshold of the other half of the questions, `thresholds` both of
    these.
    """

    signal: str
    pairs: int
    questions: int
    own: Annotated[Interval, interval_as("own")]
    told: Annotated[Interval, interval_as("told")]
    either: Annotated[Interval, interval_as("either")]
    at_zero: Annotated[Interval, interval_as("at_zero")]
    tuned: Annotated[Interval, interval_as("tuned")]
    thresholds: tuple[float, float]


def weighing_row(found: Sides) -> WeighingRow:
    """Return the findings about one signal."""
    surer = lead(found)
    own, told = np.nan_to_num(found.own), np.nan_to_num(found.told)
    even = found.question % 2 == 0
    thresholds = (
        best_threshold(surer[even], own[even], told[even]),
        best_threshold(surer[~even], own[~even], told[~even]),
    )
    # Each half is judged by the threshold of the other.
    tuned = np.where(
        even, decided(surer, own, told, thresholds[1]), decided(surer, own, told, thresholds[0])
    )

    def mean(values: Array) -> Interval:
        return mean_interval(by_cluster(values, found.question))

    return WeighingRow(
        found.signal,
        own.size,
        np.unique(found.question).size,
        mean(own),
        mean(told),
        mean(np.maximum(own, told)),
        mean(decided(surer, own, told, 0.0)),
        mean(tuned),
        thresholds,
    )


def lead(found: Sides) -> Array:
    """Return (N,) how much surer the own answer is, infinite where one side has no confidence."""
    surer: Array = found.own_confidence - found.told_confidence
    surer = np.where(np.isnan(found.told_confidence), np.inf, surer)
    return np.where(np.isnan(found.own_confidence), -np.inf, surer)


def decided(surer: Array, own: Array, told: Array, threshold: float) -> Array:
    """Return (N,) whether the side that wins by a threshold is right, 1 or 0."""
    takes_own: Mask = surer > threshold
    return np.where(takes_own, own, told)


def best_threshold(surer: Array, own: Array, told: Array) -> float:
    """Return the threshold in [-1, 1] with the most right decisions; of equals the nearest to 0.

    0 without any pair.
    """
    steps = np.unique(surer[np.isfinite(surer)])
    middles = (steps[1:] + steps[:-1]) / 2
    candidates = np.concatenate(([0.0, -1.0, 1.0], middles))
    candidates = candidates[np.argsort(np.abs(candidates), kind="stable")]
    rights = [float(decided(surer, own, told, each).sum()) for each in candidates]
    # argmax takes the first of equals.
    return float(candidates[int(np.argmax(rights))])
