"""What simulated solvers (simulated_solver.py) must come to, computed from their parameters: the truth that a play should find.

A profile is the text of a reference without its "sim/", such as "solver:ability=1"; values are means over the questions, over all draws that
could have been made, of first replies (without a re-ask).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.simulated.debater import normal_cdf
from agents.simulated.questions import SimulatedQuestion, question_in
from agents.simulated.solver import SolverProfile, chances, solver_profile
from arena.errors import StudyError
from arena.types import Subject


def expected_accuracy(profile: str, questions: Sequence[Subject]) -> float:
    """The exact share of right answers of one sample, in [0, 1]; an unreadable reply is not right."""
    known = solver_profile(profile)
    return (
        math.fsum(right for right, _ in chances_and_levels(known, questions))
        / len(questions)
        * (1 - known.unreadable)
    )


def expected_majority(profile: str, questions: Sequence[Subject], n: int) -> float:
    """The exact share of questions on which the most frequent of `n` (1 to 100) samples' answers is right, in [0, 1].

    Of equally frequent answers each counts as likely as the others, which is so too where the first of them is taken.  Unreadable replies
    cast no vote; where there is no vote, nothing is right.
    """
    if not 1 <= n <= 100:
        raise StudyError(f"the majority of {n} samples was asked for; n lies between 1 and 100")
    known = solver_profile(profile)
    own = np.array(
        [list(chances(known, question).values()) for question in parse_questions(questions)]
    )
    answers = own.shape[1]
    # [shared answer, question, answer]: the chances of a sample, given which answer the shared draw would bring.
    given = known.shared * np.eye(answers)[:, None, :] + (1 - known.shared) * own
    flat = given.reshape(-1, answers)
    voting = [
        (math.comb(n, m) * (1 - known.unreadable) ** m * known.unreadable ** (n - m), m)
        for m in range(1, n + 1)
    ]
    wins = sum(
        (share * win_probability(flat, m) for share, m in voting if share > 0), np.zeros(len(flat))
    )
    return float(np.mean(np.sum(own.T * wins.reshape(answers, len(own)), axis=0)))


def expected_stated(profile: str, questions: Sequence[Subject]) -> float:
    """The exact mean of the confidences in [0, 1] that a solver states for answers of its own, clipping and rounding included."""
    known = solver_profile(profile)
    means = (
        share * mean_rating(level, known.noise)
        for _, said in chances_and_levels(known, questions)
        for share, level in said
    )
    return math.fsum(means) / len(questions)


def parse_questions(questions: Sequence[Subject]) -> list[SimulatedQuestion]:
    """What simulated questions say of themselves.  Raises StudyError where there are none, or one is not simulated."""
    found = [
        question for subject in questions if (question := question_in(subject.text)) is not None
    ]
    if not found or len(found) < len(questions):
        raise StudyError(
            f"{len(questions) - len(found)} of {len(questions)} questions are not simulated: nothing can be expected of them"
        )
    return found


def chances_and_levels(
    known: SolverProfile, questions: Sequence[Subject]
) -> list[tuple[float, tuple[tuple[float, float], ...]]]:
    """Of each question the chance to be right, and (chance, mean of the confidence before clipping) of right and of wrong answers."""
    found = []
    for question in parse_questions(questions):
        right = chances(known, question)[question.right]
        level = right + known.bias - known.discrimination * right
        found.append((right, ((right, level + known.discrimination), (1 - right, level))))
    return found


def mean_rating(level: float, noise: float) -> float:
    """The mean of round(100 * clip(level + N(0, noise), 0, 1)) / 100."""
    if noise == 0:
        return math.floor(100 * min(max(level, 0.0), 1.0) + 0.5) / 100
    # The mean of a whole number from 0 to 100 is the sum of its chances to be at least 1, at least 2, ...
    return sum(1 - normal_cdf(((k - 0.5) / 100 - level) / noise) for k in range(1, 101)) / 100


def win_probability(chance: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The probability, for each row of chances [rows, answers], that the first answer has the most of `n` votes; ties are divided evenly."""
    rows, answers = chance.shape
    total = np.zeros(rows)
    for votes in range(1, n + 1):
        left = n - votes
        # [rows, votes given to others, others with as many as the first]: sums of products of chance ** votes / votes!
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
