"""Adjust p-values for several tests of one kind at once.

Holm, A simple sequentially rejective multiple test procedure (1979): among true null hypotheses a
false alarm stays as rare as with one test, whatever the dependence between the tests.  Reports use
it.  Bonferroni's promises the same and is never stronger.  Benjamini and Hochberg (1995) promise
less, that few of the discoveries are false, for tests that are independent or rise together.

All return (m,) adjusted p-values in [0, 1], in the order of `p`; nan, a test that could not be
made, stays nan and does not count.  All raise ValueError for a p outside [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.statistics.clustered import Array, Codes


def holm(p: Sequence[float] | Array) -> Array:
    """Return the p-values adjusted by Holm's method.

    The smallest p is multiplied by m, the next by m - 1 and so on; none may be below one before it.
    """
    values, order = check_p_values(p)
    # A running maximum: a test cannot be significant if one with a smaller p is not.
    steps = np.maximum.accumulate(values[order] * np.arange(order.size, 0, -1))
    return in_place(values, order, steps)


def bonferroni(p: Sequence[float] | Array) -> Array:
    """Return the p-values adjusted by Bonferroni's method: each is multiplied by m."""
    values, order = check_p_values(p)
    return in_place(values, order, values[order] * order.size)


def benjamini_hochberg(p: Sequence[float] | Array) -> Array:
    """Return the p-values adjusted for the false discovery rate, also called q-values.

    The i-th smallest p is multiplied by m / i; none may be above one after it.
    """
    values, order = check_p_values(p)
    raised = values[order] * order.size / np.arange(1, order.size + 1)
    # A running minimum from the largest p down.
    return in_place(values, order, np.minimum.accumulate(raised[::-1])[::-1])


def check_p_values(p: Sequence[float] | Array) -> tuple[Array, Codes]:
    """Return (values (m,), places of those that are not nan, by size)."""
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    tests = np.flatnonzero(~np.isnan(values))
    if ((values[tests] < 0) | (values[tests] > 1)).any():
        raise ValueError(
            f"p-values must lie in [0, 1], found {values[tests].min()} to {values[tests].max()}"
        )
    return values, tests[np.argsort(values[tests], kind="stable")].astype(np.int64)


def in_place(values: Array, order: Codes, adjusted: Array) -> Array:
    """Return adjusted values, cut to 1, in the places of the tests that they belong to."""
    result = np.full(values.shape, np.nan)
    result[order] = np.minimum(1, adjusted)
    return result
