"""Rate contestants one debate after the other, by Elo and by TrueSkill.

Both are references beside Bradley and Terry's strengths and not the ranking: they hang on the order
of the debates, and the last ones count most.  Means over shuffles take the order out again.

A comparison is (first, second, score): codes of two contestants, 0 to agents - 1, and 1 if the
first won, 0 if the second did, 0.5 for a tie; all (N,).
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, exp, pi, sqrt
from statistics import NormalDist

import numpy as np

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.ranking import check_comparisons

ELO_START = 1000.0
ELO_STEP = 32.0
ELO_SCALE = 400.0
MEAN = 25.0
DEVIATION = MEAN / 3
PERFORMANCE = MEAN / 6
DRIFT = MEAN / 300
DRAWS = 0.1

# A game as plain numbers: numpy is slow one number at a time.
Game = tuple[int, int, float]


def elo(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    shuffles: int = 0,
    seed: int = 0,
    step: float = ELO_STEP,
    scale: float = ELO_SCALE,
) -> Array:
    """Return (A,) Elo ratings after the comparisons in the order given.

    With `shuffles`, the mean over so many seeded shuffles of that order.

        expected = 1 / (1 + 10^((other - own) / 400))        own += 32 (score - expected)

    `step` and `scale` take the places of 32 and 400.  Elo (1978).  Raises ValueError for arrays
    that do not fit together.
    """

    def play(games: list[Game]) -> list[float]:
        rating = [ELO_START] * agents
        for own, other, points in games:
            gain = step * (points - 1 / (1 + 10 ** ((rating[other] - rating[own]) / scale)))
            rating[own] += gain
            rating[other] -= gain
        return rating

    check_comparisons(first, second, score, agents)
    return mean_over_orders(play, first, second, score, shuffles, seed)


def trueskill(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    shuffles: int = 0,
    seed: int = 0,
    deviation: float = DEVIATION,
    performance: float = PERFORMANCE,
    drift: float = DRIFT,
    draws: float = DRAWS,
) -> Array:
    """Return (A, 2), the mean and deviation of each TrueSkill rating after the comparisons.

    Herbrich, Minka and Graepel (2007) for games of two, which need no message passing: everybody
    begins at 25 with deviation 25/3; a performance has deviation 25/6 around the skill, skills
    drift by 25/300 a game, and a tie is expected in a tenth of even games, unless other numbers are
    given.  `shuffles` as in `elo`.
    """
    margin = NormalDist().inv_cdf((1 + draws) / 2) * sqrt(2) * performance

    def play(games: list[Game]) -> list[tuple[float, float]]:
        mean = [MEAN] * agents
        variance = [deviation**2] * agents
        for one, two, points in games:
            winner, loser = (one, two) if points >= 0.5 else (two, one)
            own, other = (variance[player] + drift**2 for player in (winner, loser))
            whole = sqrt(2 * performance**2 + own + other)
            lead = (mean[winner] - mean[loser]) / whole
            shift, shrink = (tie if points == 0.5 else win)(lead, margin / whole)
            mean[winner] += own / whole * shift
            mean[loser] -= other / whole * shift
            variance[winner] = own * (1 - own / whole**2 * shrink)
            variance[loser] = other * (1 - other / whole**2 * shrink)
        return [(each, sqrt(spread)) for each, spread in zip(mean, variance, strict=True)]

    check_comparisons(first, second, score, agents)
    return mean_over_orders(play, first, second, score, shuffles, seed)


def win(lead: float, margin: float) -> tuple[float, float]:
    """Return by how much a win moves the mean and shrinks the variance, in their units.

    The mean of a normal cut off below, and one minus its variance.
    """
    beyond = lead - margin
    # Far below, the quotient tends to its argument, and both of its parts to 0.
    shift = density(beyond) / below(beyond) if beyond > -30 else -beyond
    return shift, shift * (shift + beyond)


def tie(lead: float, margin: float) -> tuple[float, float]:
    """Return the same for a tie: a normal cut off on both sides."""
    low, high = -margin - lead, margin - lead
    between = below(high) - below(low) if lead < 0 else below(-low) - below(-high)
    if between < 1e-300:
        edge = high if lead > 0 else low
        return edge, 1.0
    shift = (density(low) - density(high)) / between
    return shift, shift**2 + (high * density(high) - low * density(low)) / between


def density(x: float) -> float:
    """Return the standard normal density."""
    return exp(-x * x / 2) / sqrt(2 * pi)


def below(x: float) -> float:
    """Return the standard normal probability of less than x."""
    return 0.5 * erfc(-x / sqrt(2))


def mean_over_orders(
    play: Callable[[list[Game]], object],
    first: Codes,
    second: Codes,
    score: Array,
    shuffles: int,
    seed: int,
) -> Array:
    """Return what `play` makes of the games in their order, or its mean over seeded shuffles."""
    rng = np.random.default_rng(seed)
    games: list[Game] = list(zip(first.tolist(), second.tolist(), score.tolist(), strict=True))
    results = []
    for _ in range(max(1, shuffles)):
        order = rng.permutation(len(games)) if shuffles else range(len(games))
        results.append(play([games[number] for number in order]))
    mean: Array = np.array(results, dtype=np.float64).mean(axis=0)
    return mean
