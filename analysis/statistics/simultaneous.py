"""Make intervals that hold all truths at once, and find which estimators may be the best.

Max-t (Westfall and Young 1993; Hothorn, Bretz and Westfall 2008): the largest of K studentised
errors is drawn by a bootstrap of questions, whose 95% quantile replaces the 1.96 of one interval.
It uses how the estimators' errors depend on each other: for copies of one estimator it is that of
one, for independent ones near Bonferroni's.  Errors are taken to first order (jackknife.py), so
that a draw costs one product of matrices.

The set of those that may be best (Hsu 1981, multiple comparisons with the best): an estimator is
out where some other beats it by more than the largest lead, over all others, that chance gives in
95% of draws.  The best one is in the set with at least that confidence, whatever the others are.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.bootstrap import draw_counts
from analysis.statistics.clustered import NO_SPREAD, Array, Mask
from analysis.statistics.jackknife import jackknife_se

RESAMPLES = 1000
# A difference of two estimators that order all replies alike has only rounding for an error.
ALIKE = 1e-9


def student_quantile(groups: int, level: float = 0.95) -> float:
    """Return how many standard errors an interval over so many groups is wide on either side."""
    from scipy.special import stdtrit

    return float(stdtrit(max(1, groups - 1), (1 + level) / 2))


def bootstrap_errors(influence: Array, *, resamples: int = RESAMPLES) -> Array:
    """Return (draws, K) errors of K statistics in a bootstrap of the groups, to first order.

    `influence` is (groups, K), without nan; the same draws in each call for as many groups.
    """
    counts = (each.astype(np.float64) - 1 for each in draw_counts(len(influence), resamples))
    return np.concatenate([each @ influence for each in counts])


def max_t_quantile(influence: Array, *, level: float = 0.95, resamples: int = RESAMPLES) -> float:
    """Return how many standard errors wide intervals of all K statistics are, to hold at once.

    Statistics that are nan or without spread do not count; never below the width of one interval.
    """
    groups = len(influence)
    se = jackknife_se(influence)
    there = se > NO_SPREAD
    alone = student_quantile(groups, level)
    if groups < 2 or not there.any():
        return alone
    errors = np.abs(bootstrap_errors(influence[:, there] / se[there], resamples=resamples))
    return max(alone, float(np.quantile(errors.max(axis=1), level)) * tail_factor(groups, level))


def tail_factor(groups: int, level: float = 0.95) -> float:
    """Return by how much Student's quantile of so few groups is above the normal one."""
    return student_quantile(groups, level) / student_quantile(1_000_000, level)


def may_be_best(
    estimate: Array, influence: Array, *, level: float = 0.95, resamples: int = RESAMPLES
) -> Mask:
    """Return (K,) which of K statistics, higher is better, cannot be told from the best.

    A statistic that is nan is not compared and is not in the set.
    """
    chosen = np.flatnonzero(np.isfinite(estimate) & np.isfinite(influence).all(axis=0))
    result: Mask = np.zeros(estimate.size, dtype=np.bool_)
    if chosen.size == 0:
        return result
    errors = bootstrap_errors(influence[:, chosen], resamples=resamples)
    factor = tail_factor(len(influence), level)
    for place, own in enumerate(chosen.tolist()):
        others = np.delete(np.arange(chosen.size), place)
        lead = estimate[chosen[others]] - estimate[own]
        se = jackknife_se(influence[:, chosen[others]] - influence[:, [own]])
        apart = se > ALIKE
        # Of two with no error between them, the better one is simply better.
        beaten = bool((lead[~apart] > ALIKE).any())
        if apart.any():
            chance = (errors[:, others] - errors[:, [place]])[:, apart] / se[apart]
            limit = float(np.quantile(chance.max(axis=1), level)) * factor
            beaten |= bool((lead[apart] / se[apart] > limit).any())
        result[own] = not beaten
    return result
