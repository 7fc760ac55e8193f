"""Turn values of any unit into probabilities that fit outcomes, and judge them on other questions.

Platt scaling (Platt 1999), isotonic regression (Zadrozny and Elkan 2002), temperature scaling (Guo
et al., arXiv 1706.04599) and histogram binning (Zadrozny and Elkan 2001).  A recalibration that is
judged on the replies that it was fitted to looks better than it is, so that calibration errors of a
recalibrated estimator are always cross-fitted by question (`cross_fit` of logistic.py), and named
so.  All but histogram binning keep the order of the values within a fold, up to ties.

Each fit takes values (N,) and outcomes (N,), 0 or 1, of both classes, and returns a function from
values to probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.logistic import Fit, Predict, cross_fit, fit_logistic, sigmoid

BINS = 10
# A stated percent is a rounded one: 0 and 100% have finite logits.
HALF_PERCENT = 0.005
SMALL_RIDGE = 1e-3


def platt(values: Array, right: Array) -> Predict:
    """Fit a logistic curve, with Platt's targets: (N+ + 1) / (N+ + 2) and 1 / (N- + 2)."""
    positive = float(right.sum())
    negative = right.size - positive
    target = np.where(right == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    found = fit_logistic(values[:, None], target, ridge=SMALL_RIDGE)
    return lambda others: found(others[:, None])


def temperature(values: Array, right: Array) -> Predict:
    """Fit one temperature that divides the logits of stated probabilities in [0, 1].

    Values are cut to [.005, .995] first.  Never below 0: an order that is worse than chance becomes
    a constant one half.
    """
    found = fit_logistic(logit(values)[:, None], right, ridge=SMALL_RIDGE, constant=False)
    slope = max(0.0, float(found.slope[0]))
    return lambda others: sigmoid(slope * logit(others))


def isotonic(values: Array, right: Array) -> Predict:
    """Fit the best curve that never falls; between two values it is a straight line."""
    from scipy.optimize import isotonic_regression

    place, inverse, size = np.unique(values, return_inverse=True, return_counts=True)
    share = np.bincount(inverse.ravel(), right, place.size) / size
    level: Array = isotonic_regression(share, weights=size).x
    return lambda others: np.interp(others, place, level)


def histogram(values: Array, right: Array) -> Predict:
    """Fit the share right in bins of about equal counts; equal values are in one bin."""
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, values, side="right")
    size = np.bincount(place, minlength=edges.size + 1)
    count = np.bincount(place, right, edges.size + 1)
    # Half a reply of each class keeps a share off 0 and 1, and an empty bin at one half.
    share = (count + 0.5) / (size + 1)
    return lambda others: share[np.searchsorted(edges, others, side="right")]


METHODS: Mapping[str, Fit] = {
    "Platt": platt,
    "isotonic": isotonic,
    "temperature": temperature,
    "histogram": histogram,
}
# Temperature scaling needs logits, which a value of another unit has not.
NEEDS_PROBABILITY = frozenset({"temperature"})


def recalibrated(method: str, values: Array, right: Array, question: Codes) -> Array:
    """Return (N,) probabilities for values (N,), cross-fitted by question; nan where missing.

    Raises KeyError for an unknown method, and ValueError for a temperature of values outside
    [0, 1].
    """
    if method in NEEDS_PROBABILITY and (np.nan_to_num(np.abs(values - 0.5)) > 0.5).any():
        raise ValueError("temperature scaling needs probabilities; use 'Platt' for other values")
    return cross_fit(METHODS[method], values, right, question)


def logit(probability: Array) -> Array:
    """Return log(p / (1 - p)) of probabilities, cut to [.005, .995]."""
    sure = np.clip(probability, HALF_PERCENT, 1 - HALF_PERCENT)
    result: Array = np.log(sure / (1 - sure))
    return result
