"""Say what the judges' own inconsistency does to the calibration of debaters.

Verdicts are no truth: a judge that reads a debate again may name another winner.  If each reading
is wrong by itself with chance e, two agree with chance 1 - 2 e (1 - e), which gives e.  Outcomes
that are wrong with chance e, whatever was stated, make the slope of outcome on confidence 1 - 2 e
for a debater whose every confidence comes true as often as it says: .8 for errors of .1, .6 for .2
(attenuation by misclassification; Carroll et al., Measurement Error in Nonlinear Models, 2006,
chapter 15).  Assumed: errors do not hang on who is right or on what was stated.  Not seen: errors
that a judge repeats, such as a preference; with these the slope is lower still.
"""

from __future__ import annotations

from math import comb, nan, sqrt

import numpy as np

from analysis.statistics.clustered import NO_SPREAD, Array, check_rows, cluster_se, student_interval


def error_of_retest(agreement: float) -> float:
    """Return the chance e in [0, 0.5] that a reading is wrong, from a share of pairs that agree.

    Agreement of a half or less is that of a coin: 0.5.  nan stays nan.
    """
    if agreement != agreement:
        return nan
    return (1 - sqrt(max(2 * agreement - 1, 0.0))) / 2


def error_of_majority(error: float, votes: int) -> float:
    """Return the chance that the majority is wrong of so many votes that err by themselves.

    Ties are left out, as the slope leaves them out.  nan without votes.
    """
    if votes < 1 or error != error:
        return nan
    chance = [comb(votes, k) * error**k * (1 - error) ** (votes - k) for k in range(votes + 1)]
    wrong = sum(chance[k] for k in range(votes + 1) if 2 * k > votes)
    right = sum(chance[k] for k in range(votes + 1) if 2 * k < votes)
    return wrong / (wrong + right)


def perfect_slope(error: float) -> float:
    """Return the slope that a perfectly calibrated debater shows if outcomes err with a chance."""
    return 1 - 2 * error


def calibration_slope(confidence: Array, outcome: Array) -> tuple[float, float, float]:
    """Return the least squares slope of outcome on confidence, with its 95% interval.

    Both are (clusters, members), a nan in either leaves the value out.  Cluster-robust (Liang and
    Zeger), Student's t; nan if all confidences are equal, the interval with fewer than 2 clusters.
    """
    check_rows(confidence)
    there = ~(np.isnan(confidence) | np.isnan(outcome))
    stated, true = confidence[there], outcome[there]
    if not stated.size or np.ptp(stated) <= NO_SPREAD:
        return nan, nan, nan
    lead = stated - stated.mean()
    spread = float((lead**2).sum())
    slope = float((lead * true).sum()) / spread
    # Each value's residual pulls at the line by its distance from the mean.
    influence = np.full(confidence.shape, nan)
    influence[there] = lead * (true - true.mean() - slope * lead) / spread
    low, high = student_interval(slope, *cluster_se(influence))
    return slope, low, high
