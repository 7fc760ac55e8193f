"""Test whether a mean confidence is practically equal to a value, such as 50%.

A test that finds no difference does not show equality; two one-sided tests can.  Schuirmann, A
comparison of the two one-sided tests procedure and the power approach (1987): the mean is
equivalent to a value if it is significantly above value - margin and significantly below
value + margin, which is when the interval of level 1 - 2 alpha lies inside.  The standard error is
that of clustered.py, with debates as clusters.  Left out: a margin chosen from the data, which
would decide the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan

from analysis.statistics.clustered import Array, clustered_mean, student_test

VERDICTS = ("equivalent", "different", "undecided", "no spread", "too few debates")


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A mean of `n` ratings in `debates` debates, tested for equality with a value.

    Undefined numbers are nan.  `margin` is how far off still counts as equal; `difference` is
    mean - value; `ci_low` and `ci_high` are the interval of the mean at level 1 - 2 alpha; `p` is
    the larger of the two one-sided p-values.  `verdict`: "equivalent" (p below alpha), "different"
    (the whole interval is further off than the margin), "undecided", "no spread" (all debates have
    one mean, so there is nothing to test) or "too few debates" (fewer than 2).
    """

    n: int
    debates: int
    mean: float
    difference: float
    margin: float
    ci_low: float
    ci_high: float
    p: float
    verdict: str


def equivalence(
    confidence: Array, *, value: float = 0.5, margin: float = 0.05, alpha: float = 0.05
) -> Equivalence:
    """Test ratings (debates, members), nan if missing, against `value` within `margin`.

    Ratings, value and margin are in [0, 1].  Raises ValueError for a margin that is not above 0, or
    an `alpha` outside (0, 0.5).
    """
    if not margin > 0 or not 0 < alpha < 0.5:
        raise ValueError(
            f"the margin must be above 0 and alpha in (0, 0.5), found {margin} and {alpha}"
        )
    # Each one-sided test has level alpha, so the interval that agrees with both leaves alpha out
    # at either end.
    mean = clustered_mean(confidence, against=value, level=1 - 2 * alpha)
    difference = mean.mean - value
    _, above = student_test(difference + margin, mean.se, mean.clusters - 1, one_sided=True)
    _, below = student_test(margin - difference, mean.se, mean.clusters - 1, one_sided=True)
    p = nan if isnan(above) else max(above, below)
    if mean.clusters < 2:
        verdict = "too few debates"
    elif isnan(p):
        verdict = "no spread"
    elif p < alpha:
        verdict = "equivalent"
    else:
        beyond = mean.ci_low > value + margin or mean.ci_high < value - margin
        verdict = "different" if beyond else "undecided"
    return Equivalence(
        mean.n, mean.clusters, mean.mean, difference, margin, mean.ci_low, mean.ci_high, p, verdict
    )
