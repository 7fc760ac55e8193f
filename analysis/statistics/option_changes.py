"""Measure changes of answers from the probabilities of options, not from drawn answers.

Confidence level (CL), critique score (CS) and RSS of Yang et al. (arXiv 2412.19513) in their form
for questions with options, where a model gives each option a probability: p1 for its first answer,
and p2 for its second answer after each first one.  With a and b the events that the first and the
second answer are right:

    P(b|a) = p2(right | right)
    P(b|not a) = sum over wrong c of p1(c) p2(right | c) / P(not a)

CL and CS are the means of both over questions, weighted by P(a) and by P(not a); RSS as in
answer_changes.py, which has the form for drawn answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.answer_changes import scores, undefined_reason
from analysis.statistics.bootstrap import Interval, intervals, ratio_draws
from analysis.statistics.clustered import Array, Codes, divide, sums_by_code
from analysis.statistics.proper_scores import check_probabilities


@dataclass(frozen=True, slots=True)
class OptionChange:
    """The fate of the first answers to `n` items of `questions` questions; nan if undefined.

    All numbers are in [0, 1], but `gain`, Acc2 - Acc1, and `rss`, which may leave it where CS >
    Acc1 or CL < Acc1.  `reason` says why `cl`, `cs` or `rss` is nan, None if none is.
    """

    n: int
    questions: int
    acc1: Interval
    acc2: Interval
    gain: Interval
    cl: Interval
    cs: Interval
    rss: Interval
    reason: str | None


def option_change(
    first: Array, second: Array, right: Codes, question: Codes, *, resamples: int = 2000
) -> OptionChange:
    """Return CL, CS and RSS of probabilities over options, with intervals over questions.

    `first` is (N, options); `second` (N, options, options) holds in [n, c] the second probabilities
    after the first answer c; `right` (N,) is the number of the right option, and `question` (N,)
    holds codes of items that are resampled together.  An item with fewer options has zeros for the
    others in `first`.  Raises ValueError for other shapes, or probabilities that do not sum to 1.
    """
    if first.ndim != 2 or second.shape != (*first.shape, first.shape[1]):
        raise ValueError(
            "first must be (N, options) and second (N, options, options), found"
            f" {first.shape} and {second.shape}"
        )
    if not right.shape == question.shape == first.shape[:1]:
        raise ValueError(
            f"right and question must be (N,), found {right.shape} and {question.shape} for"
            f" {len(first)} items"
        )
    check_probabilities(first)
    check_probabilities(second)
    row = np.arange(len(right))
    # What first answers lead to a right second one, by first answer.
    both = first * second[row, :, right]
    right_first = first[row, right]
    right_both = both[row, right]
    corrected = both.sum(axis=1) - right_both
    one = np.ones(len(right))
    top = np.stack((right_first, both.sum(axis=1), right_both, corrected), axis=1)
    bottom = np.stack((one, one, right_first, 1 - right_first), axis=1)
    _, code = np.unique(question, return_inverse=True)
    questions = int(code.max(initial=-1)) + 1
    top, bottom = (sums_by_code(each, code, questions)[0] for each in (top, bottom))
    estimates = scores(divide(top.sum(axis=0, keepdims=True), bottom.sum(axis=0, keepdims=True)))
    draws = scores(ratio_draws(top, bottom, resamples=resamples))
    acc1, acc2, gain, cl, cs, rss = intervals(estimates[0], draws)
    reason = undefined_reason(acc1.mean)
    return OptionChange(len(right), questions, acc1, acc2, gain, cl, cs, rss, reason)
