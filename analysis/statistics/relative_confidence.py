"""Make ranks of all answers of a study from comparisons of pairs: how sure, relative to others.

"Language Models Prefer What They Know", arXiv 2502.01126: Elo, TrueSkill and Bradley and Terry,
with the paper's settings.  Elo begins at 1000; its table has "K 400", which may be the step or the
scale of ratings, so that both are parameters, 400 each.  TrueSkill has mean 25, deviation mean / 3,
beta mean / 6, tau mean / 300.  Bradley and Terry's strengths maximise

    sum of log(1 / (1 + exp(s_loser - s_winner))) - ridge * sum of s^2        ridge 0.01

Whether the paper's lambda multiplies the squares or half of them is not known; it is the squares
here, as in choix.  A tie is half a win for both.  Elo and TrueSkill hang on the order of the
comparisons, so that means over shuffles are taken.  All are ranks: `unit_range` puts them into
[0, 1] for those who need that, and makes them no probability.

A comparison is (first, second, score): codes of two answers, 0 to answers - 1, and 1 if the first
won, 0 if the second did, a number between for ties; all (N,).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.ranking import check_comparisons
from analysis.statistics.ratings import elo, trueskill

Method = Literal["win_share", "elo", "trueskill", "bradley_terry"]
METHODS: tuple[Method, ...] = ("win_share", "elo", "trueskill", "bradley_terry")
ELO_STEP = 400.0
RIDGE = 0.01
SHUFFLES = 20
MAX_STEPS = 100
LONGEST_STEP = 2.0


def relative_ranks(
    first: Codes,
    second: Codes,
    score: Array,
    answers: int,
    *,
    method: Method = "bradley_terry",
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Array:
    """Return (answers,) the rank of each answer, the higher the surer; nan for one not compared."""
    check_comparisons(first, second, score, answers)
    played = np.bincount(first, minlength=answers) + np.bincount(second, minlength=answers)
    match method:
        case "win_share":
            points = np.bincount(first, score, answers) + np.bincount(second, 1 - score, answers)
            rank = points / np.maximum(played, 1)
        case "elo":
            rank = elo(first, second, score, answers, shuffles=shuffles, seed=seed, step=ELO_STEP)
        case "trueskill":
            # The score of two orders that disagree is a tie.
            rated = trueskill(first, second, score, answers, shuffles=shuffles, seed=seed)
            rank = rated[:, 0]
        case _:
            rank = bradley_terry(first, second, score, answers)
    result: Array = np.where(played > 0, rank, np.nan)
    return result


def bradley_terry(
    first: Codes, second: Codes, score: Array, answers: int, *, ridge: float = RIDGE
) -> Array:
    """Return (answers,) strengths in logits, with a ridge of this weight on their squares.

    Raises ValueError for a ridge that is not above 0: who won everything has no finite strength.
    """
    if not ridge > 0:
        raise ValueError(f"a ridge must be above 0, found {ridge}")
    check_comparisons(first, second, score, answers)
    at = np.zeros(answers)
    for _ in range(MAX_STEPS):
        chance = expit(at[first] - at[second])
        missed = score - chance
        gained = np.bincount(first, missed, answers) - np.bincount(second, missed, answers)
        slope = gained - 2 * ridge * at
        bend = chance * (1 - chance)
        # A Laplacian of the graph of comparisons: dense, which suits some thousand answers.
        curvature = np.zeros((answers, answers))
        np.add.at(curvature, (first, second), -bend)
        np.add.at(curvature, (second, first), -bend)
        diagonal = np.bincount(first, bend, answers) + np.bincount(second, bend, answers)
        curvature[np.diag_indices(answers)] += diagonal + 2 * ridge
        step = np.linalg.solve(curvature, slope)
        longest = float(np.abs(step).max())
        at = at + step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
        if longest < 1e-10:
            break
    return at


def unit_range(rank: Array) -> Array:
    """Return ranks between 0 (the lowest) and 1 (the highest); 0.5 where all are equal."""
    low, high = np.nanmin(rank), np.nanmax(rank)
    if high == low:
        return np.where(np.isnan(rank), np.nan, 0.5)
    result: Array = (rank - low) / (high - low)
    return result
