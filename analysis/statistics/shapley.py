"""Share out among players what they reach together: Shapley values.

Shapley (1953); for parts of prompts arXiv 2404.01332.  Players are turns, arguments or cues, and a
coalition's value is what is measured with these alone: a stated confidence, the probability of a
verdict.  A player's value is the mean of what it adds, over all orders in which they can come:

    phi_i = sum over S without i of |S|! (m - |S| - 1)! / m! (v(S with i) - v(S))

They sum to v(all) - v(none), and a player that never adds anything has 0.  Left out: estimates from
some orders for more players.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from analysis.statistics.clustered import Array

MOST_PLAYERS = 20


def shapley_values(value: Array) -> Array:
    """Return (m,) the Shapley value of each player, exactly.

    `value` (2^m,) is that of each coalition: number k holds player i if bit i of k is set, so that
    0 is nobody, 5 players 0 and 2, and the last everybody.  Raises ValueError for another length, a
    nan, or more than 20 players.
    """
    players = value.size.bit_length() - 1
    if value.ndim != 1 or value.size != 1 << players or players > MOST_PLAYERS:
        raise ValueError(
            f"value must have 2^m entries for m up to {MOST_PLAYERS} players, found the shape"
            f" {value.shape}"
        )
    if np.isnan(value).any():
        raise ValueError("a coalition has no value (nan): all are needed")
    coalition = np.arange(value.size)
    size = np.bitwise_count(coalition)
    weight = np.array(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)]
    )
    result = np.empty(players)
    for player in range(players):
        without = coalition[coalition >> player & 1 == 0]
        gain = value[without | 1 << player] - value[without]
        result[player] = (weight[size[without]] * gain).sum()
    return result
