"""Answer the questions of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).

How sure are debaters, does their confidence rise from the first to the last phase, are both sides
of one debate sure of winning, and are they above the 50% that a debate against oneself allows?
Intervals and p-values are of models like these, and of these models alone (claims.py).  The
published tests take all ratings as independent and are one-sided; they stand beside ours under
names that say so.  Left out: the published Wilcoxon tests and regressions.

Arrays are (debates, 2): one row per debate, one column per side, confidence in [0, 1], nan if
missing; `model` holds a code from 0 for each, and is None where one model gave all the ratings.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from analysis.statistics.claims import Claims, mean_claims, share_claims
from analysis.statistics.clustered import CHANGE, NO_SPREAD, Array, Codes, student_test
from analysis.statistics.effect_size import cohens_d, paired_d


@dataclass(frozen=True, slots=True)
class Rise:
    """The change of confidence between two phases, over the `n` debaters that have both ratings.

    Undefined numbers are nan.  `mean` is in [-1, 1]; interval and two-sided `p` are those of the
    wider of both `claims`.  `p_paired_one_sided` is the published test, a paired t-test for a rise
    with debaters taken as independent; `share_up` and `share_down` are the shares of debaters that
    went up or down; `d` is Cohen's, the mean change in standard deviations of the changes.
    """

    n: int
    mean: float
    ci_low: float
    ci_high: float
    p: float
    p_paired_one_sided: float
    share_up: float
    share_down: float
    d: float
    claims: Claims


@dataclass(frozen=True, slots=True)
class BothSides:
    """Counts among the `debates` in which both sides gave a rating.

    In how many both were at or above, or strictly above, a confidence in percent.
    """

    debates: int
    at_least_75: int
    above_75: int
    above_50: int


@dataclass(frozen=True, slots=True)
class SureShare:
    """The share of debates in which both sides were above a confidence, with both claims."""

    share: float
    claims: Claims


@dataclass(frozen=True, slots=True)
class AgainstHalf:
    """Mean confidence against 50%, which is all that a debate against oneself allows.

    Undefined numbers are nan.  `difference` is mean - 0.5; interval, `t` and two-sided `p` are
    those of the wider of both `claims`; `t_one_sample` and `p_one_sample_one_sided` are the
    published test, with all ratings taken as independent.  `d` is Cohen's, the difference in
    standard deviations of the ratings.
    """

    n: int
    debates: int
    mean: float
    difference: float
    ci_low: float
    ci_high: float
    t: float
    p: float
    t_one_sample: float
    p_one_sample_one_sided: float
    d: float
    claims: Claims


def rise(first: Array, last: Array, model: Codes | None = None) -> Rise:
    """Estimate the rise from one phase to a later one; both arrays are (debates, 2).

    A debater without one of the two ratings is left out.
    """
    change = last - first
    mean, both = mean_claims(change, model, within=CHANGE)
    _, p_published = independent_test(change)
    moved = change[~np.isnan(change)]
    up, down = (float(np.mean(moved > 0)), float(np.mean(moved < 0))) if moved.size else (nan, nan)
    test = mean.mean, mean.ci_low, mean.ci_high, mean.p
    return Rise(mean.n, *test, p_published, up, down, paired_d(first, last), both)


def both_sides(confidence: Array) -> BothSides:
    """Count the debates (debates, 2) whose two sides were both sure.

    A debate with a missing rating is left out.
    """
    lower = confidence[~np.isnan(confidence).any(axis=1)].min(axis=1)
    # The paper's abstract says "both 75% or more" for the published 61.7%, which counts strictly
    # more than 75%; so both are here.
    return BothSides(
        len(lower), int((lower >= 0.75).sum()), int((lower > 0.75).sum()), int((lower > 0.5).sum())
    )


def both_above(confidence: Array, level: float = 0.75) -> Array:
    """Return (debates,) 1 if both sides are above a level, 0 if not, nan if a rating is missing."""
    lower = confidence.min(axis=1)
    return np.where(np.isnan(lower), nan, lower > level)


def sure_share(confidence: Array, level: float, model: Codes | None = None) -> SureShare:
    """Return the share of debates (debates, 2) with both sides above a level, with its claims.

    A debate with a missing rating is left out.
    """
    codes = np.zeros(confidence.shape, dtype=np.int64) if model is None else model
    return SureShare(*share_claims(both_above(confidence, level), codes))


def against_half(confidence: Array, model: Codes | None = None) -> AgainstHalf:
    """Test the confidence of both sides of debates against oneself, (debates, 2), against 50%."""
    mean, both = mean_claims(confidence, model, against=0.5)
    published = independent_test(confidence - 0.5)
    interval = mean.ci_low, mean.ci_high
    return AgainstHalf(
        mean.n,
        mean.clusters,
        mean.mean,
        mean.mean - 0.5,
        *interval,
        mean.t,
        mean.p,
        *published,
        cohens_d(confidence),
        both,
    )


def independent_test(values: Array) -> tuple[float, float]:
    """Return (t, one-sided p) of the claim that the mean is above 0, as the paper tests it.

    All values are taken as independent; nan if undefined.
    """
    there = values[~np.isnan(values)]
    if there.size < 2:
        return nan, nan
    sd = float(there.std(ddof=1))
    se = sd / sqrt(there.size) if sd > NO_SPREAD else 0.0
    return student_test(float(there.mean()), se, there.size - 1, one_sided=True)
