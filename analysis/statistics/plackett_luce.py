"""Rate contestants one debate after the other, by Plackett and Luce's model as OpenSkill does.

Weng and Lin, A Bayesian approximation method for online ranking (2011), algorithm 4, for games of
two: Gaussian skills as in TrueSkill (ratings.py), but logistic performances, and a gain in closed
form.  It is another number than TrueSkill.  Like all sequential ratings it hangs on the order of
the debates; a comparison is as in ratings.py.  Left out: teams, and games of more than two.
"""

from __future__ import annotations

from math import exp, sqrt

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.ranking import check_comparisons
from analysis.statistics.ratings import (
    DEVIATION,
    DRIFT,
    MEAN,
    PERFORMANCE,
    Game,
    mean_over_orders,
)

LEAST_SHRINK = 0.0001


def plackett_luce(
    first: Codes,
    second: Codes,
    score: Array,
    agents: int,
    *,
    shuffles: int = 0,
    seed: int = 0,
) -> Array:
    """Return (A, 2), the mean and deviation of each rating after the comparisons.

    Everybody begins at 25 with deviation 25/3; performances scatter by 25/6, and skills drift by
    25/300 a game.  `shuffles` as in `elo`.  Raises ValueError for arrays that do not fit together.
    """

    def play(games: list[Game]) -> list[tuple[float, float]]:
        mean = [MEAN] * agents
        variance = [DEVIATION**2] * agents
        for one, two, points in games:
            own, other = (variance[player] + DRIFT**2 for player in (one, two))
            whole = sqrt(own + other + 2 * PERFORMANCE**2)
            lead = (mean[one] - mean[two]) / whole
            # Whichever is larger, the exponential stays finite.
            chance = 1 / (1 + exp(-lead)) if lead > 0 else exp(lead) / (1 + exp(lead))
            surprise = points - chance
            mean[one] += own / whole * surprise
            mean[two] -= other / whole * surprise
            for player, spread in ((one, own), (two, other)):
                shrink = (spread / whole**2) ** 1.5 * chance * (1 - chance)
                variance[player] = spread * max(1 - shrink, LEAST_SHRINK)
        return [(each, sqrt(spread)) for each, spread in zip(mean, variance, strict=True)]

    check_comparisons(first, second, score, agents)
    return mean_over_orders(play, first, second, score, shuffles, seed)
