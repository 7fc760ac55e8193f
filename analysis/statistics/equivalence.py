"""Test whether a mean confidence is practically equal to a value, such as 50%.

A test that finds no difference does not show equality; two one-sided tests can.  Schuirmann, A
comparison of the two one-sided tests procedure and the power approach (1987): the mean is
equivalent to a value if it is significantly above value - margin and significantly below
value + margin, which is when the interval of level 1 - 2 alpha lies inside.  Standard errors are
those of claims.py, for models like these and for these models.

Student's t is too sure where a few debates differ strongly and most not at all: the few may be
missing from the sample, as the rule of three has it.  There the interval reaches as far as
Stringer's bound for values in [0, 1] (Bickel, 1992, Stat. Sinica 2:205), which is the exact
binomial one for values of 0 and 1, and p is that of the bound.  So a claim of equivalence needs as
many debates as would show a deviation that matters.  Left out: a margin chosen from the data, which
would decide the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.claims import (
    LIKE_THESE,
    THESE,
    interval_and_test,
    missing_words,
    spreads,
)
from analysis.statistics.clustered import SHARE, Array, Codes, check_rows, student_test

VERDICTS = ("equivalent", "different", "undecided", "too few debates")
# Below so many debates that differ from the most frequent mean, Student's t does not hold.
FEW_DEVIATIONS = 20
HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Tost:
    """Two one-sided tests: the interval at level 1 - 2 alpha, the larger p, and the verdict.

    `verdict`: "equivalent" (p below alpha), "different" (the whole interval is further off than
    the margin), "undecided", or "too few debates", with which none can be called equivalent.
    """

    ci_low: float
    ci_high: float
    p: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A mean of `n` ratings in `debates` debates, tested for equality with a value.

    Undefined numbers are nan.  `margin` is how far off still counts as equal; `difference` is
    mean - value.  `test` is of the wider claim, which `speaks_of` names, `these` of these models;
    `note` says why there is no wider one.
    """

    n: int
    debates: int
    mean: float
    difference: float
    margin: float
    test: Tost
    speaks_of: str
    models: int
    these: Tost
    note: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a mean: whether it is within a margin of a value, at level alpha."""

    value: float
    margin: float
    alpha: float


def equivalence(
    confidence: Array,
    model: Codes | None = None,
    *,
    value: float = 0.5,
    margin: float = 0.05,
    alpha: float = 0.05,
) -> Equivalence:
    """Test ratings (debates, 2), nan if missing, against `value` within `margin`.

    Ratings, value and margin are in [0, 1]; `model` (debates, 2) holds codes of models, None where
    one model gave all the ratings.  Raises ValueError for a margin that is not above 0, or an
    `alpha` outside (0, 0.5).
    """
    if not margin > 0 or not 0 < alpha < 0.5:
        raise ValueError(
            f"the margin must be above 0 and alpha in (0, 0.5), found {margin} and {alpha}"
        )
    check_rows(confidence)
    there = ~np.isnan(confidence)
    n = int(there.sum())
    mean = float(confidence[there].mean()) if n else nan
    asked = Question(value, margin, alpha)
    codes = np.zeros(confidence.shape, dtype=np.int64) if model is None else model
    weight = np.where(there, 1 / max(n, 1), nan)
    spread = spreads((confidence - mean) * weight, weight, codes)
    rated = np.nanmean(confidence[there.any(axis=1)], axis=1)
    exact = exact_test(rated, asked)
    these = two_one_sided(mean, spread.these, spread.these_degrees, exact, asked, spread.debates)
    test, speaks_of = these, THESE
    if spread.like > 0:
        test = two_one_sided(mean, spread.like, spread.like_degrees, exact, asked, spread.debates)
        speaks_of = LIKE_THESE
    return Equivalence(
        n,
        spread.debates,
        mean,
        mean - value,
        margin,
        test,
        speaks_of,
        spread.models,
        these,
        missing_words(spread),
    )


def two_one_sided(
    mean: float,
    se: float,
    degrees: int,
    exact: tuple[float, float, float],
    asked: Question,
    debates: int,
) -> Tost:
    """Return both tests by Student's t, and by the exact bounds (low, high, p) where there are."""
    # Each one-sided test has level alpha, so the interval that agrees with both leaves alpha out
    # at either end.
    low, high, *_ = interval_and_test(mean, se, degrees, mean, 1 - 2 * asked.alpha, SHARE)
    off = mean - asked.value
    _, above = student_test(off + asked.margin, se, degrees, one_sided=True)
    _, below = student_test(asked.margin - off, se, degrees, one_sided=True)
    # fmin and fmax pass nan over: whichever of both there is counts.
    low, high = float(np.fmin(low, exact[0])), float(np.fmax(high, exact[1]))
    p = float(np.fmax(max(above, below), exact[2]))
    if p < asked.alpha:
        verdict = "equivalent"
    elif low > asked.value + asked.margin or high < asked.value - asked.margin:
        verdict = "different"
    elif debates < debates_needed(asked) or p != p:
        verdict = "too few debates"
    else:
        verdict = "undecided"
    return Tost(low, high, p, verdict)


def debates_needed(asked: Question) -> int:
    """Return how many debates show any deviation that moves the mean by the margin.

    With fewer the mean may lie outside, though all debates of the sample are exactly at the value.
    """
    # The rule of three, exactly: n debates alike leave a share of others of 1 - alpha^(1/n).
    share = asked.margin / max(asked.value, 1 - asked.value)
    if share >= 1:
        return 2
    return max(2, int(np.floor(np.log(asked.alpha) / np.log1p(-share))) + 1)


def exact_test(rated: Array, asked: Question) -> tuple[float, float, float]:
    """Return (low, high, p) by Stringer's bound of debates' means (G,), nan if it is not needed."""
    if rated.size < 2:
        return nan, nan, nan
    values, counts = np.unique(np.round(rated, 12), return_counts=True)
    deviations = rated.size - int(counts.max())
    if deviations >= FEW_DEVIATIONS and rated.size >= debates_needed(asked):
        return nan, nan, nan
    # The lower bound of values is the upper bound of what they lack to 1.
    ends = ((values[::-1], counts[::-1]), (1 - values, counts))
    limits = (asked.value + asked.margin, 1 - (asked.value - asked.margin))
    high, low = (stringer_bound(*end, asked.alpha) for end in ends)
    p = max(stringer_p(*end, limit) for end, limit in zip(ends, limits, strict=True))
    return 1 - low, high, p


def stringer_bound(values: Array, counts: Codes, alpha: float) -> float:
    """Return the upper bound at level 1 - alpha of the mean of values in [0, 1].

    `values` (K,) fall, and `counts` (K,) say how often each was found.
    """
    from scipy.special import betaincinv

    n = int(counts.sum())
    found = np.concatenate(([0], np.cumsum(counts)))
    # Clopper and Pearson's upper bound of the share of the values down to each; all of n is 1.
    shares = betaincinv(found[:-1] + 1, n - found[:-1], 1 - alpha)
    return float(shares[0] + np.diff(np.append(shares, 1.0)) @ values)


def stringer_p(values: Array, counts: Codes, limit: float) -> float:
    """Return the smallest alpha at which Stringer's bound lies below a limit."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if stringer_bound(values, counts, middle) < limit:
            high = middle
        else:
            low = middle
    return high
