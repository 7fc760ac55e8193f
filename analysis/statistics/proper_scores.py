"""Score probabilities by what came true: the logarithmic score, and Brier's over all options.

Good (1952) and Brier (1950).  Both are proper: on average nobody does better than by stating what
it believes.  Brier's score of one event is in calibration.py.  Undefined results are nan.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.calibration import check_ratings
from analysis.statistics.clustered import Array, Codes

# A stated percent is a rounded one: 100% may be 99.5%.
HALF_PERCENT = 0.005


def nll(confidence: Array, correct: Array, *, epsilon: float = HALF_PERCENT) -> float:
    """Return the mean negative log likelihood in nats, at least 0: log 2 for a constant 50%.

    Confidences are first cut to [epsilon, 1 - epsilon]: one stated 100% that is wrong would make
    the score infinite, and costs -log(epsilon) instead.  `confidence` and `correct` are as in
    calibration.py.  Raises ValueError for an epsilon outside (0, 0.5).
    """
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon must be above 0 and below 0.5, found {epsilon}")
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    sure = np.clip(confidence, epsilon, 1 - epsilon)
    return float(-np.log(np.where(correct == 1, sure, 1 - sure)).mean())


def multiclass_brier(probability: Array, right: Codes) -> float:
    """Return the mean sum over options of the squared errors of their probabilities, in [0, 2].

    `probability` is (N, options), rows that sum to 1; `right` (N,) is the number of the right
    option.  Of two options it is twice the score of one event.  Raises ValueError for other arrays.
    """
    if probability.ndim != 2 or right.shape != probability.shape[:1]:
        raise ValueError(
            "probability must be (N, options) and right (N,), found"
            f" {probability.shape} and {right.shape}"
        )
    check_probabilities(probability)
    if not right.size:
        return nan
    if right.min() < 0 or right.max() >= probability.shape[1]:
        raise ValueError(
            f"right must lie in 0 to {probability.shape[1] - 1}, found {right.min()} to"
            f" {right.max()}"
        )
    error = probability.copy()
    error[np.arange(right.size), right] -= 1
    return float(np.square(error).sum(axis=1).mean())


def check_probabilities(probability: Array) -> None:
    """Raise ValueError unless values are in [0, 1] and sum to 1 along the last axis."""
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1] and not be nan")
    total = probability.sum(axis=-1)
    if (np.abs(total - 1) > 1e-6).any():
        raise ValueError(
            "probabilities of all options must sum to 1, found sums from"
            f" {total.min():.6g} to {total.max():.6g}"
        )
