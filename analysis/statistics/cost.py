"""What a question took, arm by arm, and whether arms had the same budget: accuracy is comparable only at equal cost.

Nine samples with a vote beat one sample; that is no finding about voting unless the one had as much to spend.  Generative self-aggregation
compares at an equal number of model calls (arXiv 2503.04104).  Left out: prices of hardware, and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]
# Generated tokens are random, calls are not: what still counts as the same budget, largest mean over smallest.
TOLERANCE = {"answered": 1.01, "tokens_out": 1.10}


@dataclass(frozen=True, slots=True)
class BudgetComparison:
    """Means of something over A arms, (A,), on the questions that all have played; nan where it is unknown.

    `equal` says whether the largest is at most the tolerance times the smallest, None where that cannot be told.
    """

    mean: Array
    questions: int
    equal: bool | None


def mean_known(values: Array) -> tuple[float, int]:
    """(mean of what is known, nan without; how many are unknown)."""
    known = values[~np.isnan(values)]
    return (float(known.mean()) if known.size else nan), values.size - known.size


def compare_budgets(
    values: Sequence[Array], questions: Sequence[Codes], *, tolerance: float
) -> BudgetComparison:
    """Did all arms spend the same per play?  `values[a]` and `questions[a]` are (N_a,) of the plays of arm a; tolerance at least 1.

    Only questions count that every arm has played.  An arm of which a play's spending is unknown has none.
    """
    if tolerance < 1:
        raise ValueError(f"the tolerance is a ratio of at least 1, found {tolerance}")
    common = questions[0] if questions else np.empty(0, dtype=np.int64)
    for codes in questions:
        common = np.intersect1d(common, codes)
    kept = [value[np.isin(codes, common)] for value, codes in zip(values, questions, strict=True)]
    mean = np.array([value.mean() if value.size else nan for value in kept])
    if not mean.size or np.isnan(mean).any():
        return BudgetComparison(mean, common.size, None)
    return BudgetComparison(mean, common.size, bool(mean.max() <= tolerance * mean.min()))
