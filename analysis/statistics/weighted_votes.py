"""Choose among several replies to a question by how sure an estimator is of each.

Each reply votes for its answer.  Plain majority; votes weighted by value; and the surest reply
alone (best of n).  Ties count with their expectation: an answer that shares the lead with k - 1
others is chosen with chance 1 / k.

`vote` (N,) is the code of a reply's answer, -1 where it has none; `value` (N,) its weight, at least
0 (recalibrated probabilities, say), nan where missing: such a reply does not vote; `right` (N,) is
0 or 1, `question` (N,) a code in [0, Q).
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.clustered import Array, Codes, divide


def vote_shares(question: Codes, vote: Codes, right: Array, weight: Array, questions: int) -> Array:
    """Return (Q,) the chance that the answer with the most weight is right; nan without a vote."""
    cast = (vote >= 0) & ~np.isnan(weight)
    pairs, inverse = np.unique(np.stack((question[cast], vote[cast])), axis=1, return_inverse=True)
    size = np.bincount(inverse.ravel(), weight[cast], pairs.shape[1]).astype(np.float64)
    true = np.bincount(inverse.ravel(), right[cast], pairs.shape[1]) > 0
    return leader_shares(pairs[0], size, true.astype(np.float64), questions)


def surest_shares(
    question: Codes, vote: Codes, right: Array, value: Array, questions: int
) -> Array:
    """Return (Q,) the chance that the reply with the highest value is right; nan without one."""
    cast = (vote >= 0) & ~np.isnan(value)
    return leader_shares(question[cast], value[cast], right[cast], questions)


def leader_shares(question: Codes, size: Array, right: Array, questions: int) -> Array:
    """Return (Q,) the share right among those that lead their question."""
    most = np.full(questions, -np.inf)
    np.maximum.at(most, question, size)
    # Sums of the same weights in another order differ by rounding: that is a tie.
    leads = size >= most[question] - 1e-12 * np.maximum(1, np.abs(most[question]))
    counts = np.bincount(question[leads], minlength=questions)
    return divide(np.bincount(question[leads], right[leads], questions), counts)
