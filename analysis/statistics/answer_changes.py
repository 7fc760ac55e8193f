"""Measure how many answers change from right to wrong, and how many from wrong to right.

Confidence level (CL), critique score (CS) and the relative score of both (RSS) of Yang et al.,
Confidence v.s. Critique (arXiv 2412.19513).  With first answers right in a share Acc1 and second
ones in a share Acc2, CL is the share of right first answers that stay right, CS that of wrong ones
that become right, so that

    Acc2 = Acc1 CL + (1 - Acc1) CS        RSS = (Acc2 - Acc1^2) / (2 Acc1 (1 - Acc1))

RSS is a half if nothing changes, and in [0, 1] as long as CS <= Acc1 <= CL, since Acc2 then lies
between Acc1^2 and 2 Acc1 - Acc1^2.  In a debate the second answer is the one after opposition.
The paper's form for options, which takes probabilities, is in option_changes.py.

`first` and `second` are (N,): 1 right, 0 not right; the caller decides how changes between
unreadable answers count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.bootstrap import Interval, intervals, ratio_draws
from analysis.statistics.clustered import NO_SPREAD, Array, Codes, divide


@dataclass(frozen=True, slots=True)
class Change:
    """The fate of N first answers; the four counts are pairs, everything else is weighted.

    `gain` is Acc2 - Acc1; `rss_lower` and `rss_upper` are the Acc2 of RSS 0 and 1.  `reason` says
    why `cl`, `cs` or `rss` is nan, None if none is.
    """

    n: int
    stayed_right: int
    right_to_wrong: int
    wrong_to_right: int
    stayed_wrong: int
    acc1: Interval
    acc2: Interval
    gain: Interval
    cl: Interval
    cs: Interval
    rss: Interval
    rss_lower: float
    rss_upper: float
    reason: str | None


def change(
    first: Array,
    second: Array,
    question: Codes,
    weight: Array | None = None,
    *,
    resamples: int = 2000,
) -> Change:
    """Estimate counts, CL, CS and RSS, with percentile intervals over questions.

    `question` (N,) holds codes of the pairs that are resampled together; `weight` (N,), above 0, is
    how much a pair counts, 1 by default: a play with K paths gives each 1/K, so that a question
    weighs the same however many samples it has, as in the paper.  Raises ValueError for other
    values.
    """
    weight = np.ones(first.shape) if weight is None else weight
    check_pairs(first, second, question, weight)
    _, code = np.unique(question, return_inverse=True)
    parts = (weight, weight * first, weight * second, weight * first * second)
    whole, right_first, right_second, right_both = (
        np.bincount(code, part, code.max(initial=-1) + 1) for part in parts
    )
    # Four ratios of sums by question: Acc1, Acc2, CL and CS.
    top = np.stack((right_first, right_second, right_both, right_second - right_both), axis=1)
    bottom = np.stack((whole, whole, right_first, whole - right_first), axis=1)
    estimates = scores(divide(top.sum(axis=0, keepdims=True), bottom.sum(axis=0, keepdims=True)))
    draws = scores(ratio_draws(top, bottom, resamples=resamples))
    acc1, acc2, gain, cl, cs, rss = intervals(estimates[0], draws)
    right, lost, won, wrong = (
        int(((first == before) & (second == after)).sum())
        for before, after in ((1, 1), (1, 0), (0, 1), (0, 0))
    )
    rss_lower = acc1.mean**2
    rss_upper = 2 * acc1.mean - acc1.mean**2
    reason = undefined_reason(acc1.mean)
    counts = first.size, right, lost, won, wrong
    return Change(*counts, acc1, acc2, gain, cl, cs, rss, rss_lower, rss_upper, reason)


def scores(shares: Array) -> Array:
    """Return (draws, 6) Acc1, Acc2, gain, CL, CS, RSS of shares (draws, 4) Acc1, Acc2, CL, CS.

    RSS is nan if Acc1 is 0 or 1.
    """
    acc1, acc2, cl, cs = shares.T
    rss = divide(acc2 - acc1**2, 2 * acc1 * (1 - acc1))
    return np.stack((acc1, acc2, acc2 - acc1, cl, cs, rss), axis=1)


def undefined_reason(acc1: float) -> str | None:
    """Return why a score has no value, None if all have one."""
    if acc1 != acc1:
        return "there are no pairs of answers"
    if acc1 < NO_SPREAD:
        return "no first answer is right: CL and RSS are undefined"
    if acc1 > 1 - NO_SPREAD:
        return "every first answer is right: CS and RSS are undefined"
    return None


def check_pairs(first: Array, second: Array, question: Codes, weight: Array) -> None:
    """Raise ValueError unless all are (N,), correctness is 0 or 1, and weights are above 0."""
    if not first.shape == second.shape == question.shape == weight.shape or first.ndim != 1:
        raise ValueError(
            f"all must be (N,), found {first.shape}, {second.shape}, {question.shape} and"
            f" {weight.shape}"
        )
    if not (np.isin(first, (0, 1)) & np.isin(second, (0, 1))).all():
        raise ValueError(
            "answers must be 1 right or 0 not right; decide what unreadable ones are, and count"
            " them"
        )
    if not (weight > 0).all():
        raise ValueError("weights must be above 0")
