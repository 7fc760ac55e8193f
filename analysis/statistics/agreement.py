"""How far judges agree: with each other, with themselves, and with chance taken out.

Krippendorff, Content Analysis (2004), chapter 11, for nominal values: alpha = 1 - observed / expected disagreement; 1 is perfect, 0 is
chance.  Any number of judges, each silent where it likes.  Left out: Cohen's and Fleiss' kappa, which need every judge everywhere.

`counts` is (units, ..., values): how often each value was given to a unit, say a debate read in one seat order.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.aggregation import Codes
from analysis.statistics.clustered import Array

VALUES = (0.0, 0.5, 1.0)


def value_counts(unit: Codes, rater: Codes, winner: Array, raters: int) -> Array:
    """(units, raters, 3): how often each rater gave the opposition, an abstention, the proposition; nan is left out; arguments (N,)."""
    there = ~np.isnan(winner)
    names, row = np.unique(unit[there], return_inverse=True)
    value = np.round(2 * winner[there]).astype(np.int64)
    shape = len(names), raters, len(VALUES)
    flat = (
        np.ravel_multi_index((row.ravel(), rater[there], value), shape)
        if len(names)
        else np.empty(0, dtype=np.int64)
    )
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


def krippendorff_alpha(counted: Array, weight: Array | None = None) -> Array:
    """alpha of (units, values), or one for each row of `weight` (..., units), which says how often each unit counts.

    nan where no unit has two values, or only one value was ever given.
    """
    often = np.ones(len(counted)) if weight is None else weight
    pairable = np.where(counted.sum(axis=1, keepdims=True) > 1, counted, 0.0)
    size = pairable.sum(axis=1)
    different = np.square(size) - np.square(pairable).sum(axis=1)
    observed = often @ np.divide(different, size - 1, out=np.zeros_like(size), where=size > 1)
    of_value = often @ pairable
    whole = of_value.sum(axis=-1)
    expected = np.divide(
        np.square(whole) - np.square(of_value).sum(axis=-1),
        whole - 1,
        out=np.zeros_like(whole),
        where=whole > 1,
    )
    result: Array = 1 - np.divide(
        observed, expected, out=np.full(np.shape(expected), nan), where=expected > 0
    )
    return result


def alpha_interval(counted: Array, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """(low, high): 95% interval of alpha, units resampled; `counted` is (units, values).  nan where alpha is."""
    if np.isnan(krippendorff_alpha(counted)):
        return nan, nan
    # Units with the same counts are one: how often it is drawn is all that a resample can change.
    kinds, often = np.unique(counted, axis=0, return_counts=True)
    drawn = (
        np.random.default_rng(seed)
        .multinomial(len(counted), often / len(counted), size=resamples)
        .astype(float)
    )
    low, high = np.nanquantile(krippendorff_alpha(kinds, drawn), (0.025, 0.975))
    return float(low), float(high)
