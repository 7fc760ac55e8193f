"""How well stated confidence fits what happened: Brier score, ECE, AUROC, and mean confidence minus the share of wins.

Brier (1950); expected calibration error as in Guo et al. (arXiv 1706.04599); AUROC as the Mann-Whitney statistic, with the interval of
DeLong et al. (1988) for clusters (Obuchowski 1997); AUPRC of right and of wrong answers as average precision, as Xiong et al. use it
(arXiv 2306.13063); the area under accuracy and coverage, as arXiv 2502.01126 uses it.  Left out: ECE by equal mass and smooth ECE (bins of
equal mass split the many equal confidences that models state), and intervals for ECE, whose bootstrap is biased upwards, and for the areas.

`confidence` and `correct` are arrays of one shape; confidence in [0, 1], correct 0 or 1 (a half, for a tie, only in `brier`).  Nothing is
dropped silently: a nan raises ValueError, except in the functions that say so.  What is undefined (no values, one class) is nan.
"""

from __future__ import annotations

from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, check_rows, cluster_se, student_interval

Edges = Literal["right", "left"]


def brier(confidence: Array, correct: Array) -> float:
    """Mean squared difference of confidence and outcome, in [0, 1]; constant 0.5 gives 0.25.  An outcome may be 0.5, a tie."""
    check_ratings(confidence, correct, ties=True)
    return float(np.mean(np.square(confidence - correct))) if confidence.size else nan


def overconfidence(confidence: Array, correct: Array) -> float:
    """Mean confidence minus the share of wins, in [-1, 1]; above 0 is overconfident."""
    check_ratings(confidence, correct)
    return float(np.mean(confidence - correct)) if confidence.size else nan


def bin_of(confidence: Array, *, bins: int = 10, edges: Edges = "right") -> NDArray[np.int64]:
    """The bin of equal width, 0 to bins - 1, of each confidence.

    "right" closes bins on the right: (0.7, 0.8] holds 0.8, and 0 goes to the first bin.  "left" closes them on the left: [0.8, 0.9) holds
    0.8, and 1 goes to the last.  A confidence within 1e-9 of an edge counts as on it, so that 0.3 does not depend on rounding.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, found {bins}")
    if edges not in ("right", "left"):
        raise ValueError(f"edges must be 'right' or 'left', found {edges!r}")
    place = confidence * bins
    nearest = np.round(place)
    place = np.where(np.abs(place - nearest) < 1e-9 * bins, nearest, place)
    index = np.ceil(place) - 1 if edges == "right" else np.floor(place)
    result: NDArray[np.int64] = np.clip(index, 0, bins - 1).astype(np.int64)
    return result


def ece(confidence: Array, correct: Array, *, bins: int = 10, edges: Edges = "right") -> float:
    """Expected calibration error over bins of equal width, in [0, 1]: |mean confidence - share correct| by bin, weighted by its size.

    Stated confidences sit on bin edges (0.7, 0.8), so the result hangs on the rule for edges: see `bin_of`.  nan without values.
    """
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    excess = np.bincount(
        bin_of(confidence.ravel(), bins=bins, edges=edges),
        weights=(confidence - correct).ravel(),
        minlength=bins,
    )
    return float(np.abs(excess).sum() / confidence.size)


def auroc(confidence: Array, correct: Array) -> float:
    """The chance that a winner stated more confidence than a loser, equal confidences counting a half; nan without both classes."""
    check_ratings(confidence, correct)
    right, wrong = placements(confidence.ravel(), correct.ravel())
    return float(right.mean()) if right.size and wrong.size else nan


def auroc_interval(
    confidence: Array, correct: Array, *, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) around the AUROC, with rows as clusters; both (clusters, members), a nan in either leaves the value out.

    Each value's influence is its placement among the other class (DeLong), summed within its cluster (Obuchowski); Student's t with
    clusters - 1 degrees.  Cut to [0, 1]; nan without both classes or with fewer than 2 clusters.
    """
    check_rows(confidence)
    there = ~(np.isnan(confidence) | np.isnan(correct))
    x, y = confidence[there], correct[there]
    check_ratings(x, y)
    right, wrong = placements(x, y)
    if not right.size or not wrong.size:
        return nan, nan
    area = float(right.mean())
    influence = np.full(confidence.shape, nan)
    each = np.empty(x.size)
    each[y == 1] = (right - area) / right.size
    each[y == 0] = (wrong - area) / wrong.size
    influence[there] = each
    se, clusters = cluster_se(influence)
    low, high = student_interval(area, se, clusters, level=level)
    return max(low, 0.0) if low == low else nan, min(high, 1.0) if high == high else nan


def placements(confidence: Array, correct: Array) -> tuple[Array, Array]:
    """(for each right value the share of wrong ones below it, for each wrong one the share of right ones above it), equal ones a half."""
    right, wrong = confidence[correct == 1], confidence[correct == 0]
    if not right.size or not wrong.size:
        return right, wrong
    return share_below(right, np.sort(wrong)), 1 - share_below(wrong, np.sort(right))


def share_below(values: Array, ordered: Array) -> Array:
    """For each value the share of the ordered ones that are smaller, equal ones counting a half."""
    return (
        np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    ) / (2 * ordered.size)


def average_precision(confidence: Array, correct: Array) -> float:
    """Area under precision and recall in steps, in [0, 1]: the mean over right values of the share right among those at least as sure.

    Equal confidences enter together (one threshold).  AUPRC-P of Xiong et al.; their AUPRC-N, of finding wrong answers by low confidence, is
    `average_precision(1 - confidence, 1 - correct)`.  A random order gives about the share right.  nan without a right value.
    """
    check_ratings(confidence, correct)
    x, y = confidence.ravel(), correct.ravel()
    if not y.any():
        return nan
    _, size, right = groups(x, y)
    precision = np.cumsum(right) / np.cumsum(size)
    return float((precision * right).sum() / right.sum())


def accuracy_coverage(confidence: Array, correct: Array) -> Array:
    """(n,) the share right among the k surest, for k = 1 to n.

    Equal confidences count with their expectation over random orders: within a tie each value is right with the tie's share.
    """
    check_ratings(confidence, correct)
    _, size, right = groups(confidence.ravel(), correct.ravel())
    expected: Array = np.cumsum(np.repeat(right / size, size))
    return expected / np.arange(1, expected.size + 1)


def selective_accuracy(confidence: Array, correct: Array) -> float:
    """Area under accuracy and coverage, in [0, 1]: the mean of `accuracy_coverage`; one minus it is the area under risk and coverage.

    It is the share right where all are equally sure, and nan without values.
    """
    found = accuracy_coverage(confidence, correct)
    return float(found.mean()) if found.size else nan


def groups(confidence: Array, correct: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """(confidences that occur, how many values each has, how many of them are right), the surest first; both (n,)."""
    level, inverse, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    return -level, size, np.bincount(inverse.ravel(), weights=correct, minlength=size.size)


def check_ratings(confidence: Array, correct: Array, *, ties: bool = False) -> None:
    """Raise ValueError unless both have one shape, confidence is in [0, 1], and outcomes are 0, 1 or, where allowed, 0.5."""
    if confidence.shape != correct.shape:
        raise ValueError(
            f"confidence and correct must have one shape, found {confidence.shape} and {correct.shape}"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(
            "confidence must be in [0, 1] and not nan; leave out what is missing, and count it"
        )
    if not np.isin(correct, (0, 0.5, 1) if ties else (0, 1)).all():
        raise ValueError(
            f"outcomes must be 0 or 1{' or 0.5' if ties else ''}, not nan; leave out what was not judged, and count it"
        )
