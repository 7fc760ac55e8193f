"""Find how few votes, left out, would put another contestant first.

As Broderick, Giordano and Meager ask of regressions ("An Automatic Finite-Sample Robustness
Metric", 2020): the votes with the most influence on the lead of the first over a rival, by the
first-order formula, are left out until a new fit turns the order.  The number is one at which it
does turn; a smaller set may exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph
from scipy.special import expit

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.firth import leads, paired_design, penalised_fit
from analysis.statistics.ranking import distinct_rows, largest_connected_group, win_matrix

# Only the nearest rivals are tried: who is far behind needs more votes than they do.
RIVALS = 3


@dataclass(frozen=True, slots=True)
class Overturn:
    """`dropped` of `votes` votes left out put `rival` in front of `first`; both are codes."""

    first: int
    rival: int
    dropped: int
    votes: int


def fewest_to_overturn(first: Codes, second: Codes, score: Array, agents: int) -> Overturn | None:
    """Return the smallest number found of votes that decide who is first; None if none do.

    Comparisons are (N,), as in ranking.py.  Contestants outside of the largest group do not count.
    """
    _, games = win_matrix(first, second, score, agents)
    group = largest_connected_group(games)
    if not group.any():
        return None
    code = np.cumsum(group) - 1
    inside = group[first]
    # Votes of one pair with one score have the same influence: one row with a count.
    every = code[first[inside]], code[second[inside]], score[inside]
    start, row = distinct_rows(*every)
    rows = np.column_stack([column[start] for column in every])
    often = np.bincount(row)
    size = int(group.sum())
    strength, influence = strengths_and_influence(rows, often, size)
    order = np.argsort(-strength)
    best = int(order[0])
    found = []
    for rival in order[1 : 1 + RIVALS].tolist():
        dropped = votes_to_turn(rows, often, influence[best] - influence[rival], best, rival, size)
        if dropped is not None:
            found.append((dropped, rival))
    if not found:
        return None
    dropped, rival = min(found)
    names = np.flatnonzero(group)
    return Overturn(int(names[best]), int(names[rival]), dropped, int(often.sum()))


def strengths_and_influence(rows: Array, often: Codes, agents: int) -> tuple[Array, Array]:
    """Return strengths (A,), and (A, R) by how much a vote of each row raises them."""
    pairs = rows[:, :2].astype(np.int64)
    design = paired_design(pairs[:, 0], pairs[:, 1], np.empty((len(rows), 0)), agents)
    games = often.astype(np.float64)
    fit = penalised_fit(design, games[None], (games * rows[:, 2])[None])
    residual = rows[:, 2] - expit(leads(design, fit.at))[0]
    direction: Array = (design.rows @ fit.covariance[0]).T
    return fit.at[0], direction * residual


def votes_to_turn(
    rows: Array, often: Codes, influence: Array, best: int, rival: int, agents: int
) -> int | None:
    """Return how many votes of largest influence, left out, put the rival in front.

    None if that does not happen before the contestants fall apart.
    """
    order = np.argsort(-influence)
    useful = order[influence[order] > 0]
    most = int(often[useful].sum())
    before = np.append(0, np.cumsum(often[useful]))[:-1]

    def turned(dropped: int) -> bool:
        left = often.copy()
        left[useful] -= np.clip(dropped - before, 0, often[useful])
        there = left > 0
        pairs = rows[there, :2].astype(np.int64)
        table = np.zeros((agents, agents))
        table[pairs[:, 0], pairs[:, 1]] = 1
        # Without comparisons that connect them there is no order to turn.
        if csgraph.connected_components(table, directed=False)[0] > 1:
            return False
        strength, _ = strengths_and_influence(rows[there], left[there], agents)
        return bool(strength[rival] > strength[best])

    # Doubling, then halving: the lead falls with every vote, or nearly so.
    high = 1
    while high < most and not turned(high):
        high *= 2
    high = min(high, most)
    if not most or not turned(high):
        return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if turned(middle) else (middle, high)
    return high
