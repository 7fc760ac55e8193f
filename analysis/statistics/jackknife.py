"""Estimate errors of any statistic of questions by leaving questions out, one or some at a time.

The delete-one jackknife (Tukey 1958), or with many questions the delete-a-group jackknife (Kott
2001) over groups drawn by seed.  What a question's absence changes is its influence; sums of
influences under the draws of a bootstrap are that bootstrap's statistic to first order, so that the
dependence of many statistics is known without computing any of them again.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.bootstrap import SEED
from analysis.statistics.clustered import Array

MOST_GROUPS = 250


def weights_without(questions: int) -> Array:
    """Return (1 + groups, questions): ones, then ones but for one question, or group, each.

    Groups are of one question each up to MOST_GROUPS, which sit in the first rows in their order.
    """
    groups = min(questions, MOST_GROUPS)
    places = np.arange(questions)
    if groups < questions:
        places = np.random.default_rng(SEED).permutation(questions) % groups
    weights = np.ones((1 + groups, questions))
    weights[1 + places, np.arange(questions)] = 0
    return weights


def influences(without: Array) -> Array:
    """Return (groups, K) how much each group adds to the error of K statistics.

    `without` (groups, K) are the statistics without each group.  A statistic that is nan without
    some group rests on that group alone: its column is nan.  The squares of a column sum to its
    variance.
    """
    groups = len(without)
    if groups < 2:
        return np.full(without.shape, np.nan)
    deviation: Array = (without.mean(axis=0) - without) * np.sqrt((groups - 1) / groups)
    return deviation


def jackknife_se(influence: Array) -> Array:
    """Return (K,) the standard errors of statistics, from `influences`."""
    error: Array = np.sqrt(np.square(influence).sum(axis=0))
    return error
