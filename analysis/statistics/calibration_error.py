"""Measure calibration error by bins in other ways than ECE, and say how large ECE is by chance.

The largest and the unweighted mean gap over bins (MCE of Naeini et al., AAAI 2015; ACE as netcal
has it), and ECE over bins of equal counts (Nguyen and O'Connor 2015; Nixon et al., arXiv
1904.01685).  MCE and ACE give a bin of one value the weight of any other, so that they are large
where values are few.  ECE itself is in calibration.py, ECE without bins in smooth_ece.py.

`confidence` and `correct` are as in calibration.py.  Undefined results are nan.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.calibration import Edges, bin_of, check_ratings
from analysis.statistics.clustered import Array

# Up to so many values a bin's distribution is exact; it takes time with their square.
EXACT_UP_TO = 200


def bin_gaps(
    confidence: Array, correct: Array, *, bins: int = 10, edges: Edges = "right"
) -> tuple[Array, Array]:
    """Return (gap, size) of each bin of equal width that has values, from the lowest bin on.

    The gap is mean confidence minus share correct, in [-1, 1]; for `edges` see `bin_of`.
    """
    check_ratings(confidence, correct)
    place = bin_of(confidence.ravel(), bins=bins, edges=edges)
    size = np.bincount(place, minlength=bins)
    excess = np.bincount(place, (confidence - correct).ravel(), bins)
    there = size > 0
    return excess[there] / size[there], size[there].astype(np.float64)


def mce(confidence: Array, correct: Array, *, bins: int = 10, edges: Edges = "right") -> float:
    """Return the maximum calibration error, the largest gap of any bin, in [0, 1]."""
    gap, _ = bin_gaps(confidence, correct, bins=bins, edges=edges)
    return float(np.abs(gap).max()) if gap.size else nan


def ace(confidence: Array, correct: Array, *, bins: int = 10, edges: Edges = "right") -> float:
    """Return the average calibration error, the mean gap of bins with values, in [0, 1]."""
    gap, _ = bin_gaps(confidence, correct, bins=bins, edges=edges)
    return float(np.abs(gap).mean()) if gap.size else nan


def equal_mass_ece(confidence: Array, correct: Array, *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal counts, in [0, 1].

    Values are sorted by confidence and cut into bins of n / bins; equal confidences stay together,
    in the bin that holds the middle of them, so that bins of stated confidences differ in size and
    some may be empty.  Raises ValueError for less than one bin.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, found {bins}")
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    _, inverse, size = np.unique(confidence, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - size / 2
    place = np.minimum(np.floor(bins * middle / confidence.size), bins - 1).astype(np.int64)
    excess = np.bincount(place[inverse.ravel()], (confidence - correct).ravel(), bins)
    return float(np.abs(excess).sum() / confidence.size)


def ece_floor(confidence: Array, *, bins: int = 10, edges: Edges = "right") -> float:
    """Return the ECE to be expected of a perfectly calibrated forecaster, in [0, 1].

    Of one that states these confidences, each of which comes true independently with just that
    chance: an ECE near this number is no sign of miscalibration.  Exact for bins of up to 200
    values, with a normal distribution for larger ones; nan without values.
    """
    check_ratings(confidence, np.zeros_like(confidence))
    if not confidence.size:
        return nan
    flat = confidence.ravel()
    place = bin_of(flat, bins=bins, edges=edges)
    gaps = [mean_deviation(flat[place == number]) for number in range(bins)]
    return sum(gaps) / flat.size


def mean_deviation(chance: Array) -> float:
    """Return the mean distance of a sum of independent events (n,) from its expectation."""
    variance = float((chance * (1 - chance)).sum())
    expected = float(chance.sum())
    if chance.size > EXACT_UP_TO:
        return float(np.sqrt(2 * variance / np.pi))
    # One event after the other: it happens, and the count moves up, or it does not.
    share = np.ones(1)
    for each in chance.tolist():
        share = np.convolve(share, (1 - each, each))
    return float((share * np.abs(np.arange(share.size) - expected)).sum())
