"""How far judges agree: with each other, with themselves, and with chance taken out.

Krippendorff, Content Analysis (2004), chapter 11, for nominal values: alpha = 1 - observed / expected disagreement; 1 is perfect, 0 is
chance.  Any number of judges, each silent where it likes.  Left out: Cohen's and Fleiss' kappa, which need every judge everywhere.

`counts` is (units, ..., values): how often each value was given to a unit, say a debate read in one seat order.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.aggregation import Codes
from analysis.bootstrap import bootstrap_interval
from analysis.clusters import Array

VALUES = (0.0, 0.5, 1.0)


def counts(unit: Codes, rater: Codes, winner: Array, raters: int) -> Array:
    """(units, raters, 3): how often each rater gave the opposition, an abstention, the proposition; nan is left out; arguments (N,)."""
    there = ~np.isnan(winner)
    names, row = np.unique(unit[there], return_inverse=True)
    value = np.round(2 * winner[there]).astype(np.int64)
    shape = len(names), raters, len(VALUES)
    flat = np.ravel_multi_index((row.ravel(), rater[there], value), shape) if len(names) else np.empty(0, dtype=np.int64)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(float)


def raw_agreement(counted: Array) -> tuple[Array, Array]:
    """(share, pairs), both (raters, raters): how many pairs of readings of the same unit there are, and the share with the same winner.

    On the diagonal stand pairs of readings by the same judge: test and retest.  `counted` is (units, raters, values); nan without a pair.
    """
    each = counted.sum(axis=2)
    pairs = np.einsum("ur,us->rs", each, each)
    same = np.einsum("urv,usv->rs", counted, counted)
    own = np.diag(each.sum(axis=0))
    pairs, same = pairs - own, same - own
    diagonal = np.diag_indices_from(pairs)
    # Each pair of one judge's readings was counted from both ends.
    pairs[diagonal] /= 2
    same[diagonal] /= 2
    return np.divide(same, pairs, out=np.full(pairs.shape, nan), where=pairs > 0), pairs


def krippendorff_alpha(counted: Array) -> Array:
    """alpha of (..., units, values), shape (...); nan where no unit has two values, or only one value was ever given."""
    each = counted.sum(axis=-1, keepdims=True)
    pairable = np.where(each > 1, counted, 0.0)
    size = pairable.sum(axis=-1)
    different = np.square(size) - np.square(pairable).sum(axis=-1)
    observed = np.divide(different, size - 1, out=np.zeros_like(size), where=size > 1).sum(axis=-1)
    of_value = pairable.sum(axis=-2)
    whole = of_value.sum(axis=-1)
    expected = np.divide(np.square(whole) - np.square(of_value).sum(axis=-1), whole - 1, out=np.zeros_like(whole), where=whole > 1)
    result: Array = 1 - np.divide(observed, expected, out=np.full(np.shape(expected), nan), where=expected > 0)
    return result


def alpha_interval(counted: Array, *, seed: int = 0) -> tuple[float, float]:
    """(low, high): 95% interval of alpha, units resampled; `counted` is (units, values)."""
    return bootstrap_interval(krippendorff_alpha, counted, seed=seed)
