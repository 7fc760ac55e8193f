"""Measure changes of answers from the probabilities of options, not from drawn answers.

Confidence level (CL), critique score (CS) and RSS of Yang et al. (arXiv 2412.19513) in their form
for questions with options, where a model gives each option a probability: p1 for its first answer,
and p2 for its second answer after each first one.  With a and b the events that the first and the
second answer are right:

    P(b|a) = p2(right | right)
    P(b|not a) = sum over wrong c of p1(c) p2(right | c) / P(not a)

CL and CS are the means of both over questions, weighted by P(a) and by P(not a); RSS as in
answer_changes.py, which has the form for drawn answers, with intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.answer_changes import scores
from analysis.statistics.clustered import Array, Codes, divide
from analysis.statistics.proper_scores import check_probabilities


@dataclass(frozen=True, slots=True)
class OptionChange:
    """The fate of the first answers to `n` questions; nan for undefined numbers.

    All others are in [0, 1], but `rss`, which may leave it where CS > Acc1 or CL < Acc1.
    """

    n: int
    acc1: float
    acc2: float
    cl: float
    cs: float
    rss: float


def option_change(first: Array, second: Array, right: Codes) -> OptionChange:
    """Return CL, CS and RSS of probabilities over options.

    `first` is (N, options); `second` (N, options, options) holds in [n, c] the second probabilities
    after the first answer c; `right` (N,) is the number of the right option.  Raises ValueError for
    other shapes, or probabilities that do not sum to 1.
    """
    if first.ndim != 2 or second.shape != (*first.shape, first.shape[1]):
        raise ValueError(
            "first must be (N, options) and second (N, options, options), found"
            f" {first.shape} and {second.shape}"
        )
    if right.shape != first.shape[:1]:
        raise ValueError(f"right must be (N,), found {right.shape} for {len(first)} questions")
    check_probabilities(first)
    check_probabilities(second)
    row = np.arange(len(right))
    # What first answers lead to a right second one, by first answer.
    both = first * second[row, :, right]
    right_first = first[row, right]
    right_both = both[row, right]
    corrected = both.sum(axis=1) - right_both
    top = np.array([[right_first.sum(), both.sum(), right_both.sum(), corrected.sum()]])
    bottom = np.array([[len(right), len(right), right_first.sum(), (1 - right_first).sum()]])
    acc1, acc2, _, cl, cs, rss = scores(divide(top, bottom))[0].tolist()
    return OptionChange(len(right), acc1, acc2, cl, cs, rss)
