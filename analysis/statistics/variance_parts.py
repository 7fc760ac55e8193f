"""Split the variance of numbers into crossed random factors: model, motion, wording, judge, ...

y = fixed groups + the effect of its level of each factor + the rest.  The variances of the effects
are estimated from quadratic forms: the sums of y over the levels of each factor, squared, after the
means of the fixed groups are taken out, equal their expectations (MINQUE with 0 a priori weights:
C. R. Rao, Estimation of variance and covariance components, 1971; H. O. Hartley, J. N. K. Rao and
L. R. LaMotte, A simple synthesis-based method of variance component estimation, 1978).  That needs
no normality and no balance, is unbiased, takes a time that grows with n alone, and agrees in
balanced designs with the analysis of variance, and with REML wherever no estimate is below 0.

An estimate below 0 is chance, and stands as 0.  Left out: intervals.  With few levels they would
span an order of magnitude whatever the method: of three wordings the 95% interval of a standard
deviation reaches from half the estimate to six times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, Codes

# Equations whose condition is worse than this have no solution that means anything.
WORST_CONDITION = 1e9


@dataclass(frozen=True, slots=True)
class VariancePart:
    """What one factor adds to the variance.

    `levels` were in the data.  `sd` is the standard deviation of its effects, `share` that of its
    variance in the sum of all; nan where it cannot be told, and `note` says why.
    """

    factor: str
    levels: int
    sd: float = nan
    share: float = nan
    note: str | None = None


def variance_parts(
    values: Array, factors: Mapping[str, Codes], fixed: Codes, rest: str = "the rest"
) -> tuple[VariancePart, ...]:
    """Split the variance of `values` (n,), nan where missing, into factors and a rest.

    `factors` have a level, a code, for each value; `fixed` (n,) are groups whose means are no part
    of the split, such as arms.  Factors with one level, or whose levels are those of another or
    single values, cannot be told from others; each says so.
    """
    there = ~np.isnan(values)
    y = values[there]
    group = ranked(fixed[there])
    coded = {name: ranked(codes[there]) for name, codes in factors.items()}
    notes: dict[str, str] = {}
    used: dict[str, NDArray[np.int64]] = {}
    for name, code in coded.items():
        note = why_not(code, used, group, rest)
        if note is None:
            used[name] = code
        else:
            notes[name] = note
    levels = {name: len(np.unique(code)) for name, code in coded.items()}
    estimates = dict(zip((*used, rest), solve(y, list(used.values()), group), strict=True))
    total = sum(max(estimate, 0.0) for estimate in estimates.values())
    parts = []
    for name in (*coded, rest):
        count = levels.get(name, y.size)
        if name in notes:
            parts.append(VariancePart(name, count, note=notes[name]))
            continue
        estimate = estimates[name]
        if np.isnan(estimate):
            parts.append(VariancePart(name, count, note="cannot be told from the others"))
            continue
        share = max(estimate, 0.0) / total if total > 0 else nan
        note = "estimated below 0: no more than chance" if estimate < 0 else None
        parts.append(VariancePart(name, count, sqrt(max(estimate, 0.0)), share, note))
    return tuple(parts)


def ranked(codes: Codes) -> NDArray[np.int64]:
    """Return codes as 0, 1, ... without gaps, in the order of their first values.

    So that two factors with the same levels have the same codes.
    """
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    result: NDArray[np.int64] = order[place].astype(np.int64)
    return result


def why_not(
    code: NDArray[np.int64],
    used: Mapping[str, NDArray[np.int64]],
    group: NDArray[np.int64],
    rest: str,
) -> str | None:
    """Return why a factor cannot be told from another, None if it can."""
    if not code.size or code.max() == 0:
        return "one level: it did not vary"
    if code.max() + 1 == code.size:
        return f"one value each: part of {rest}"
    for name, other in used.items():
        if np.array_equal(code, other):
            return f"varies with {name} alone: part of it"
    # Levels that lie within the fixed groups as these do leave nothing over.
    if np.array_equal(code, group):
        return "varies with what is held apart alone"
    return None


def solve(y: Array, factors: Sequence[NDArray[np.int64]], group: NDArray[np.int64]) -> list[float]:
    """Return the variances of the factors and of the rest; nan where the data cannot tell them."""
    missing = [nan] * (len(factors) + 1)
    groups = int(group.max()) + 1 if y.size else 0
    if y.size <= groups:
        return missing
    size = np.bincount(group)
    left = y - (np.bincount(group, y) / size)[group]
    # The rest is the factor of which every value is a level of its own.
    codes = [*factors, np.arange(y.size)]
    counts = [table(group, code) for code in codes]
    forms = np.array([np.square(np.bincount(code, left)).sum() for code in codes])
    weights = np.empty((len(codes), len(codes)))
    for i, one in enumerate(codes):
        for j, other in enumerate(codes[: i + 1]):
            weights[i, j] = weights[j, i] = overlap(
                one, other, counts[i], counts[j], size.astype(np.float64)
            )
    scale = np.sqrt(np.diag(weights))
    if not (scale > 0).all():
        return missing
    scaled = weights / np.outer(scale, scale)
    if not np.linalg.cond(scaled) < WORST_CONDITION:
        return missing
    solution: Array = np.linalg.solve(scaled, forms / scale) / scale
    return [float(each) for each in solution]


def table(group: NDArray[np.int64], code: NDArray[np.int64]) -> Array:
    """Return (groups, levels) how many values of each group have each level."""
    groups, levels = int(group.max()) + 1, int(code.max()) + 1
    counts = np.bincount(group * levels + code, minlength=groups * levels)
    return counts.reshape(groups, levels).astype(np.float64)


def overlap(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    count_one: Array,
    count_other: Array,
    size: Array,
) -> float:
    """Return trace(M A M B), A and B saying which values share a level, M taking group means out.

    A B is the table of both factors, of which only cells with values are looked at: there are no
    more of them than values, while the whole table has one for each pair of levels.
    """
    levels = int(other.max()) + 1
    cells, both = np.unique(one * levels + other, return_counts=True)
    row, column = cells // levels, cells % levels
    # What the groups' means take out of a cell.
    means = np.einsum("gc,gc->c", count_one[:, row] / size[:, None], count_other[:, column])
    grams = [count @ count.T / size[:, None] for count in (count_one, count_other)]
    return float(
        np.square(both.astype(np.float64)).sum()
        - 2 * (both * means).sum()
        + np.sum(grams[0] * grams[1].T)
    )
