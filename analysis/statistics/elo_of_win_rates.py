"""Fit Elo ratings to win rates of pairs, by least squares.

So "Debating with More Persuasive LLMs Leads to More Truthful Answers" rates debaters (Akbir Khan et
al., arXiv 2402.06782): the order of games means nothing, and each pair counts the same, however
often it played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MEAN = 1500.0
# Points in which a rating of 10 to 1 differs from its opponent's.
SCALE = 400.0
# A win rate of 0 or 1 has no finite rating.
MOST_DIFFERENCE = 2000.0
MOST_STEPS = 20_000


def fit_ratings(names: Sequence[str], rates: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Return ratings around 1500 that minimise the squared error of expected win rates.

    `rates` are the shares in [0, 1] in which the first of a pair beats the second; expected is
    1 / (1 + 10^((b - a) / 400)).  The mean of all ratings is 1500, differences stay below 2000, and
    a name in no pair has the mean.  By gradient descent from equal ratings, to where the largest
    step is below 1e-9, or 20,000 steps.
    """
    place = {name: number for number, name in enumerate(names)}
    left = np.array([place[a] for a, _ in rates], np.int64)
    right = np.array([place[b] for _, b in rates], np.int64)
    rate = np.array(list(rates.values()), np.float64)
    level = np.zeros(len(names))
    most = MOST_DIFFERENCE / (2 * SCALE)
    for _ in range(MOST_STEPS):
        expected = 1 / (1 + 10 ** -(level[left] - level[right]))
        slope = (expected - rate) * expected * (1 - expected)
        step = np.zeros(len(names))
        np.add.at(step, left, slope)
        np.add.at(step, right, -slope)
        level = np.clip(level - 0.5 * step, -most, most)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    level -= level.mean() if level.size else 0.0
    return {name: MEAN + SCALE * float(level[number]) for name, number in place.items()}
