"""Measure by ranks whether two quantities rise together: Spearman's rho and Kendall's tau-b.

Spearman (1904); Kendall (1945), whose tau-b corrects for ties.  Both are 1 if one rises with the
other, 0 if neither says anything of the other.  With outcomes of 0 and 1 they cannot reach 1: many
values are tied.  Intervals are left out: the pairs of a debate are not independent.

Arrays are of one shape; pairs with a nan are left out.  Undefined results are nan.
"""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array

# Stated confidences and outcomes take few values, so that their table is small.  For more cells
# scipy sorts instead; importing its statistics takes longer than all else here.
LARGEST_TABLE = 10_000_000


def spearman(one: Array, other: Array) -> float:
    """Return Spearman's rank correlation, in [-1, 1]; equal values share their mean rank.

    nan if there are fewer than two pairs, or if either never differs.
    """
    ranks = [mean_ranks(values) for values in pairs(one, other)]
    centred = [each - each.mean() if each.size else each for each in ranks]
    spread = sqrt(float(np.square(centred[0]).sum() * np.square(centred[1]).sum()))
    return float((centred[0] * centred[1]).sum()) / spread if spread > 0 else nan


def kendall(one: Array, other: Array) -> float:
    """Return Kendall's tau-b, in [-1, 1].

    (C - D) / sqrt((P - T) (P - U)) of P pairs of pairs, of which C are in the same and D in the
    opposite order, T equal in one and U in the other.  nan as in `spearman`.
    """
    first, second = pairs(one, other)
    if not first.size:
        return nan
    # How often each pair of values occurs: a table of few rows, whatever the number of pairs.
    (row, rows), (column, columns) = (code_and_size(values) for values in (first, second))
    if len(rows) * len(columns) > LARGEST_TABLE:
        from scipy.stats import kendalltau

        return float(kendalltau(first, second).statistic)
    counts = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns))
    table = counts.reshape(len(rows), len(columns)).astype(np.float64)
    # What lies above and to the left of each cell is in the same order as the cell.
    left = np.cumsum(table, axis=1) - table
    right = table.sum(axis=1, keepdims=True) - left - table
    lead = table * (np.cumsum(left - right, axis=0) - (left - right))
    untied = [float(first.size**2 - np.square(size).sum()) / 2 for size in (rows, columns)]
    spread = sqrt(untied[0] * untied[1])
    return float(lead.sum()) / spread if spread > 0 else nan


def pairs(one: Array, other: Array) -> tuple[Array, Array]:
    """Return both flat and without pairs that hold a nan; raise ValueError for other shapes."""
    if one.shape != other.shape:
        raise ValueError(f"both must have one shape, found {one.shape} and {other.shape}")
    there = ~(np.isnan(one) | np.isnan(other))
    return one[there], other[there]


def code_and_size(values: Array) -> tuple[NDArray[np.int64], Array]:
    """Return (code from 0 of each value, in order of size; how often each occurs)."""
    _, code, size = np.unique(values, return_inverse=True, return_counts=True)
    return code.ravel().astype(np.int64), size.astype(np.float64)


def mean_ranks(values: Array) -> Array:
    """Return the rank from 1 of each value (n,); equal ones share the mean of theirs."""
    code, size = code_and_size(values)
    middle: Array = np.cumsum(size) - (size - 1) / 2
    return middle[code]
