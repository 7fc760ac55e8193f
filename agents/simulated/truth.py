"""Compute the figures that simulated solvers (solver.py) must come to, from their parameters.

They are the truth that a play should find.  A profile is the text of a reference without its
"sim/", such as "solver:ability=1".  Values are means over the questions and over all possible
draws, of first replies (without a re-ask).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.simulated.assessing import preference
from agents.simulated.debater import mean_rating
from agents.simulated.questions import SimulatedQuestion, question_in
from agents.simulated.solver import SolverProfile, chances, solver_profile
from arena.errors import StudyError
from arena.types import Subject


def expected_accuracy(profile: str, questions: Sequence[Subject]) -> float:
    """Return the exact accuracy of one sample, in [0, 1]; an unreadable reply is not right."""
    solver = solver_profile(profile)
    total = math.fsum(right for right, _ in chances_and_levels(solver, questions))
    return total / len(questions) * (1 - solver.unreadable)


def expected_majority(profile: str, questions: Sequence[Subject], n: int) -> float:
    """Return the exact accuracy of the most frequent answer of `n` (1 to 100) samples, in [0, 1].

    Equally frequent answers are equally likely to be taken, which also holds if the first of them
    is.  Unreadable replies cast no vote; a question without any vote is not right.  Raises
    StudyError for any other `n`.
    """
    if not 1 <= n <= 100:
        raise StudyError(f"the majority of {n} samples was asked for; n lies between 1 and 100")
    solver = solver_profile(profile)
    rows = [list(chances(solver, question).values()) for question in parse_questions(questions)]
    own = np.array(rows)
    answers = own.shape[1]
    # [shared answer, question, answer]: the chances of a sample, conditional on the answer that the
    # shared draw brings.  Under this condition samples are independent.
    conditional = solver.shared * np.eye(answers)[:, None, :] + (1 - solver.shared) * own
    flat = conditional.reshape(-1, answers)
    # The number of readable votes is binomial.
    voting = [
        (math.comb(n, m) * (1 - solver.unreadable) ** m * solver.unreadable ** (n - m), m)
        for m in range(1, n + 1)
    ]
    wins = sum(
        (share * win_probability(flat, m) for share, m in voting if share > 0), np.zeros(len(flat))
    )
    # A mean over the shared answers, weighted by their own chances, and over the questions.
    return float(np.mean(np.sum(own.T * wins.reshape(answers, len(own)), axis=0)))


def expected_stated(profile: str, questions: Sequence[Subject]) -> float:
    """Return the exact mean of the confidences in [0, 1] that a solver states for its own answers.

    Clipping and rounding are included.
    """
    solver = solver_profile(profile)
    means = (
        share * mean_rating(level, solver.noise)
        for _, levels in chances_and_levels(solver, questions)
        for share, level in levels
    )
    return math.fsum(means) / len(questions)


def expected_self_preference(
    profile: str, other: str, panel: Sequence[str], questions: Sequence[Subject]
) -> float:
    """Return the exact DBG score of a solver against another, in [-1, 1], by choices.

    The rate of its wins by itself, minus that by the majority of the panel's votes, two a judge.
    The answers of both are taken as independent, as those of solvers of different seeds are, and as
    readable.
    """
    one, two = solver_profile(profile), solver_profile(other)
    judges = [solver_profile(each) for each in panel]
    total = 0.0
    for question in parse_questions(questions):
        for first, chance in chances(one, question).items():
            for second, other_chance in chances(two, question).items():
                shown = (first, one.steps), (second, two.steps)
                votes = [vote for judge in judges for vote in both_votes(judge, question, shown)]
                # A place that is read first moves no mean of both orders over a half.
                [own, _] = both_votes(replace(one, first=0.0), question, shown)
                total += chance * other_chance * (own - (1 + np.sign(np.mean(votes) - 0.5)) / 2)
    return total / len(questions)


def both_votes(
    judge: SolverProfile, question: SimulatedQuestion, shown: Sequence[tuple[str, int]]
) -> list[float]:
    """Return 1, 0.5 or 0: a judge's vote for the first of two replies, read first and second.

    A reply is its answer and its number of steps.
    """
    chance = chances(judge, question)
    own = [steps == judge.steps for _, steps in shown]
    pair = [chance.get(answer, 0.0) for answer, _ in shown]
    places = (judge.first, -judge.first)
    levels = [preference(pair, own, judge.love, place) for place in places]
    # Of a tie a half, whatever rounding left of it.
    return [(1 + np.sign(round(level - 0.5, 9))) / 2 for level in levels]


def parse_questions(questions: Sequence[Subject]) -> list[SimulatedQuestion]:
    """Return the statements of simulated questions.

    Raises StudyError if there are none, or one is not simulated.
    """
    candidates = [question_in(subject.text) for subject in questions]
    parsed = [question for question in candidates if question is not None]
    if not parsed or len(parsed) < len(questions):
        raise StudyError(
            f"{len(questions) - len(parsed)} of {len(questions)} questions are not simulated:"
            " nothing can be expected of them"
        )
    return parsed


# The chance of a right answer, and (chance, mean confidence) of right and of wrong answers.
Levels = tuple[float, tuple[tuple[float, float], tuple[float, float]]]


def chances_and_levels(solver: SolverProfile, questions: Sequence[Subject]) -> list[Levels]:
    """Return the chances and levels of each question; a level is a mean before clipping."""
    rows: list[Levels] = []
    for question in parse_questions(questions):
        right = chances(solver, question)[question.right]
        level = right + solver.bias - solver.discrimination * right
        rows.append((right, ((right, level + solver.discrimination), (1 - right, level))))
    return rows


def win_probability(chance: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the probability [rows] that the first answer has the most of `n` votes.

    `chance` [rows, answers] holds the chances of each answer; ties are divided evenly.
    """
    rows, answers = chance.shape
    total = np.zeros(rows)
    for votes in range(1, n + 1):
        left = n - votes
        # [rows, votes for others, others with as many as the first]: sums of the products of
        # chance ** votes / votes! over the others, added up one answer at a time.
        ways = np.zeros((rows, left + 1, answers))
        ways[:, 0, 0] = 1
        for other in range(1, answers):
            longer = np.zeros_like(ways)
            for more in range(min(votes, left) + 1):
                tied = int(more == votes)
                term = (chance[:, other] ** more / math.factorial(more))[:, None, None]
                longer[:, more:, tied:] += term * ways[:, : left + 1 - more, : answers - tied]
            ways = longer
        share = ways[:, left, :] @ (1 / np.arange(1, answers + 1))
        total += math.factorial(n) * chance[:, 0] ** votes / math.factorial(votes) * share
    return total
