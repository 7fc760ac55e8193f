"""Measure how large a difference is in standard deviations.

Cohen, Statistical Power Analysis for the Behavioral Sciences (1988).  The spread is that of single
ratings, so that d says how far two ratings lie apart for how they scatter; unlike a p-value it does
not grow with their number.  For a change within pairs it is d_z, of the differences.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.clustered import NO_SPREAD, Array


def cohens_d(values: Array, *, against: float = 0.5) -> float:
    """Return (mean - against) / sample standard deviation of the values; nan is left out.

    nan with fewer than two values or without spread.
    """
    found = values[~np.isnan(values)]
    spread = float(found.std(ddof=1)) if found.size > 1 else 0.0
    return (float(found.mean()) - against) / spread if spread > NO_SPREAD else nan


def paired_d(before: Array, after: Array) -> float:
    """Return d of the change after - before against 0; pairs with a nan are left out."""
    if before.shape != after.shape:
        raise ValueError(f"both must have one shape, found {before.shape} and {after.shape}")
    return cohens_d(after - before, against=0.0)
