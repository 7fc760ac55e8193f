"""Estimate how often answers are right, arm by arm and path by path.

Accuracy is given both ways: with unreadable answers counted as not right, and with them left out.
Questions are the unit: repeats and paths of a question count as the independent answers that they
are worth, and shares have Wilson's interval, their differences Newcombe's (shares.py).  Two arms
are compared on the questions that both have played.  Pass@1 and Cons@n
are those of Luo et al., Learning from Peers (arXiv 2505.07787), with the vote of Wang et al. (arXiv
2203.11171).  The exact test is McNemar's (1947), mid-p as in Fagerland, Lydersen and Laake (2013).
Left out: pass@k for k between 1 and n, and votes weighted by confidence.

Plays, (N,): `correct` is 1 right, 0 wrong, nan unreadable; `question` are codes from 0.
Paths, (P,), those of a play in their order: `correct` as above, `vote` codes of the answers'
values, -1 without one, `play` codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.bootstrap import Interval, ratio_intervals
from analysis.statistics.clustered import Array, Codes, divide, sums_by_code
from analysis.statistics.shares import difference_intervals, share_intervals


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of plays that ended right, in [0, 1], over `plays` plays of `questions` questions.

    `all` counts unreadable answers as not right, `readable` leaves them out.
    """

    questions: int
    plays: int
    correct: int
    unreadable: int
    all: Interval
    readable: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two arms' shares right on their common questions, in [-1, 1].

    `all` counts unreadable answers as not right, `readable` leaves them out of each arm.  `better`
    and `worse` count questions with a higher and a lower share right; `p` is exact and two-sided,
    `p_mid` its mid-p form, both nan if the arms did not play each question equally often.
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
    """How well the paths of each of N plays did; all (N,), nan for plays without paths.

    `n` paths and `unreadable` ones among them; `share` is right, unreadable ones counted as not
    right (Pass@1 of one play); `share_readable` is right among readable ones; `majority` is 1 if
    the value with most votes is right (Cons@n), nan also if no path has a value; `any` is 1 if some
    path is right.
    """

    n: Codes
    unreadable: Codes
    share: Array
    share_readable: Array
    majority: Array
    any: Array


def accuracy(correct: Array, question: Codes) -> Accuracy:
    """Estimate the share of right plays, both ways, with Wilson's intervals over questions.

    The shares are nan without plays.
    """
    check_answers(correct, question)
    top, bottom = count_by_question(correct, question)
    played = bottom[:, 0] > 0
    strict, readable = share_intervals(top[played], bottom[played])
    unreadable = int(np.isnan(correct).sum())
    return Accuracy(
        int(played.sum()), correct.size, int((correct == 1).sum()), unreadable, strict, readable
    )


def count_by_question(correct: Array, question: Codes, size: int = 0) -> tuple[Array, Array]:
    """Return (right plays, plays) by question, (Q, 2) each: of all plays, of the readable ones."""
    size = max(size, int(question.max()) + 1 if question.size else 0)
    right, wrong = (
        np.bincount(question[correct == value], minlength=size).astype(np.float64)
        for value in (1, 0)
    )
    every = np.bincount(question, minlength=size).astype(np.float64)
    return np.stack((right, right), axis=1), np.stack((every, right + wrong), axis=1)


def mean_over_plays(values: Array, question: Codes) -> list[Interval]:
    """Estimate the means of K columns of values (N, K), such as tokens, by resampling questions.

    Each has its percentile interval; nan is left out.
    """
    return ratio_intervals(*sums_by_question(values, question))


def shares_over_plays(values: Array, question: Codes, answers: Array) -> list[Interval]:
    """Estimate the means of K columns of shares (N, K), each with Wilson's interval over questions.

    `answers` (N,) is how many answers the shares of a play are made of; nan is left out.
    """
    most = np.where(np.isnan(values), 0.0, answers[:, None]).sum(axis=0)
    return share_intervals(*sums_by_question(values, question), most)


def sums_by_question(values: Array, question: Codes) -> tuple[Array, Array]:
    """Return (sums, counts), both (Q, K), of the values (N, K) of each question that was played."""
    # Codes are packed first: a question that was never played is none.
    names, code = np.unique(question, return_inverse=True)
    return sums_by_code(values, code, names.size)


def paired_difference(
    correct: Array,
    question: Codes,
    other_correct: Array,
    other_question: Codes,
) -> Difference:
    """Estimate by how much the first plays are more often right, over questions that both have.

    The interval knows how far both arms agree on questions, so that the difficulty that a question
    has for both cancels out.  The test counts the questions on which either arm has the
    larger share right, and tests these counts against a half: with one play per question and arm
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
    tops = np.hstack((top, other_top))[common]
    bottoms = np.hstack((bottom, other_bottom))[common]
    strict, readable = difference_intervals(
        tops[:, :2], bottoms[:, :2], tops[:, 2:], bottoms[:, 2:]
    )
    # The sign of a/b - c/d without division: shares compare exactly, by whole numbers.
    balance = np.sign(tops[:, 0] * bottoms[:, 2] - tops[:, 2] * bottoms[:, 0])
    better = int((balance > 0).sum())
    worse = int((balance < 0).sum())
    equally_often = bool((bottoms[:, 0] == bottoms[:, 2]).all()) and common.any()
    p, p_mid = mcnemar(better, worse) if equally_often else (nan, nan)
    return Difference(int(common.sum()), strict, readable, better, worse, p, p_mid)


def mcnemar(better: int, worse: int) -> tuple[float, float]:
    """Return (exact, mid-p) two-sided p of two discordant counts; (1, 1) if both are 0.

    The counts are tested under Binomial(better + worse, 1/2).  The mid-p takes half the chance of
    the observed counts: exact minus that chance.  With equal counts the exact p is cut to 1, and
    the mid-p is 1 minus half the chance of the middle.  Raises ValueError for negative counts.
    """
    if min(better, worse) < 0:
        raise ValueError(f"counts must be at least 0, found {better} and {worse}")
    n = better + worse
    fewer = min(better, worse)
    if n == 0:
        return 1.0, 1.0
    from scipy.special import bdtr  # scipy.stats would take half a second to import

    tail = float(bdtr(fewer, n, 0.5))
    observed = tail - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    return min(1.0, 2 * tail), min(
        1.0, 2 * tail - observed if better != worse else 1 - observed / 2
    )


def path_scores(correct: Array, vote: Codes, play: Codes, plays: int) -> PathScores:
    """Score the paths of each play, of which there are `plays`.

    The majority goes to the value with most votes, ties to the value that came first.  A path
    without a value casts no vote.  The vote is as right as the first path with its value,
    unreadable counted as not right.  Raises ValueError for arrays of different shapes.
    """
    if not correct.shape == vote.shape == play.shape:
        raise ValueError(
            "correct, vote and play must have one shape,"
            f" found {correct.shape}, {vote.shape} and {play.shape}"
        )
    right = correct == 1
    n, hits, unreadable = (
        np.bincount(play[chosen], minlength=plays)
        for chosen in (np.ones(play.size, dtype=bool), right, np.isnan(correct))
    )
    first = majority_path(vote, play, plays)
    majority = np.where(first >= 0, right[first] if right.size else False, nan).astype(np.float64)
    share = divide(hits, n)
    of_readable = divide(hits, n - unreadable)
    any_right = np.where(n == 0, nan, hits > 0)
    return PathScores(n, unreadable, share, of_readable, majority, any_right)


def majority_path(vote: Codes, play: Codes, plays: int) -> Codes:
    """Return (plays,) the first path that gave the value with most votes in its play.

    Ties go to the value that came first; -1 without votes.
    """
    cast = np.flatnonzero(vote >= 0)
    winner = np.full(plays, -1, dtype=np.int64)
    if not cast.size:
        return winner
    # One number for each pair of play and value.
    key = play[cast] * (int(vote.max()) + 1) + vote[cast]
    _, earliest, votes = np.unique(key, return_index=True, return_counts=True)
    path = cast[earliest]
    # The last to be written wins: most votes last, among these the earliest path last.
    order = np.lexsort((-path, votes))
    winner[play[path[order]]] = path[order]
    return winner


def check_answers(correct: Array, question: Codes) -> None:
    """Raise ValueError unless both are (N,), correctness is 0, 1 or nan, and codes are from 0."""
    if correct.shape != question.shape or correct.ndim != 1:
        raise ValueError(
            f"correct and question must be (N,), found {correct.shape} and {question.shape}"
        )
    if not (np.isin(correct, (0, 1)) | np.isnan(correct)).all():
        raise ValueError("correct must be 1 right, 0 wrong, or nan where unreadable")
    if question.size and question.min() < 0:
        raise ValueError("codes of questions must be at least 0")
