"""Several tests of one kind at once: p-values adjusted so that among true null hypotheses a false alarm stays as rare as one test's.

Holm, A simple sequentially rejective multiple test procedure (1979): valid whatever the tests have to do with each other, and never
weaker than Bonferroni's.  Left out: control of the false discovery rate, which promises less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.statistics.clustered import Array


def holm(p: Sequence[float] | Array) -> Array:
    """(m,): the p-values of a family of m tests adjusted by Holm's method, in [0, 1] and in the order given.

    nan, a test that could not be made, stays nan and does not count.  The smallest p is multiplied by m, the next by m - 1 and so on; none
    may be below one before it.  Raises ValueError for a p outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    made = np.flatnonzero(~np.isnan(values))
    if ((values[made] < 0) | (values[made] > 1)).any():
        raise ValueError(
            f"p-values must lie in [0, 1], found {values[made].min()} to {values[made].max()}"
        )
    adjusted = np.full(values.shape, np.nan)
    order = made[np.argsort(values[made], kind="stable")]
    adjusted[order] = np.minimum(
        1, np.maximum.accumulate(values[order] * np.arange(order.size, 0, -1))
    )
    return adjusted
