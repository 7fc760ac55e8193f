"""Compare how much arms spent per play: accuracy is comparable only at equal cost.

Nine samples with a vote beat one sample; that is no finding about voting unless the single sample
had as much to spend.  Generative self-aggregation compares at an equal number of model calls (arXiv
2503.04104).  Left out: prices of hardware, and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.clustered import Array, Codes

# The largest mean over the smallest that still counts as the same budget.  Calls are fixed by the
# protocol, the length of a reply is random.
TOLERANCE = {"answered": 1.01, "tokens_out": 1.10}


@dataclass(frozen=True, slots=True)
class BudgetComparison:
    """Mean spending of A arms, (A,), on the questions that all have played; nan if unknown.

    `equal` says whether the largest mean is at most the tolerance times the smallest, None if that
    cannot be told.
    """

    mean: Array
    questions: int
    equal: bool | None


def mean_known(values: Array) -> tuple[float, int]:
    """Return (mean of the known values, nan without any; number of unknown ones, which are nan)."""
    known = values[~np.isnan(values)]
    return (float(known.mean()) if known.size else nan), values.size - known.size


def compare_budgets(
    values: Sequence[Array], questions: Sequence[Codes], *, tolerance: float
) -> BudgetComparison:
    """Compare the mean spending per play of all arms, on the questions that every arm has played.

    `values[a]` and `questions[a]` are (N_a,), of the plays of arm a; `tolerance` is a ratio of at
    least 1, else ValueError.  The mean of an arm is nan if the spending of one of its plays is.
    """
    if tolerance < 1:
        raise ValueError(f"the tolerance is a ratio of at least 1, found {tolerance}")
    common = questions[0] if questions else np.empty(0, dtype=np.int64)
    for codes in questions:
        common = np.intersect1d(common, codes)
    # Not nanmean: the plays of unknown cost may be the expensive ones.
    chosen = [value[np.isin(codes, common)] for value, codes in zip(values, questions, strict=True)]
    mean = np.array([value.mean() if value.size else nan for value in chosen])
    if not mean.size or np.isnan(mean).any():
        return BudgetComparison(mean, common.size, None)
    return BudgetComparison(mean, common.size, bool(mean.max() <= tolerance * mean.min()))
