"""Who changed from right to wrong, and who from wrong to right: confidence level, critique score, and the relative score of both.

Yang et al., Confidence v.s. Critique (arXiv 2412.19513).  With first answers right in a share Acc1 and second ones in a share Acc2:
CL is the share of right first answers that stay right, CS that of wrong ones that become right, so that
Acc2 = Acc1 CL + (1 - Acc1) CS, and RSS = (Acc2 - Acc1^2) / (2 Acc1 (1 - Acc1)): a half where nothing changes, and in [0, 1] as long as
CS <= Acc1 <= CL, since Acc2 then lies between Acc1^2 and 2 Acc1 - Acc1^2.  In a debate the second answer is the one after opposition.
Left out: the paper's form for options, which reads probabilities off tokens.

`first`, `second` are (N,): 1 right, 0 not right; who changed between unreadable answers is for the caller to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.bootstrap import Interval, percentiles, ratio_draws
from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of N first answers; the four counts are pairs, everything else is weighted.

    `gain` is Acc2 - Acc1; `rss_lower` and `rss_upper` are what Acc2 would be at RSS 0 and 1.  `reason` says why `cl`, `cs` or `rss` is
    nan, None where none is.
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
    level: float = 0.95,
    seed: int = 0,
) -> Change:
    """Counts, CL, CS and RSS, with percentile intervals over questions.

    `question` (N,) are codes of what is resampled together; `weight` (N,) is what a pair counts, above 0, 1 without: a play with K paths
    gives each 1/K, so that a question weighs the same however many samples it has, as in the paper.  Raises ValueError for other values.
    """
    weight = np.ones(first.shape) if weight is None else weight
    check_pairs(first, second, question, weight)
    _, code = np.unique(question, return_inverse=True)
    parts = (weight, weight * first, weight * second, weight * first * second)
    whole, one, two, both = np.stack(
        [np.bincount(code, part, code.max(initial=-1) + 1) for part in parts]
    )
    top, bottom = (
        np.stack((one, two, both, two - both), axis=1),
        np.stack((whole, whole, one, whole - one), axis=1),
    )
    seen = scores(divide(top.sum(axis=0, keepdims=True), bottom.sum(axis=0, keepdims=True)))
    drawn = scores(ratio_draws(top, bottom, resamples=resamples, seed=seed))
    figures = [
        Interval(*(float(value) for value in row))
        for row in zip(seen[0], *percentiles(drawn, level=level), strict=True)
    ]
    acc1 = figures[0].mean
    counts = [
        int(((first == a) & (second == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))
    ]
    return Change(
        first.size, *counts, *figures, acc1**2, 2 * acc1 - acc1**2, undefined_reason(acc1)
    )


def scores(shares: Array) -> Array:
    """(draws, 6) Acc1, Acc2, gain, CL, CS, RSS of shares (draws, 4) Acc1, Acc2, CL, CS; RSS is nan where Acc1 is 0 or 1."""
    acc1, acc2, cl, cs = shares.T
    below = 2 * acc1 * (1 - acc1)
    rss = np.divide(acc2 - acc1**2, below, out=np.full(below.shape, np.nan), where=below > 1e-12)
    return np.stack((acc1, acc2, acc2 - acc1, cl, cs, rss), axis=1)


def divide(top: Array, bottom: Array) -> Array:
    """top / bottom, nan where that is 0."""
    result: Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 1e-12)
    return result


def undefined_reason(acc1: float) -> str | None:
    """Why a score has no value, None where all have one."""
    if acc1 != acc1:
        return "there are no pairs of answers"
    if acc1 < 1e-12:
        return "no first answer is right: CL and RSS are undefined"
    return "every first answer is right: CS and RSS are undefined" if acc1 > 1 - 1e-12 else None


def check_pairs(first: Array, second: Array, question: Codes, weight: Array) -> None:
    """Raise ValueError unless all are (N,), correctness is 0 or 1, and weights are above 0."""
    if not first.shape == second.shape == question.shape == weight.shape or first.ndim != 1:
        raise ValueError(
            f"all must be (N,), found {first.shape}, {second.shape}, {question.shape} and {weight.shape}"
        )
    if not (np.isin(first, (0, 1)) & np.isin(second, (0, 1))).all():
        raise ValueError(
            "answers must be 1 right or 0 not right; decide what unreadable ones are, and count them"
        )
    if not (weight > 0).all():
        raise ValueError("weights must be above 0")
