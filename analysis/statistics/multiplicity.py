"""Adjust p-values for several tests of one kind at once.

Among true null hypotheses a false alarm stays as rare as with one test.  Holm, A simple
sequentially rejective multiple test procedure (1979): valid whatever the dependence between the
tests, and never weaker than Bonferroni's.  Left out: control of the false discovery rate, which
promises less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.statistics.clustered import Array


def holm(p: Sequence[float] | Array) -> Array:
    """Return (m,) the p-values of m tests adjusted by Holm's method, in [0, 1].

    They are in the order of `p`.  nan, a test that could not be made, stays nan and does not count.
    The smallest p is multiplied by m, the next by m - 1 and so on; none may be below one before it.
    Raises ValueError for a p outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    tests = np.flatnonzero(~np.isnan(values))
    if ((values[tests] < 0) | (values[tests] > 1)).any():
        raise ValueError(
            f"p-values must lie in [0, 1], found {values[tests].min()} to {values[tests].max()}"
        )
    adjusted = np.full(values.shape, np.nan)
    order = tests[np.argsort(values[tests], kind="stable")]
    # A running maximum: a test cannot be significant if one with a smaller p is not.
    steps = np.maximum.accumulate(values[order] * np.arange(order.size, 0, -1))
    adjusted[order] = np.minimum(1, steps)
    return adjusted
