"""Measure how far two raters agree, as it is and beyond chance.

Cohen, A coefficient of agreement for nominal scales (1960): kappa = (p_o - p_e) / (1 - p_e), p_o
the share of items that both give one value, p_e that of two raters who give values as often as
these do but independently.  1 is perfect, 0 is chance.  Where nearly all items have one value kappa
is low though agreement is high (Feinstein and Cicchetti, 1990): both belong together.  Intervals
resample whole clusters, such as debates, in which items depend on each other.  Left out: weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.bootstrap import Interval, draw_counts, intervals
from analysis.statistics.clustered import Array, Codes, divide
from analysis.statistics.shares import share_intervals


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two raters agree on `n` items; nan for undefined numbers."""

    n: int
    same: Interval
    kappa: Interval


def agreement(
    first: Codes, second: Codes, cluster: Codes, values: int, *, resamples: int = 2000
) -> Agreement:
    """Return the agreement on items (N,), whose values are codes in [0, values).

    `cluster` (N,) holds codes from 0.  Raises ValueError for arrays of several lengths.
    """
    if not first.shape == second.shape == cluster.shape:
        raise ValueError(
            f"both raters and the clusters need one value an item, found {first.shape},"
            f" {second.shape} and {cluster.shape}"
        )
    clusters = int(cluster.max()) + 1 if cluster.size else 0
    cells = np.zeros((clusters, values * values))
    # Not cells[...] += 1, which counts a place once however often it is named.
    np.add.at(cells, (cluster, first * values + second), 1)
    equal = np.eye(values).ravel() == 1
    same = cells[:, equal].sum(axis=1, keepdims=True)
    [share] = share_intervals(same, cells.sum(axis=1, keepdims=True))
    estimate = kappas(cells.sum(axis=0, keepdims=True), values)
    draws = [np.empty(0)]
    if clusters > 1:
        for counts in draw_counts(clusters, resamples):
            draws.append(kappas(counts.astype(np.float64) @ cells, values))
    [kappa] = intervals(estimate, np.concatenate(draws)[:, None])
    return Agreement(first.size, share, kappa)


def kappas(cells: Array, values: int) -> Array:
    """Return (T,) kappa of tables (T, values * values), the first rater's value by the second's."""
    tables = cells.reshape(-1, values, values)
    n = tables.sum(axis=(1, 2))
    observed = divide(np.einsum("tii->t", tables), n)
    both = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1)
    by_chance = divide(both, np.square(n))
    return divide(observed - by_chance, 1 - by_chance)
