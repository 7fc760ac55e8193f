"""Estimate the strengths of contestants from wins and losses, by Bradley and Terry's model.

Bradley and Terry (1952), with an advantage of the first seat as in Agresti, Categorical Data
Analysis (2002), section 10.6.  Strengths s are in logits with mean 0, f is the advantage of the
first seat:

    P(first wins) = 1 / (1 + exp(-(s_first - s_second + f)))

Estimates and intervals are Firth's (firth.py), and finite whatever the votes are.  A tie is half a
win for both.  Votes on one debate, and on both debates of a pair on a motion, are not independent:
such votes are a cluster, and N votes count as N / D independent ones, where the design effect D is

    squared sums of residuals by cluster / their expectation for independent votes

Who never lost (or a group that nobody outside has beaten) is found in the graph of wins (Ford
1957).  The votes say from where on such a strength may lie and not up to where: the end is
infinite.  For two contestants the other end is exact (Clopper and Pearson 1934).  Such a strength
has its penalised estimate in the mean that is 0, so that the zero hangs on it; differences between
the others do not.

Left out: a parameter for ties (Davidson 1970): a judge whose verdict flips with the order counts as
a tie, and then the odds of winning against losing are the square of its odds in one reading, which
would double every strength.

A comparison is (first, second, score): codes of two contestants, 0 to agents - 1, and 1 if the
first won, 0 if the second did, 0.5 for a tie; all (N,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log, nan, sqrt

import numpy as np
from scipy.sparse import csgraph
from scipy.special import expit, ndtri, stdtrit

from analysis.statistics.clustered import Array, Codes, Mask, divide
from analysis.statistics.firth import Design, Fit, leads, paired_design, penalised_fit, profile_ends

TAIL = 0.025
# Votes that flip with the order are ties, which spread less than wins do.  But a vote of two
# readings tells at most as much as two.
LEAST_EFFECT = 0.5
# Before anything is seen, votes of one cluster count as one vote.  This weighs as much as half a
# cluster that was decided against expectation, and as four degrees of freedom: few motions say
# little about how alike votes are.
PRIOR_CLUSTERS = 0.5
PRIOR_DEGREES = 4.0
# Rows times coefficients up to which ends are searched in the profile.
PROFILE_NUMBERS = 300_000


@dataclass(frozen=True, slots=True)
class Ranking:
    """Strengths with 95% intervals.

    `strength`, `low` and `high` (A,) in logits, nan for contestants that were not compared with the
    rest; `high` is infinite for who was never beaten from outside of a group, `low` for who never
    won there.  `games` (A,) comparisons; `score` (A,) the share won in [0, 1], a tie half; `first`,
    `first_low` and `first_high` the advantage of the first seat, nan if it cannot be told from
    strengths, with infinite ends where one seat won everything; `clusters` how many there are, and
    `design_effect` how many votes tell as much as one independent vote.  `columns` (E, 3) has the
    effect of each further column with its ends, in logits a unit, nan if it cannot be told.
    """

    strength: Array
    low: Array
    high: Array
    games: Array
    score: Array
    first: float
    first_low: float
    first_high: float
    clusters: int
    design_effect: float
    columns: Array


@dataclass(frozen=True, slots=True)
class Scale:
    """How far to trust N votes: as N / `effect` independent ones, at `quantile` of the normal."""

    effect: float
    quantile: float

    def reach(self) -> float:
        """Return the root of the likelihood ratio of all votes at which an interval ends."""
        return self.quantile * sqrt(self.effect)


def rank(
    first: Codes,
    second: Codes,
    score: Array,
    cluster: Codes,
    agents: int,
    columns: Array | None = None,
    *,
    seated: bool = True,
) -> Ranking:
    """Estimate strengths, with 95% profile likelihood intervals that respect clusters.

    `cluster` (N,) holds any whole numbers.  `columns` (N, E) are differences between the sides, the
    first minus the second, as of the length of their speeches: strengths are then those at equal
    columns.  Without `seated`, the order of the two means nothing, and has no advantage, which is
    nan.  Contestants that were not compared with the largest group, not even through others,
    have no place beside it: nan.  Raises ValueError for arrays that do not fit together.
    """
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    played = games.sum(axis=0) + games.sum(axis=1)
    share = divide(points.sum(axis=1) + (games - points).sum(axis=0), played)
    group = largest_connected_group(games)
    strength = np.full((agents, 3), nan)
    # The advantage of the first seat is one column more: it is 1 for everybody, and 0, which cannot
    # be told from strengths, where nobody sits first.
    every = np.full((len(first), 1), float(seated))
    if columns is not None:
        every = np.column_stack((every, columns))
    sizes, effect = np.full((every.shape[1], 3), nan), nan
    if group.any():
        # From here on the group's contestants have codes of their own, without gaps.
        code = np.cumsum(group) - 1
        inside = group[first]
        votes = GroupVotes(
            code[first[inside]],
            code[second[inside]],
            score[inside],
            np.unique(cluster[inside], return_inverse=True)[1].ravel(),
            int(group.sum()),
            every[inside],
        )
        strength[group], sizes, effect = fit_group(votes)
    clusters = len(np.unique(cluster))
    seat, least, most = sizes[0].tolist()
    size, low, high = strength.T
    return Ranking(size, low, high, played, share, seat, least, most, clusters, effect, sizes[1:])


@dataclass(frozen=True, slots=True)
class GroupVotes:
    """Comparisons (N,) of a connected group of `agents` contestants, with clusters from 0 on.

    `columns` (N, E) has the first seat in its first column, which is 1.
    """

    first: Codes
    second: Codes
    score: Array
    cluster: Codes
    agents: int
    columns: Array


def fit_group(votes: GroupVotes) -> tuple[Array, Array, float]:
    """Return strengths (A, 3) and effects of columns (E, 3), with both ends, and the design effect.

    An effect is nan if its column cannot be told from strengths and the columns before it.
    """
    agents = votes.agents
    # Votes of one pair with the same columns are one row.
    start, row = distinct_rows(votes.first * agents + votes.second, *votes.columns[:, 1:].T)
    often = np.bincount(row).astype(np.float64)
    won = np.bincount(row, votes.score).astype(np.float64)
    design, told = told_apart(votes, start, often)
    best = penalised_fit(design, often[None], won[None])
    scale, *others = scales(votes, told, design, row, best)
    contrasts = np.eye(design.coefficients)
    contrasts[:agents, :agents] -= 1 / agents
    reach = np.array([scale.reach()] * agents + [each.reach() for each in others])
    ends = find_ends(design, often, won, best, contrasts, reach)
    found = np.column_stack((best.at[0], ends))
    unbeaten, winless = separated(votes)
    if agents == 2 and unbeaten.any():
        # The exact low end for n wins of n, as a lead of which each strength is half.
        low = exact_low_end(len(row) / scale.effect) / 2
        found[:2][unbeaten, 1] = low
        found[:2][winless, 2] = -low
    found[:agents][unbeaten, 2] = inf
    found[:agents][winless, 1] = -inf
    effects = np.full((votes.columns.shape[1], 3), nan)
    effects[told] = found[agents:]
    # Without a loss, or without a win, the seat's advantage has no end.
    if votes.score.max() == 0 and told[0]:
        effects[0, 1] = -inf
    if votes.score.min() == 1 and told[0]:
        effects[0, 2] = inf
    return found[:agents], effects, scale.effect


def distinct_rows(*columns: Codes | Array) -> tuple[Codes, Codes]:
    """Return where each distinct row of the columns (N,) stands first, and their code (N,)."""
    start = row = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        # Column by column: numpy sorts numbers ten times as fast as rows.
        values, code = np.unique(column, return_inverse=True)
        _, start, row = np.unique(
            row * len(values) + code.ravel(), return_index=True, return_inverse=True
        )
        row = row.ravel()
    return start, row


def told_apart(votes: GroupVotes, start: Codes, often: Array) -> tuple[Design, Mask]:
    """Return the design of rows, and which columns stand in it (E,).

    `start` (R,) is the first vote of each row, `often` (R,) how many it has.  Left out are columns
    that are one with strengths and with the columns before them, as the first seat is where nobody
    sat in both; they are taken as 0.
    """
    told = np.ones(votes.columns.shape[1], dtype=bool)
    sides = votes.first[start], votes.second[start]
    columns = votes.columns[start]
    design = paired_design(*sides, columns, votes.agents)
    information = design.information(often[None])[0]
    for number in range(len(told)):
        upto = np.append(np.ones(votes.agents, dtype=bool), told)
        upto[votes.agents + number + 1 :] = False
        part = information[np.ix_(upto, upto)]
        told[number] = np.linalg.matrix_rank(part, hermitian=True) == len(part)
    if not told.all():
        design = paired_design(*sides, columns[:, told], votes.agents)
    return design, told


def find_ends(
    design: Design, often: Array, won: Array, best: Fit, contrasts: Array, reach: Array
) -> Array:
    """Return (C, 2), where the intervals of contrasts (C, K) end.

    By the profile likelihood; by the standard error where there are so many rows that both are the
    same, and the search would take minutes.
    """
    size = contrasts @ best.at[0]
    error = np.sqrt(np.einsum("ci,ij,cj->c", contrasts, best.covariance[0], contrasts))
    symmetric = np.column_stack((size - reach * error, size + reach * error))
    if len(often) * design.coefficients > PROFILE_NUMBERS:
        return symmetric
    ends = profile_ends(design, often, won, best, contrasts, reach)
    return np.where(np.isnan(ends), symmetric, ends)


def exact_low_end(wins: float) -> float:
    """Return Clopper and Pearson's low end for so many wins of as many, in logits."""
    share = TAIL ** (1 / wins)
    return log(share / (1 - share))


def separated(votes: GroupVotes) -> tuple[Mask, Mask]:
    """Return (A,) who has never been beaten from outside of a group, and who never won there.

    Groups are those within which everybody has beaten everybody, if only through others; between
    groups strengths may lie as far apart as one likes.  The largest group is the field, which has
    no open ends, if it has two members or more and no other is as large.
    """
    won = np.zeros((votes.agents, votes.agents))
    np.add.at(won, (votes.first, votes.second), votes.score)
    np.add.at(won, (votes.second, votes.first), 1 - votes.score)
    groups, group = csgraph.connected_components(won > 0, connection="strong")
    above, below = np.nonzero((won > 0) & (group[:, None] != group))
    beaten, winner = np.zeros(groups, dtype=bool), np.zeros(groups, dtype=bool)
    beaten[group[below]] = True
    winner[group[above]] = True
    sizes = np.bincount(group)
    largest = sizes == sizes.max()
    if sizes.max() > 1 and largest.sum() == 1:
        beaten |= largest
        winner |= largest
    return ~beaten[group], ~winner[group]


def scales(votes: GroupVotes, told: Mask, design: Design, row: Codes, fit: Fit) -> Iterator[Scale]:
    """Yield how far to trust the votes on strengths, and on each column that is told apart.

    Votes of a cluster that favour one contestant in both seats tell the less about strengths, and
    the more about the seat.
    """
    chance = expit(leads(design, fit.at))[0][row]
    covariance = fit.covariance[0]
    residual = votes.score - chance
    size = np.bincount(votes.cluster)
    # Ties are half a win and spread less than a win or a loss.
    expected = chance * (1 - chance)
    ties = float((votes.score * (1 - votes.score)).sum())
    vote = max(LEAST_EFFECT, 1 - ties / float(expected.sum()))
    # Of each pair within a cluster: how much its votes spread by themselves, and which share of
    # that the fit has taken away.
    low, high = np.minimum(votes.first, votes.second), np.maximum(votes.first, votes.second)
    cell = (votes.cluster * votes.agents + low) * votes.agents + high
    _, start, inverse = np.unique(cell, return_index=True, return_inverse=True)
    spreads = sums_of(inverse, np.square(residual))
    a, b = low[start], high[start]
    taken = sums_of(inverse, expected)
    taken *= covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
    # A residual counts for who sat first and against who sat second; a square of both is halved.
    place = np.concatenate((votes.first, votes.second)) + votes.agents * np.tile(votes.cluster, 2)
    _, inverse = np.unique(place, return_inverse=True)
    sums = sums_of(inverse, np.concatenate((residual, -residual)))
    yield trust(float(np.square(sums).sum()) / 2, spreads, taken, size, vote)
    variances = np.diag(covariance)[votes.agents :]
    for column, variance in zip(votes.columns[:, told].T, variances, strict=True):
        # In a unit in which the prior weighs the same for every column.
        unit = np.sqrt(np.square(column).mean())
        pull = residual * column / unit
        spreads = sums_of(votes.cluster, np.square(pull))
        taken = sums_of(votes.cluster, expected * np.square(column)) * variance
        sums = sums_of(votes.cluster, pull)
        yield trust(float(np.square(sums).sum()), spreads, taken, size, vote)


def sums_of(code: Codes, values: Array) -> Array:
    """Return the sums of the values (N,) with each code (N,)."""
    return np.bincount(code.ravel(), values).astype(np.float64)


def trust(squares: float, spreads: Array, taken: Array, size: Codes, vote: float) -> Scale:
    """Return the design effect and the quantile that allows for how little is known about it.

    `squares` is the sum of the squared sums of residuals of clusters, `spreads` (C,) the sums of
    their squares, `taken` (C,) which share of that the fit has taken away, `size` how many votes
    each cluster has, and `vote` the effect of a single vote.
    """
    # If all votes of a cluster were the same, a vote would count as one of so many.
    most = float(np.square(size).sum() / size.sum())
    left = spreads * np.maximum(1 - taken, 0)
    effect = (squares + PRIOR_CLUSTERS * most**2) / (float(left.sum()) + PRIOR_CLUSTERS * most)
    effect = min(max(effect, 1.0) * vote, most)
    # Satterthwaite's degrees of freedom; a cluster that was decided against expectation spreads as
    # much as four of even odds.
    degrees = PRIOR_DEGREES
    if left.any():
        degrees += float(np.square(left.sum()) / (left * spreads).sum())
    quantile = float(stdtrit(degrees, 1 - TAIL))
    # No votes tell less than one vote a cluster.
    normal = -float(ndtri(TAIL))
    if effect * quantile**2 > most * normal**2:
        return Scale(most, normal)
    return Scale(effect, quantile)


def largest_connected_group(games: Array) -> Mask:
    """Return (A,) who belongs to the largest group that comparisons connect; nobody without any."""
    _, group = csgraph.connected_components(games, directed=False)
    if not games.any():
        return np.zeros(len(group), dtype=bool)
    result: Mask = group == np.bincount(group).argmax()
    return result


def game_tables(first: Codes, second: Codes, score: Array, agents: int) -> tuple[Array, Array]:
    """Return (games, points), both (A, A), of the row as first against the column as second.

    How often they met so, and how much of that the first won.
    """
    pair = first * agents + second
    games, points = (
        np.bincount(pair, weights, agents * agents).reshape(agents, agents).astype(np.float64)
        for weights in (np.ones(len(pair)), score)
    )
    return games, points


def win_matrix(first: Codes, second: Codes, score: Array, agents: int) -> tuple[Array, Array]:
    """Return (won, games), both (A, A), of the row against the column, whoever sat first.

    How much the row won, a tie half, and how often they met.  Raises ValueError for arrays that do
    not fit together.
    """
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    return points + (games - points).T, games + games.T


def check_comparisons(first: Codes, second: Codes, score: Array, agents: int) -> None:
    """Raise ValueError unless the comparisons fit together.

    All three are (N,), codes lie in [0, agents), nobody meets itself, and scores lie in [0, 1]
    without nan.
    """
    if not first.shape == second.shape == score.shape or first.ndim != 1:
        raise ValueError(
            "first, second and score must be (N,) alike,"
            f" found {first.shape}, {second.shape} and {score.shape}"
        )
    codes = np.concatenate((first, second))
    if codes.size and not (codes.min() >= 0 and codes.max() < agents):
        raise ValueError(f"contestants must be coded 0 to {agents - 1}")
    if (first == second).any():
        raise ValueError(
            "a contestant cannot be ranked against itself;"
            " leave debates of a model against itself out"
        )
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError(
            "scores must lie in [0, 1] and not be nan; leave out what was not judged, and count it"
        )
