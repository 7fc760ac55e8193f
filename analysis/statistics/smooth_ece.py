"""Measure calibration error without bins, by smoothing.

Smooth ECE of Blasiok and Nakkiran (arXiv 2309.12236).  The residuals confidence - outcome are
smoothed over the confidences by a Gaussian kernel that is reflected at 0 and 1; the mean size of
what is left falls as the bandwidth grows, and smooth ECE is the bandwidth at which both are equal.
It is continuous in the confidences, which ECE is not: 80% lies on an edge of two bins.

    r(t) = 1/n sum over i of (c_i - y_i) K_s(t, c_i)        smooth ECE = s  with  s = integral |r|

A reflected Gaussian of bandwidth s multiplies the k-th cosine coefficient by exp(-(pi k s)^2 / 2),
which makes the kernel exact at the ends too.  The authors' package relplot finds the bandwidth to
1/1000.
"""

from __future__ import annotations

from math import nan, pi

import numpy as np

from analysis.statistics.calibration import check_ratings
from analysis.statistics.clustered import Array

GRID = 2048  # steps between 0 and 1
CLOSE = 1e-7  # of bandwidths


def smooth_ece(confidence: Array, correct: Array) -> float:
    """Return the smooth expected calibration error, in [0, 1]; nan without values.

    `confidence` and `correct` are as in calibration.py.
    """
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    spectrum = cosine_sums(on_grid(confidence.ravel(), (confidence - correct).ravel()))
    spectrum /= confidence.size
    # The smoothed error falls as the bandwidth grows: they cross once, between these.
    low, high = 0.0, 1.0
    above, below = smoothed_error(spectrum, low) - low, smoothed_error(spectrum, high) - high
    excess, middle, last = above, low, 0.0
    # False position after Illinois; how far off a bandwidth is, is at most its excess.
    while abs(excess) > CLOSE:
        middle = (low * below - high * above) / (below - above)
        excess = smoothed_error(spectrum, middle) - middle
        # An end that stays a second time has its excess halved, so that both move.
        if excess > 0:
            low, above = middle, excess
            below /= 2 if last > 0 else 1
        else:
            high, below = middle, excess
            above /= 2 if last < 0 else 1
        last = excess
    return middle


def on_grid(place: Array, weight: Array) -> Array:
    """Return (GRID + 1,) the weights at places in [0, 1], each shared by its two neighbours."""
    at = place * GRID
    left = np.minimum(np.floor(at), GRID - 1).astype(np.int64)
    part = at - left
    lower, upper = (
        np.bincount(*shares, GRID + 1).astype(np.float64)
        for shares in ((left, weight * (1 - part)), (left + 1, weight * part))
    )
    return lower + upper


def smoothed_error(spectrum: Array, bandwidth: float) -> float:
    """Return the integral over [0, 1] of the size of the residuals smoothed at a bandwidth."""
    damped = spectrum * np.exp(-np.square(pi * bandwidth * np.arange(GRID + 1)) / 2)
    # Twice each cosine but the first, which is the constant.
    damped[1:] *= 2
    size = np.abs(cosine_sums(damped))
    return float((size.sum() - (size[0] + size[-1]) / 2) / GRID)


def cosine_sums(values: Array) -> Array:
    """Return (M + 1,) the sums over j of values[j] cos(pi j k / M), for k = 0 to M."""
    inner = values[1:-1] / 2
    # The real Fourier transform of an even sequence is a cosine transform.
    even = np.concatenate((values[:1], inner, values[-1:], inner[::-1]))
    result: Array = np.fft.rfft(even).real
    return result
