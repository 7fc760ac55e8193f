"""How often answers are right: accuracy, paired differences between arms, and what many paths of one question are worth.

Accuracy is given both ways, unreadable answers counted as not right and left out.  Questions are the unit: repeats and paths of a question
stay together when rows are resampled (bootstrap.py), and two arms are compared on the questions that both have played.  Pass@1, Cons@n:
Luo et al., Learning from Peers (arXiv 2505.07787), the vote of Wang et al. (arXiv 2203.11171).  The exact test is McNemar's (1947), mid-p
as in Fagerland, Lydersen and Laake (2013).  Left out: pass@k for k between 1 and n, and votes weighted by confidence.

Of plays, (N,): `correct` is 1 right, 0 wrong, nan unreadable; `question` are codes from 0.
Of paths, (P,), those of a play in their order: `correct` as above, `vote` codes of the answers' values, -1 without one, `play` codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.bootstrap import Interval, percentiles, ratio_draws, ratio_intervals
from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often N plays of `questions` questions ended right; `all` counts unreadable answers as not right, `readable` leaves them out."""

    questions: int
    plays: int
    correct: int
    unreadable: int
    all: Interval
    readable: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one arm is more often right than another on their common questions, unreadable answers counted as not right.

    `better` and `worse` count questions with a higher and a lower share right; `p` is exact and two-sided, `p_mid` its mid-p form, both nan
    where the arms did not play each question equally often.  `readable` is the difference with unreadable answers left out of each arm.
    """

    questions: int
    all: Interval
    readable: Interval
    better: int
    worse: int
    p: float
    p_mid: float


@dataclass(frozen=True, slots=True)
class PathScores:
    """What the paths of each of N plays gave; all (N,), nan for plays without paths.

    `n` paths and `unreadable` ones among them; `share` right, unreadable ones not (Pass@1 of one play), `share_readable` right among
    readable ones; `majority` whether the value with most votes is right (Cons@n), nan also where no path has a value; `any` is right.
    """

    n: Codes
    unreadable: Codes
    share: Array
    share_readable: Array
    majority: Array
    any: Array


def accuracy(
    correct: Array, question: Codes, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Accuracy:
    """The share of right plays, both ways, with percentile intervals over questions; nan without plays, no interval with one question."""
    check_answers(correct, question)
    top, bottom = count_by_question(correct, question)
    played = bottom[:, 0] > 0
    strict, readable = ratio_intervals(
        top[played], bottom[played], resamples=resamples, level=level, seed=seed
    )
    unreadable = int(np.isnan(correct).sum())
    return Accuracy(
        int(played.sum()), correct.size, int((correct == 1).sum()), unreadable, strict, readable
    )


def count_by_question(correct: Array, question: Codes, size: int = 0) -> tuple[Array, Array]:
    """(right plays, plays) by question, (Q, 2) each: of all plays, and of the readable ones."""
    size = max(size, int(question.max()) + 1 if question.size else 0)
    right, wrong = (
        np.bincount(question[correct == value], minlength=size).astype(np.float64)
        for value in (1, 0)
    )
    every = np.bincount(question, minlength=size).astype(np.float64)
    return np.stack((right, right), axis=1), np.stack((every, right + wrong), axis=1)


def mean_over_plays(
    values: Array, question: Codes, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """The means of K columns of numbers of plays (N, K), nan left out, each with its percentile interval over questions."""
    there = ~np.isnan(values)
    kept, code = np.unique(question, return_inverse=True)
    sums = [
        np.bincount(code, np.where(there[:, k], values[:, k], 0), kept.size)
        for k in range(values.shape[1])
    ]
    counts = [np.bincount(code, there[:, k], kept.size) for k in range(values.shape[1])]
    shape = (values.shape[1], kept.size)
    return ratio_intervals(
        np.reshape(sums, shape).T,
        np.reshape(counts, shape).T,
        resamples=resamples,
        level=level,
        seed=seed,
    )


def paired_difference(
    correct: Array,
    question: Codes,
    other_correct: Array,
    other_question: Codes,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """By how much the first plays are more often right than the others, over the questions that both have.

    Both arms are resampled with the same questions, so that what makes a question hard for both cancels out of the interval.  The test asks
    of how many questions which arm has the larger share right, and tests these counts against a half: with one play per question and arm
    that is McNemar's exact test.
    """
    check_answers(correct, question)
    check_answers(other_correct, other_question)
    size = max(
        (int(codes.max()) + 1 for codes in (question, other_question) if codes.size), default=0
    )
    top, bottom = count_by_question(correct, question, size)
    other_top, other_bottom = count_by_question(other_correct, other_question, size)
    common = (bottom[:, 0] > 0) & (other_bottom[:, 0] > 0)
    tops, bottoms = np.hstack((top, other_top))[common], np.hstack((bottom, other_bottom))[common]
    draws = ratio_draws(tops, bottoms, resamples=resamples, seed=seed)
    low, high = percentiles(draws[:, :2] - draws[:, 2:], level=level)
    shares = np.array(
        [
            part / whole if whole else nan
            for part, whole in zip(tops.sum(axis=0), bottoms.sum(axis=0), strict=True)
        ]
    )
    strict, readable = (
        Interval(float(shares[k] - shares[k + 2]), float(low[k]), float(high[k])) for k in (0, 1)
    )
    balance = np.sign(tops[:, 0] * bottoms[:, 2] - tops[:, 2] * bottoms[:, 0])
    better, worse = int((balance > 0).sum()), int((balance < 0).sum())
    equally_often = bool((bottoms[:, 0] == bottoms[:, 2]).all()) and common.any()
    p, p_mid = mcnemar(better, worse) if equally_often else (nan, nan)
    return Difference(int(common.sum()), strict, readable, better, worse, p, p_mid)


def mcnemar(better: int, worse: int) -> tuple[float, float]:
    """(exact, mid-p) two-sided p of two discordant counts under Binomial(better + worse, 1/2); (1, 1) where nothing differs.

    The mid-p takes half the chance of what was seen: exact minus that chance.  With equal counts the exact p is cut to 1, and the mid-p is
    1 minus half the chance of the middle.
    """
    if min(better, worse) < 0:
        raise ValueError(f"counts must be at least 0, found {better} and {worse}")
    n, fewer = better + worse, min(better, worse)
    if n == 0:
        return 1.0, 1.0
    from scipy.special import bdtr  # scipy.stats would take half a second to import

    tail = float(bdtr(fewer, n, 0.5))
    seen = tail - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    return min(1.0, 2 * tail), min(1.0, 2 * tail - seen if better != worse else 1 - seen / 2)


def path_scores(correct: Array, vote: Codes, play: Codes, plays: int) -> PathScores:
    """What the paths of each play gave; `plays` is how many there are.  The majority goes to the value with most votes, ties to the first.

    A path without a value casts no vote.  The vote's correctness is that of the first path with its value, unreadable counted as not right.
    """
    if not correct.shape == vote.shape == play.shape:
        raise ValueError(
            f"correct, vote and play must have one shape, found {correct.shape}, {vote.shape} and {play.shape}"
        )
    right, unreadable = correct == 1, np.isnan(correct)
    n, hits, lost = (
        np.bincount(play[chosen], minlength=plays)
        for chosen in (np.ones(play.size, dtype=bool), right, unreadable)
    )
    first = majority_path(vote, play, plays)
    majority = np.where(first >= 0, right[first] if right.size else False, nan).astype(np.float64)
    empty, readable = n == 0, n - lost
    share = np.divide(hits, n, out=np.full(plays, nan), where=~empty)
    of_readable = np.divide(hits, readable, out=np.full(plays, nan), where=readable > 0)
    return PathScores(n, lost, share, of_readable, majority, np.where(empty, nan, hits > 0))


def majority_path(vote: Codes, play: Codes, plays: int) -> Codes:
    """(plays,) the first path that gave the value with most votes in its play, ties to the value that came first; -1 without votes."""
    cast = np.flatnonzero(vote >= 0)
    winner = np.full(plays, -1, dtype=np.int64)
    if not cast.size:
        return winner
    key = play[cast] * (int(vote.max()) + 1) + vote[cast]
    _, earliest, votes = np.unique(key, return_index=True, return_counts=True)
    path = cast[earliest]
    # The last to be written wins: most votes last, among these the earliest path last.
    order = np.lexsort((-path, votes))
    winner[play[path[order]]] = path[order]
    return winner


def check_answers(correct: Array, question: Codes) -> None:
    """Raise ValueError unless both are (N,), correctness is 0, 1 or nan, and codes are not negative."""
    if correct.shape != question.shape or correct.ndim != 1:
        raise ValueError(
            f"correct and question must be (N,), found {correct.shape} and {question.shape}"
        )
    if not (np.isin(correct, (0, 1)) | np.isnan(correct)).all():
        raise ValueError("correct must be 1 right, 0 wrong, or nan where unreadable")
    if question.size and question.min() < 0:
        raise ValueError("codes of questions must be at least 0")
