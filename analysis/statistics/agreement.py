"""Measure how far judges agree with each other and with themselves, also beyond chance.

Krippendorff, Content Analysis (2004), chapter 11, for nominal values:
alpha = 1 - observed / expected disagreement; 1 is perfect, 0 is chance.  Any number of judges, each
of whom may leave units out.  Left out: Cohen's and Fleiss' kappa, which need every judge
everywhere.

Counts are (units, ..., values): how often each value was given to a unit, say to a debate read in
one seat order.
"""

from __future__ import annotations

from math import nan

import numpy as np

from analysis.statistics.bootstrap import mostly_defined
from analysis.statistics.clustered import Array, Codes, divide

VALUES = (0.0, 0.5, 1.0)


def value_counts(unit: Codes, rater: Codes, winner: Array, raters: int) -> Array:
    """Return (units, raters, 3): how often each rater gave each of VALUES to each unit.

    The values are the opposition, an abstention and the proposition.  The arguments are (N,); a
    `winner` of nan is left out.
    """
    there = ~np.isnan(winner)
    names, row = np.unique(unit[there], return_inverse=True)
    value = np.round(2 * winner[there]).astype(np.int64)
    shape = len(names), raters, len(VALUES)
    counts = np.zeros(shape)
    # Not counts[...] += 1, which counts a place once however often it is named.
    np.add.at(counts, (row.ravel(), rater[there], value), 1)
    return counts


def raw_agreement(counts: Array) -> tuple[Array, Array]:
    """Return (share, pairs), both (raters, raters), from counts (units, raters, values).

    `pairs` counts the pairs of readings of the same unit, `share` in [0, 1] is how many of them
    have the same winner, nan without a pair.  On the diagonal stand pairs of readings by the same
    judge: test and retest.
    """
    each = counts.sum(axis=2)
    # Over units u and values v, rater r against rater s.
    pairs = np.einsum("ur,us->rs", each, each)
    same = np.einsum("urv,usv->rs", counts, counts)
    # A reading is no pair with itself.
    own = np.diag(each.sum(axis=0))
    pairs = pairs - own
    same = same - own
    diagonal = np.diag_indices_from(pairs)
    # Each pair of one judge's readings was counted from both ends.
    pairs[diagonal] /= 2
    same[diagonal] /= 2
    return divide(same, pairs), pairs


def krippendorff_alpha(counts: Array, weight: Array | None = None) -> Array:
    """Return alpha of counts (units, values), at most 1.

    With `weight` (..., units), how often each unit counts, one alpha for each of its rows.  nan if
    no unit has two values, or only one value was ever given.
    """
    often = np.ones(len(counts)) if weight is None else weight
    # A unit with a single value can neither agree nor disagree, and is left out of chance too.
    pairable = np.where(counts.sum(axis=1, keepdims=True) > 1, counts, 0.0)
    size = pairable.sum(axis=1)
    # Ordered pairs of different values in a unit: all pairs, minus those of each value with itself.
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
    result: Array = 1 - divide(observed, expected)
    return result


def alpha_interval(counts: Array, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return (low, high), the 95% percentile interval of alpha when units are resampled.

    `counts` is (units, values).  nan if alpha is, or is in too many resamples (`mostly_defined`).
    """
    if np.isnan(krippendorff_alpha(counts)):
        return nan, nan
    # Units with the same counts are alike: a resample can only change how often each kind is
    # drawn, which is a multinomial number.
    kinds, often = np.unique(counts, axis=0, return_counts=True)
    draws = (
        np.random.default_rng(seed)
        .multinomial(len(counts), often / len(counts), size=resamples)
        .astype(float)
    )
    found = krippendorff_alpha(kinds, draws)
    if not mostly_defined(found[:, None])[0]:
        return nan, nan
    low, high = np.nanquantile(found, (0.025, 0.975))
    return float(low), float(high)
