"""Estimate the strengths of contestants from wins and losses, by Bradley-Terry and by Elo.

Bradley and Terry (1952), with an advantage of the first seat as in Agresti, Categorical Data
Analysis (2002), section 10.6.  Strengths s are in logits with mean 0, f is the advantage of the
first seat:

    P(first wins) = 1 / (1 + exp(-(s_first - s_second + f)))

A tie is half a win for both, so that the fit makes expected and observed scores equal.  Intervals
come from resampling whole clusters, here the debates of one pair on one motion.  Elo is a
sequential reference.  Left out: a parameter for ties (Davidson 1970): a judge whose verdict flips
with the order counts as a tie, and then the odds of winning against losing are the square of its
odds in one reading, which would double every strength.

A comparison is (first, second, score): codes of two contestants, 0 to agents - 1, and 1 if the
first won, 0 if the second did, 0.5 for a tie; all (N,).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from analysis.statistics.bootstrap import draw
from analysis.statistics.clustered import Array, Codes, Mask, divide

# Beyond this, one wins all but two in a billion: the fit is on its way to infinity.
MAX_LOGITS = 20.0
LONGEST_STEP = 2.0
ELO_START = 1000.0
ELO_STEP = 32.0
MAX_STEPS = 100
# Weak enough to move nothing that the data say, strong enough to keep a resample without a loss
# finite.
PRIOR_SD = 5.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """Strengths with intervals.

    `strength`, `low` and `high` (A,) in logits, nan for contestants that were not compared with the
    rest; `games` (A,) comparisons; `score` (A,) the share won in [0, 1], a tie half; `first`,
    `first_low` and `first_high` the advantage of the first seat; `clusters` how many were
    resampled.
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


def rank(
    first: Codes,
    second: Codes,
    score: Array,
    cluster: Codes,
    agents: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Ranking:
    """Estimate strengths, with 95% percentile intervals under resampling of clusters.

    `cluster` (N,) holds any whole numbers; one seed gives one result.  A weak prior (sd 5 logits)
    keeps resamples finite in which somebody never loses.  Contestants that were not compared with
    the largest group, not even through others, have no place beside it: nan.  Intervals are nan
    with fewer than 2 clusters.  Raises ValueError for arrays that do not fit together.
    """
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    group = largest_connected_group(games)
    estimates = fit(games[None], points[None])
    draws = resample_strengths(first, second, score, cluster, agents, resamples, seed)
    clusters = len(np.unique(cluster))
    limits = np.full((2, agents + 1), nan)
    if clusters > 1:
        limits = np.quantile(centre(draws, group), (0.025, 0.975), axis=0)
    # The last column is the advantage of the first seat, which any comparison tells something of.
    shown = np.append(group, group.any())
    strength, low, high = (
        np.where(shown, row, nan) for row in (centre(estimates, group)[0], *limits)
    )
    played = games.sum(axis=0) + games.sum(axis=1)
    won = points.sum(axis=1) + (games - points).sum(axis=0)
    return Ranking(
        strength[:agents],
        low[:agents],
        high[:agents],
        played,
        divide(won, played),
        float(strength[agents]),
        float(low[agents]),
        float(high[agents]),
        clusters,
    )


def resample_strengths(
    first: Codes,
    second: Codes,
    score: Array,
    cluster: Codes,
    agents: int,
    resamples: int,
    seed: int,
) -> Array:
    """Return (resamples, agents + 1) strengths and first-seat advantage of resampled clusters."""
    names, row = np.unique(cluster, return_inverse=True)
    pair = first * agents + second
    shape = len(names), agents * agents
    # One row per cluster, one column per ordered pair: a resample is then a weighted sum of rows.
    games = sparse.csr_array((np.ones(len(row)), (row, pair)), shape=shape)
    points = sparse.csr_array((score, (row, pair)), shape=shape)
    fits = [np.empty((0, agents + 1))]
    for counts in draw(shape[0], resamples, seed, width=shape[1]):
        weight = counts.astype(np.float64)
        tables = [
            np.asarray((part.T @ weight.T).T).reshape(len(weight), agents, agents)
            for part in (games, points)
        ]
        fits.append(fit(*tables))
    return np.concatenate(fits)


def largest_connected_group(games: Array) -> Mask:
    """Return (A,) who belongs to the largest group that comparisons connect; nobody without any."""
    _, group = csgraph.connected_components(games, directed=False)
    if not games.any():
        return np.zeros(len(group), dtype=bool)
    result: Mask = group == np.bincount(group).argmax()
    return result


def centre(strengths: Array, group: Mask) -> Array:
    """Return strengths and advantage (B, A + 1) with the mean strength of the group at 0."""
    strengths = strengths.copy()
    if group.any():
        strengths[:, :-1] -= strengths[:, :-1][:, group].mean(axis=1, keepdims=True)
    return strengths


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


def fit(games: Array, points: Array) -> Array:
    """Return (B, A + 1) strengths and first-seat advantage for B tables (B, A, A) at once.

    By Newton's method, with a normal prior of PRIOR_SD that draws both towards 0; nan if that finds
    no maximum.
    """
    draws, agents = games.shape[:2]
    at = np.zeros((draws, agents + 1))
    ridge = PRIOR_SD**-2
    # Strengths are told apart only by differences: the ones fix their mean at 0.
    floor = np.zeros((agents + 1, agents + 1))
    floor[:agents, :agents] = 1.0
    floor += ridge * np.eye(agents + 1)
    # Nothing beside the prior; it keeps the last digits of reports as they have always been.
    tiny = 1e-12 * np.eye(agents + 1)
    for _ in range(MAX_STEPS):
        lead = at[:, :agents, None] - at[:, None, :agents] + at[:, agents, None, None]
        chance = 1 / (1 + np.exp(-lead))
        slope, information = derivatives(games, points, chance)
        slope -= ridge * at
        step = np.linalg.solve(information + floor + tiny, slope[:, :, None])[:, :, 0]
        # Steps are cut: a long one would overshoot, and without a maximum they never end.
        longest = np.abs(step).max(axis=1, keepdims=True)
        step = step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300))
        at = np.clip(at + step, -2 * MAX_LOGITS, 2 * MAX_LOGITS)
        if longest.max(initial=0.0) < 1e-10:
            break
    at[:, :agents] -= at[:, :agents].mean(axis=1, keepdims=True)
    at[(np.abs(at) > MAX_LOGITS).any(axis=1) | (longest[:, 0] > 1e-6)] = nan
    return at


def derivatives(games: Array, points: Array, chance: Array) -> tuple[Array, Array]:
    """Return (slope (B, A + 1), information (B, A + 1, A + 1)) of the log-likelihood.

    The slope is its gradient, the information minus its second derivative.
    """
    draws, agents = games.shape[:2]
    excess = points - games * chance
    weight = games * chance * (1 - chance)
    slope = np.zeros((draws, agents + 1))
    information = np.zeros((draws, agents + 1, agents + 1))
    # Rows sat first and columns second, so that a strength gains along its row and loses along its
    # column.
    slope[:, :agents] = excess.sum(axis=2) - excess.sum(axis=1)
    diagonal = np.arange(agents)
    information[:, :agents, :agents] = -(weight + weight.transpose(0, 2, 1))
    information[:, diagonal, diagonal] += weight.sum(axis=2) + weight.sum(axis=1)
    # The advantage gains from every comparison.
    slope[:, agents] = excess.sum(axis=(1, 2))
    shared = weight.sum(axis=2) - weight.sum(axis=1)
    information[:, agents, :agents] = shared
    information[:, :agents, agents] = shared
    information[:, agents, agents] = weight.sum(axis=(1, 2))
    return slope, information


def elo(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    shuffles: int = 0,
    seed: int = 0,
) -> Array:
    """Return (A,) Elo ratings after the comparisons in the order given.

    With `shuffles`, the mean over so many seeded shuffles of that order.

        expected = 1 / (1 + 10^((other - own) / 400))        own += 32 (score - expected)

    Elo (1978).  The last comparisons count most, so this is a reference beside Bradley-Terry, not
    the ranking.  Raises ValueError for arrays that do not fit together.
    """
    check_comparisons(first, second, score, agents)
    rng = np.random.default_rng(seed)
    # Plain lists: each rating depends on the last, and numpy is slow one number at a time.
    games = list(zip(first.tolist(), second.tolist(), score.tolist(), strict=True))
    ratings = []
    for _ in range(max(1, shuffles)):
        rating = [ELO_START] * agents
        for game in rng.permutation(len(games)) if shuffles else range(len(games)):
            own, other, points = games[game]
            gain = ELO_STEP * (points - 1 / (1 + 10 ** ((rating[other] - rating[own]) / 400)))
            rating[own] += gain
            rating[other] -= gain
        ratings.append(rating)
    mean: Array = np.array(ratings, dtype=np.float64).mean(axis=0)
    return mean


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
