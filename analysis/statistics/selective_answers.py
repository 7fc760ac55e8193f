"""Answer only where an estimator is sure, by a threshold made on other questions.

The threshold for a share of replies to answer is a quantile of the values of the other folds, so
that what is judged did not choose it: the share that is then answered is near the one asked for,
and the share right among the answered is what a user would get.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.logistic import FOLDS, folds_of


@dataclass(frozen=True, slots=True)
class SelectiveAnswers:
    """The share of replies that were answered, and the share right of these; nan: none."""

    answered: float
    right: float


def answer_surest(
    values: Array, right: Array, question: Codes, share: float = 0.5
) -> SelectiveAnswers:
    """Return what comes of answering the surest `share` of replies, cross-fitted by question.

    `values` (N,) are without nan.  Equal values at the threshold are answered.  Raises ValueError
    for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"a share to answer must be between 0 and 1, found {share}")
    if not values.size:
        return SelectiveAnswers(nan, nan)
    fold = folds_of(question)
    answered = np.zeros(values.size, dtype=np.bool_)
    for number in range(FOLDS):
        others, mine = fold != number, fold == number
        if others.any() and mine.any():
            answered[mine] = values[mine] >= np.quantile(values[others], 1 - share)
    chosen = right[answered]
    return SelectiveAnswers(float(answered.mean()), float(chosen.mean()) if chosen.size else nan)
