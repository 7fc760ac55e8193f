"""Measure how well stated confidence fits outcomes: Brier score, ECE, AUROC, overconfidence.

Brier (1950); expected calibration error as in Guo et al. (arXiv 1706.04599); AUROC as the
Mann-Whitney statistic, with the interval of DeLong et al. (1988) for clusters (Obuchowski 1997);
AUPRC of right and of wrong answers as average precision, as Xiong et al. use it (arXiv 2306.13063);
the area under accuracy and coverage, as arXiv 2502.01126 uses it.  Other errors of calibration are
in calibration_error.py and smooth_ece.py.  Left out: intervals for ECE, whose bootstrap is biased
upwards (`ece_floor` says how large it is by chance), and for the areas.

`confidence` and `correct` are arrays of one shape; confidence in [0, 1], correct 0 or 1 (a half,
for a tie, only in `brier`).  Nothing is dropped silently: a nan raises ValueError, except in the
functions that say so.  Undefined results (no values, one class) are nan.
"""

from __future__ import annotations

from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, Codes, check_rows, cluster_se, student_interval

Edges = Literal["right", "left"]


def brier(confidence: Array, correct: Array) -> float:
    """Return the mean squared difference of confidence and outcome, in [0, 1].

    A constant 0.5 gives 0.25.  An outcome may be 0.5, a tie.
    """
    check_ratings(confidence, correct, ties=True)
    return float(np.mean(np.square(confidence - correct))) if confidence.size else nan


def bin_of(confidence: Array, *, bins: int = 10, edges: Edges = "right") -> Codes:
    """Return the bin of equal width, 0 to bins - 1, of each confidence.

    "right" closes bins on the right: (0.7, 0.8] holds 0.8, and 0 goes to the first bin.  "left"
    closes them on the left: [0.8, 0.9) holds 0.8, and 1 goes to the last.  Raises ValueError for
    other edges, or less than one bin.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, found {bins}")
    if edges not in ("right", "left"):
        raise ValueError(f"edges must be 'right' or 'left', found {edges!r}")
    place = confidence * bins
    nearest = np.round(place)
    # Within 1e-9 of an edge is on the edge: 0.29 * 100 is 28.999999999999996 to a computer.
    place = np.where(np.abs(place - nearest) < 1e-9 * bins, nearest, place)
    index = np.ceil(place) - 1 if edges == "right" else np.floor(place)
    result: Codes = np.clip(index, 0, bins - 1).astype(np.int64)
    return result


def ece(confidence: Array, correct: Array, *, bins: int = 10, edges: Edges = "right") -> float:
    """Return the expected calibration error over bins of equal width, in [0, 1].

    It is |mean confidence - share correct| by bin, weighted by the bin's share of the values; nan
    without values.  Stated confidences sit on bin edges (0.7, 0.8), so that the result depends on
    the rule for edges: see `bin_of`.
    """
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    # Sums, not means: the size of a bin cancels against its weight.
    excess = np.bincount(
        bin_of(confidence.ravel(), bins=bins, edges=edges),
        weights=(confidence - correct).ravel(),
        minlength=bins,
    )
    return float(np.abs(excess).sum() / confidence.size)


def auroc(confidence: Array, correct: Array) -> float:
    """Return the chance that a winner stated more confidence than a loser, in [0, 1].

    Equal confidences count a half; nan without both classes.
    """
    check_ratings(confidence, correct)
    right, wrong = placements(confidence.ravel(), correct.ravel())
    return float(right.mean()) if right.size and wrong.size else nan


def auroc_interval(
    confidence: Array, correct: Array, *, level: float = 0.95
) -> tuple[float, float]:
    """Return (low, high) around the AUROC, with rows as clusters.

    Both arrays are (clusters, members); a nan in either leaves the value out.  A value's influence
    is its placement among the other class (DeLong), summed within its cluster (Obuchowski);
    Student's t with clusters - 1 degrees of freedom.  The interval is cut to [0, 1]; nan without
    both classes or with fewer than 2 clusters.
    """
    check_rows(confidence)
    there = ~(np.isnan(confidence) | np.isnan(correct))
    stated = confidence[there]
    outcome = correct[there]
    check_ratings(stated, outcome)
    right, wrong = placements(stated, outcome)
    if not right.size or not wrong.size:
        return nan, nan
    area = float(right.mean())
    # Each class sums to 0 around the area, as cluster_se expects of an influence.
    each = np.empty(stated.size)
    each[outcome == 1] = (right - area) / right.size
    each[outcome == 0] = (wrong - area) / wrong.size
    influence = np.full(confidence.shape, nan)
    influence[there] = each
    se, clusters = cluster_se(influence)
    low, high = student_interval(area, se, clusters, level=level)
    # Only nan differs from itself; max and min would drop or keep it by their arguments' order.
    return max(low, 0.0) if low == low else nan, min(high, 1.0) if high == high else nan


def placements(confidence: Array, correct: Array) -> tuple[Array, Array]:
    """Return the placements of right and of wrong values among the other class, in [0, 1].

    For each right value the share of wrong ones below it, for each wrong one the share of right
    ones above it; equal ones count a half.
    """
    right = confidence[correct == 1]
    wrong = confidence[correct == 0]
    if not right.size or not wrong.size:
        return right, wrong
    return share_below(right, np.sort(wrong)), 1 - share_below(wrong, np.sort(right))


def share_below(values: Array, ordered: Array) -> Array:
    """Return for each value the share of the ordered ones that are smaller, equal ones a half."""
    # The mean of both insertion points counts the smaller ones and half of the equal ones.
    points = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return points / (2 * ordered.size)


def average_precision(confidence: Array, correct: Array) -> float:
    """Return the area under precision and recall in steps, in [0, 1].

    It is the mean over right values of the share right among those at least as sure; equal
    confidences enter together (one threshold).  AUPRC-P of Xiong et al.; their AUPRC-N, of finding
    wrong answers by low confidence, is `average_precision(1 - confidence, 1 - correct)`.  A random
    order gives about the share right.  nan without a right value.
    """
    check_ratings(confidence, correct)
    if not correct.any():
        return nan
    size, right = group_sizes(confidence.ravel(), correct.ravel())
    precision = np.cumsum(right) / np.cumsum(size)
    return float((precision * right).sum() / right.sum())


def accuracy_coverage(confidence: Array, correct: Array) -> Array:
    """Return (n,) the share right among the k surest, for k = 1 to n.

    Equal confidences count with their expectation over random orders: within a tie each value is
    right with the tie's share.
    """
    check_ratings(confidence, correct)
    size, right = group_sizes(confidence.ravel(), correct.ravel())
    expected: Array = np.cumsum(np.repeat(right / size, size))
    return expected / np.arange(1, expected.size + 1)


def selective_accuracy(confidence: Array, correct: Array) -> float:
    """Return the area under accuracy and coverage, in [0, 1]: the mean of `accuracy_coverage`.

    One minus it is the area under risk and coverage.  It is the share right if all are equally
    sure, and nan without values.
    """
    shares = accuracy_coverage(confidence, correct)
    return float(shares.mean()) if shares.size else nan


def group_sizes(confidence: Array, correct: Array) -> tuple[NDArray[np.intp], Array]:
    """Return (size, right), one for each confidence that occurs, the surest first.

    `size` counts the values with that confidence, `right` those of them that are right.
    """
    # unique sorts upwards; of negative confidences the surest come first.
    _, inverse, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    right = np.bincount(inverse.ravel(), weights=correct, minlength=size.size)
    return size, right.astype(np.float64)


def check_ratings(confidence: Array, correct: Array, *, ties: bool = False) -> None:
    """Raise ValueError unless shapes are equal, confidence is in [0, 1], outcomes are 0 or 1.

    With `ties` an outcome may be 0.5 too.
    """
    if confidence.shape != correct.shape:
        raise ValueError(
            "confidence and correct must have one shape,"
            f" found {confidence.shape} and {correct.shape}"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(
            "confidence must be in [0, 1] and not nan; leave out what is missing, and count it"
        )
    known = (correct == 0) | (correct == 1)
    if ties:
        known |= correct == 0.5
    if not known.all():
        raise ValueError(
            f"outcomes must be 0 or 1{' or 0.5' if ties else ''}, not nan;"
            " leave out what was not judged, and count it"
        )
