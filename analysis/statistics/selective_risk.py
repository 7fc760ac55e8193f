"""Measure the risk of answering only the surest questions, as FD-Shifts does.

The area under risk and coverage (AURC; Geifman and El-Yaniv, arXiv 1705.08500) in the form of
Jaeger et al. (arXiv 2211.15259), which Xiong et al. use (arXiv 2306.13063): by trapezoids, in
thousandths.  `1 - selective_accuracy` of calibration.py, the mean of the risks, is called AURC too
and is another number: keep both names.  Left out: the excess over the best order.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.calibration import check_ratings, group_sizes
from analysis.statistics.clustered import Array


def aurc_x1000(confidence: Array, correct: Array) -> float:
    """Return the area under risk and coverage in thousandths, in [0, 1000]: 0 is best.

    Risk is the share wrong among those at least as sure.  Each confidence that occurs is a
    threshold, so that equal ones enter together; below the coverage of the surest the risk stays
    theirs.  `confidence` and `correct` are as in calibration.py; nan without values.
    """
    check_ratings(confidence, correct)
    if not confidence.size:
        return nan
    size, right = group_sizes(confidence.ravel(), correct.ravel())
    answered = np.cumsum(size)
    risk = 1 - np.cumsum(right) / answered
    coverage = np.concatenate(([0.0], answered / confidence.size))
    risk = np.concatenate((risk[:1], risk))
    return 1000 * float((np.diff(coverage) * (risk[1:] + risk[:-1]) / 2).sum())
