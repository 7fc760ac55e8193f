"""Ask a large model only where a small one is unsure: quality against share deferred and dollars.

Gupta et al. (arXiv 2404.10136): the questions whose small reply has the lowest value are deferred.
The cost-quality curve goes through all thresholds, from nothing deferred to everything.  The random
line is that of deferring without looking; the oracle defers where the large model is right and the
small one wrong, first, and where it is the other way round, last.  Where values are equal the curve
is their expectation over random orders, a straight line.

    area = mean quality over shares deferred        gain = (area - random) / (oracle - random)

A threshold is a quantile of the values (`defer_below`), or the value is what a rule has learned of
features (`learned_rule`), cross-fitted by question.  Kept: the curve, its area, thresholds by
quantiles.  Different: the rule is the difference of two logistic regressions, not a perceptron.
Left out: embeddings of the models.

All arguments are of Q questions, (Q,): `value`, higher is surer, of the small model's reply;
`small` and `large`, 0 or 1, whether each model's reply is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Codes, divide
from analysis.statistics.jackknife import influences, jackknife_se, weights_without
from analysis.statistics.logistic import cross_fit_chances, folds_of
from analysis.statistics.reply_order import counts_by_value
from analysis.statistics.simultaneous import student_quantile


@dataclass(frozen=True, slots=True)
class CascadeCurve:
    """The curve at its corners, (U + 1,) each: from nothing deferred on.

    `deferred` is the share of questions, `quality` the share right, `dollars` the mean a question
    (nan where prices are unknown), `threshold` the value below or at which questions are deferred
    (-inf: none).
    """

    deferred: Array
    quality: Array
    dollars: Array
    threshold: Array


@dataclass(frozen=True, slots=True)
class CascadeArea:
    """The mean quality over shares deferred, and its gain: 0 a random order, 1 the oracle's.

    `random` and `oracle` are the areas of those two.  `over_dollars` is the mean quality over the
    dollars that deferring adds, nan where they are unknown or nothing.
    """

    area: Interval
    gain: Interval
    over_dollars: Interval
    random: float
    oracle: float


def cascade_curve(
    value: Array,
    small: Array,
    large: Array,
    *,
    small_dollars: Array | None = None,
    large_dollars: Array | None = None,
) -> CascadeCurve:
    """Return the cost-quality curve; dollars (Q,) are what each model's reply to a question costs.

    Every question is asked of the small model, so that its dollars are always paid.
    """
    check_outcomes(value, small, large)
    place, inverse, size = np.unique(value, return_inverse=True, return_counts=True)
    code = inverse.ravel()
    benefit = np.bincount(code, large - small, place.size)
    unknown = np.full(value.size, np.nan)
    first = unknown if small_dollars is None else small_dollars
    second = unknown if large_dollars is None else large_dollars
    extra = np.bincount(code, second, place.size)
    questions = value.size
    return CascadeCurve(
        from_zero(np.cumsum(size) / questions),
        small.mean() + from_zero(np.cumsum(benefit) / questions),
        first.mean() + from_zero(np.cumsum(extra) / questions),
        np.concatenate(([-np.inf], place)),
    )


def cascade_area(
    value: Array, small: Array, large: Array, *, large_dollars: Array | None = None
) -> CascadeArea:
    """Return the area under quality against share deferred, with intervals over questions.

    `large_dollars` (Q,) are what the large model's reply to each question costs.
    """
    check_outcomes(value, small, large)
    benefit = large - small
    weights = weights_without(value.size)
    total = weights.sum(axis=1)
    start = divide(weights @ small, total)
    each = np.ones(value.size)
    dollars = np.full(value.size, np.nan) if large_dollars is None else large_dollars
    area = start + area_of_benefit(value, benefit, each, weights)
    over_dollars = start + area_of_benefit(value, benefit, dollars, weights)
    oracle = start + area_of_benefit(-benefit, benefit, each, weights)
    random = divide(weights @ (small + large), 2 * total)
    gain = divide(area - random, oracle - random)
    numbers = np.stack((area, gain, over_dollars), axis=1)
    width = student_quantile(len(weights) - 1) * jackknife_se(influences(numbers[1:]))
    mean, relative, dear = [
        Interval(float(middle), float(middle - half), float(middle + half))
        if half > 0
        else Interval(float(middle), np.nan, np.nan)
        for middle, half in zip(numbers[0], width, strict=True)
    ]
    return CascadeArea(mean, relative, dear, float(random[0]), float(oracle[0]))


def area_of_benefit(value: Array, benefit: Array, cost: Array, weights: Array) -> Array:
    """Return (B,) the mean benefit so far over the cost of deferring, as a share of questions.

    `cost` (Q,) is what each question adds to the axis: 1 for shares deferred, or dollars.
    """
    question = np.arange(value.size)
    # Deferred first are the least sure, which counts_by_value has last: turn the values round.
    gained, size = counts_by_value(-value, benefit, question, weights)
    added, _ = counts_by_value(-value, cost, question, weights)
    so_far = np.cumsum(gained, axis=1) - gained / 2
    total = size.sum(axis=1) * added.sum(axis=1)
    return divide(np.einsum("bu,bu->b", so_far, added), total)


@dataclass(frozen=True, slots=True)
class Deferred:
    """What came of a threshold made on other questions: the share deferred and the share right."""

    deferred: float
    right: float


def defer_share(
    value: Array, small: Array, large: Array, question: Codes, share: float
) -> Deferred:
    """Return what deferring about a share of questions gives, thresholds cross-fitted.

    Each fold defers the values at or below a quantile of the other folds.
    """
    fold = folds_of(question)
    deferred = np.zeros(value.size, dtype=np.bool_)
    for number in np.unique(fold):
        others, mine = fold != number, fold == number
        if others.any():
            deferred[mine] = value[mine] <= defer_below(value[others], share)
    return Deferred(float(deferred.mean()), float(np.where(deferred, large, small).mean()))


def defer_below(value: Array, share: float) -> float:
    """Return the threshold at or below which a share of questions would have been deferred.

    To be used on other questions than those that it was made of.  Raises ValueError for a share
    outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share deferred must be in [0, 1], found {share}")
    return float(np.quantile(value, share, method="inverted_cdf")) if share > 0 else -np.inf


def learned_rule(features: Array, small: Array, large: Array, question: Codes) -> Array:
    """Return (Q,) values, higher is surer, of a rule learned of features (Q, K), cross-fitted.

    The chance that the small model is right, less that of the large one, each by a logistic
    regression fitted to the folds without the question; nan where features are missing or a fold's
    others hold one class.
    """
    chances = [cross_fit_chances(features, each, question) for each in (small, large)]
    # A large model that is always right, or never, has no class to learn: its chance is constant.
    for number, each in enumerate((small, large)):
        if np.unique(each).size < 2 and each.size:
            chances[number] = np.full(each.size, each[0])
    return chances[0] - chances[1]


def from_zero(values: Array) -> Array:
    """Return the values with a 0 before them."""
    return np.concatenate(([0.0], values))


def check_outcomes(value: Array, small: Array, large: Array) -> None:
    """Raise ValueError unless there are questions, without nan, and outcomes are 0 or 1."""
    if not value.size or np.isnan(value).any():
        raise ValueError("a cascade needs questions, each with a value; leave out missing ones")
    if not (np.isin(small, (0, 1)).all() and np.isin(large, (0, 1)).all()):
        raise ValueError("outcomes must be 0 or 1; leave out what was not graded, and count it")
