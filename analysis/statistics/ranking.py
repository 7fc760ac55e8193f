"""Strengths of contestants from wins and losses: Bradley-Terry with intervals, Elo as a sequential reference, and the win matrix.

Bradley and Terry (1952), with an advantage of the first seat as in Agresti, Categorical Data Analysis (2002), section 10.6.  A tie is half a
win for both, so that the fit makes expected and observed scores equal.  Left out: a parameter for ties (Davidson 1970): a judge whose
verdict flips with the order counts as a tie, and then the odds of winning against losing are the square of its odds in one reading, which
would double every strength.  Intervals come from resampling whole clusters, here the debates of one pair on one motion.

A comparison is (first, second, score): codes of two contestants, 0 to agents - 1, and 1 where the first won, 0 where the second did, 0.5 for
a tie; all (N,).  Strengths are in logits with mean 0: a contestant wins against one d below it with the chance 1 / (1 + exp(-d)).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]
# Beyond this, one wins all but two in a billion: there is no maximum, and the fit is on its way to infinity.
MAX_LOGITS = 20.0
LONGEST_STEP = 2.0
MAX_STEPS = 100
# Weak enough to move nothing that the data say, strong enough to keep a resample without a loss finite.
PRIOR_SD = 5.0
CHUNK_VALUES = 4_000_000


@dataclass(frozen=True, slots=True)
class Strengths:
    """`strength` (A,) in logits, mean 0, and the advantage of the `first` seat in logits; nan where the comparisons do not tell."""

    strength: Array
    first: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Strengths with intervals.

    `strength`, `low`, `high` (A,) logits, nan for who was not compared with the rest; `games` (A,) comparisons; `score` (A,) the share won,
    a tie half; `first`, `first_low`, `first_high` the advantage of the first seat; `clusters` how many were resampled.
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


def bradley_terry(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    first_effect: bool = True,
    prior_sd: float = inf,
) -> Strengths:
    """The most likely strengths, with `first_effect` also the advantage of sitting first; `prior_sd` draws both towards 0, in logits.

    Without a prior, strengths are nan where they have no maximum: where some contestants never lost to, or were never compared with, the
    rest.  Raises ValueError where the arrays do not fit together.
    """
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    found = fit(games[None], points[None], first_effect=first_effect, prior_sd=prior_sd)[0]
    if prior_sd == inf and not largest_connected_group(games).all():
        found[:] = nan
    return Strengths(found[:agents], float(found[agents]))


def rank(
    first: Codes,
    second: Codes,
    score: Array,
    cluster: Codes,
    agents: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Ranking:
    """Strengths with percentile intervals under resampling of clusters, `cluster` (N,) any whole numbers; the same for the same seed.

    A weak prior (sd 5 logits) keeps resamples finite in which somebody never loses.  Who was not compared with the largest group of
    contestants, not even through others, has no place beside them: nan.  Intervals are nan with fewer than 2 clusters.
    Raises ValueError where the arrays do not fit together.
    """
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    group = largest_connected_group(games)
    found = centre(fit(games[None], points[None], first_effect=True, prior_sd=PRIOR_SD), group)[0]
    drawn = centre(
        resample_strengths(first, second, score, cluster, agents, resamples, seed), group
    )
    clusters = len(np.unique(cluster))
    limits = np.full((2, agents + 1), nan)
    if clusters > 1:
        limits = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0)
    played = games.sum(axis=0) + games.sum(axis=1)
    won = points.sum(axis=1) + (games - points).sum(axis=0)
    found, low, high = (
        np.where(np.append(group, group.any()), row, nan) for row in (found, *limits)
    )
    score_of = np.divide(won, played, out=np.full(agents, nan), where=played > 0)
    edge = float(found[agents]), float(low[agents]), float(high[agents])
    return Ranking(found[:agents], low[:agents], high[:agents], played, score_of, *edge, clusters)


def resample_strengths(
    first: Codes,
    second: Codes,
    score: Array,
    cluster: Codes,
    agents: int,
    resamples: int,
    seed: int,
) -> Array:
    """(resamples, agents + 1) strengths and first-seat advantage, each from clusters drawn with replacement."""
    rng = np.random.default_rng(seed)
    names, row = np.unique(cluster, return_inverse=True)
    pair = first * agents + second
    shape = len(names), agents * agents
    # One row per cluster, one column per ordered pair: a resample is then a weighted sum of rows.
    games = sparse.csr_array((np.ones(len(row)), (row, pair)), shape=shape)
    points = sparse.csr_array((score, (row, pair)), shape=shape)
    step = max(1, CHUNK_VALUES // max(shape))
    found = []
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        weight = np.stack(
            [
                np.bincount(rng.integers(shape[0], size=shape[0]), minlength=shape[0])
                for _ in range(draws)
            ]
        ).astype(float)
        square = draws, agents, agents
        drawn = [np.asarray((part.T @ weight.T).T).reshape(square) for part in (games, points)]
        found.append(fit(drawn[0], drawn[1], first_effect=True, prior_sd=PRIOR_SD))
    return np.concatenate(found) if found else np.empty((0, agents + 1))


def largest_connected_group(games: Array) -> NDArray[np.bool_]:
    """(A,) who belongs to the largest group of contestants that are connected by comparisons; nobody where there are none."""
    _, group = csgraph.connected_components(games, directed=False)
    result: NDArray[np.bool_] = (
        (group == np.bincount(group).argmax()) & bool(games.any())
        if len(group)
        else np.zeros(0, dtype=bool)
    )
    return result


def centre(found: Array, group: NDArray[np.bool_]) -> Array:
    """Strengths and advantage (B, A + 1) with the mean strength of the group at 0."""
    found = found.copy()
    found[:, :-1] -= found[:, :-1][:, group].mean(axis=1, keepdims=True) if group.any() else 0.0
    return found


def game_tables(first: Codes, second: Codes, score: Array, agents: int) -> tuple[Array, Array]:
    """(games, points), both (A, A): how often the row sat first against the column, and what it won of that."""
    pair = first * agents + second
    games, points = (
        np.bincount(pair, weights, agents * agents).reshape(agents, agents)
        for weights in (np.ones(len(pair)), score)
    )
    return games.astype(float), points


def win_matrix(first: Codes, second: Codes, score: Array, agents: int) -> tuple[Array, Array]:
    """(won, games), both (A, A): what the row won against the column, whoever sat first, a tie half; and how often they met."""
    check_comparisons(first, second, score, agents)
    games, points = game_tables(first, second, score, agents)
    return points + (games - points).T, games + games.T


def fit(games: Array, points: Array, *, first_effect: bool, prior_sd: float) -> Array:
    """(B, A + 1) strengths and first-seat advantage for B tables (B, A, A) at once, by Newton's method; nan where there is no maximum."""
    draws, agents = games.shape[:2]
    at = np.zeros((draws, agents + 1))
    ridge = 0.0 if prior_sd == inf else prior_sd**-2
    # Strengths are told apart only by differences: the ones fix their mean at 0.
    floor = np.zeros((agents + 1, agents + 1))
    floor[:agents, :agents] = 1.0
    floor += ridge * np.eye(agents + 1)
    floor[agents, agents] += 0.0 if first_effect else 1.0
    for _ in range(MAX_STEPS):
        chance = 1 / (
            1 + np.exp(-(at[:, :agents, None] - at[:, None, :agents] + at[:, agents, None, None]))
        )
        slope, bend = derivatives(games, points, chance, first_effect)
        slope -= ridge * at
        # A contestant without a comparison has no bend of its own; the tiny number keeps the equations solvable.
        step = np.linalg.solve(bend + floor + 1e-12 * np.eye(agents + 1), slope[:, :, None])[
            :, :, 0
        ]
        longest = np.abs(step).max(axis=1, keepdims=True)
        at = np.clip(
            at + step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300)),
            -2 * MAX_LOGITS,
            2 * MAX_LOGITS,
        )
        if longest.max(initial=0.0) < 1e-10:
            break
    at[:, :agents] -= at[:, :agents].mean(axis=1, keepdims=True)
    undefined = (np.abs(at) > MAX_LOGITS).any(axis=1) | (longest[:, 0] > 1e-6)
    if not ridge:
        undefined |= ((games.sum(axis=1) + games.sum(axis=2)) == 0).any(axis=1)
    at[undefined] = nan
    return at


def derivatives(
    games: Array, points: Array, chance: Array, first_effect: bool
) -> tuple[Array, Array]:
    """(slope (B, A + 1), bend (B, A + 1, A + 1)) of the log-likelihood; the bend is the information, minus the second derivative."""
    draws, agents = games.shape[:2]
    excess, weight = points - games * chance, games * chance * (1 - chance)
    slope, bend = np.zeros((draws, agents + 1)), np.zeros((draws, agents + 1, agents + 1))
    slope[:, :agents] = excess.sum(axis=2) - excess.sum(axis=1)
    diagonal = np.arange(agents)
    bend[:, :agents, :agents] = -(weight + weight.transpose(0, 2, 1))
    bend[:, diagonal, diagonal] += weight.sum(axis=2) + weight.sum(axis=1)
    if first_effect:
        slope[:, agents] = excess.sum(axis=(1, 2))
        bend[:, agents, :agents] = bend[:, :agents, agents] = weight.sum(axis=2) - weight.sum(
            axis=1
        )
        bend[:, agents, agents] = weight.sum(axis=(1, 2))
    return slope, bend


def elo(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    k: float = 32.0,
    start: float = 1000.0,
    shuffles: int = 0,
    seed: int = 0,
) -> Array:
    """(A,) Elo ratings after the comparisons in the order given, or the mean over so many seeded shuffles of it.

    expected = 1 / (1 + 10^((other - own) / 400)), own += k (score - expected).  Elo (1978).  What comes last counts most, so this is a
    reference beside Bradley-Terry, not the ranking.  Raises ValueError where the arrays do not fit together.
    """
    check_comparisons(first, second, score, agents)
    rng = np.random.default_rng(seed)
    games = list(zip(first.tolist(), second.tolist(), score.tolist(), strict=True))
    found = []
    for _ in range(max(1, shuffles)):
        rating = [start] * agents
        for game in rng.permutation(len(games)) if shuffles else range(len(games)):
            one, other, won = games[game]
            gain = k * (won - 1 / (1 + 10 ** ((rating[other] - rating[one]) / 400)))
            rating[one] += gain
            rating[other] -= gain
        found.append(rating)
    return np.mean(np.array(found, dtype=np.float64), axis=0)


def check_comparisons(first: Codes, second: Codes, score: Array, agents: int) -> None:
    """Raise ValueError unless all three are (N,), codes lie in [0, agents), nobody meets itself, and scores lie in [0, 1] without nan."""
    if not first.shape == second.shape == score.shape or first.ndim != 1:
        raise ValueError(
            f"first, second and score must be (N,) alike, found {first.shape}, {second.shape} and {score.shape}"
        )
    if first.size and not (
        min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) < agents
    ):
        raise ValueError(f"contestants must be coded 0 to {agents - 1}")
    if (first == second).any():
        raise ValueError(
            "a contestant cannot be ranked against itself; leave debates of a model against itself out"
        )
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError(
            "scores must lie in [0, 1] and not be nan; leave out what was not judged, and count it"
        )
