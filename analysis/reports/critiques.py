"""Report how often critics judge replies rightly, as CriticBench does (arXiv 2310.04815).

The paper draws as many right replies as wrong ones, and of wrong ones convincing ones, which give
the most frequent wrong answer.  Here nothing is drawn: of each question every right reply weighs
1 / (its right replies), every convincing wrong one likewise, and the balanced accuracy is the mean
of both shares.  That is the expectation of the paper's accuracy over its draws of one reply of each
kind a question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.assessed_replies import AssessedReplies
from analysis.reports.plain_json import interval_as
from analysis.statistics.bootstrap import Interval, intervals, ratio_draws
from analysis.statistics.clustered import Array, Codes, Mask, divide, sums_by_code


@dataclass(frozen=True, slots=True)
class CritiqueRow:
    """How one critic judged the replies of one speaker in one arm.

    `own` says that both are one agent.  Of `judged` replies with a known outcome, `right` are
    right and `convincing` give the most frequent wrong answer of their question; `without` have no
    verdict or no outcome.  `accuracy` is the mean of `of_right` and `of_convincing`, the shares
    judged as they are; `of_all` is over all judged replies, as they come.
    """

    arm: str
    speaker: str
    critic: str
    own: bool
    judged: int
    without: int
    questions: int
    right: int
    convincing: int
    accuracy: Annotated[Interval, interval_as("accuracy")]
    of_right: Annotated[Interval, interval_as("of_right")]
    of_convincing: Annotated[Interval, interval_as("of_convincing")]
    of_all: Annotated[Interval, interval_as("of_all")]


def critique_row(found: AssessedReplies) -> CritiqueRow:
    """Return how a critic judged; a probability above a half is the verdict right."""
    known = ~(np.isnan(found.value) | np.isnan(found.correct))
    question = found.question[known]
    right = found.correct[known] == 1
    convincing = most_frequent(question, found.answer[known], ~right)
    hit = ((found.value[known] > 0.5) == right).astype(np.float64)
    kinds = np.stack((right, convincing, np.ones(right.size, dtype=bool)), axis=1)
    weight = kinds.astype(np.float64)
    size = int(found.question.max(initial=-1)) + 1
    # One reply of each kind a question, on average over all of that kind.
    count = sums_by_code(weight[:, :2], question, size)[0]
    weight[:, :2] = np.where(kinds[:, :2], 1 / np.maximum(count[question], 1), 0.0)
    there = np.unique(question)
    top = sums_by_code(weight * hit[:, None], question, size)[0][there]
    bottom = sums_by_code(weight, question, size)[0][there]
    shares = divide(top.sum(axis=0), bottom.sum(axis=0))
    draws = ratio_draws(top, bottom)
    accuracy, of_right, of_convincing, of_all = intervals(
        np.append(shares[:2].mean(), shares),
        np.concatenate((draws[:, :2].mean(axis=1, keepdims=True), draws), axis=1),
    )
    return CritiqueRow(
        found.arm,
        found.speaker,
        found.assessor,
        found.own,
        int(known.sum()),
        int((~known).sum()),
        there.size,
        int(right.sum()),
        int(convincing.sum()),
        accuracy,
        of_right,
        of_convincing,
        of_all,
    )


def most_frequent(question: Codes, answer: Codes, wrong: Mask) -> Mask:
    """Return which wrong replies (N,) give the most frequent wrong answer of their question.

    Equally frequent ones are all convincing.  `answer` are codes of (question, value), -1 without.
    """
    chosen = wrong & (answer >= 0)
    count = np.bincount(answer[chosen], minlength=int(answer.max(initial=-1)) + 1)
    most: Array = np.zeros(int(question.max(initial=-1)) + 1)
    np.maximum.at(most, question[chosen], count[answer[chosen]])
    convincing = np.zeros(wrong.shape, dtype=bool)
    convincing[chosen] = count[answer[chosen]] == most[question[chosen]]
    return convincing
