"""Compute how far a wrong start and a block of LeaP move simulated solvers (solver.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from agents.simulated.replies import statements_in
from agents.simulated.solver import chances, solver_profile
from agents.simulated.truth import parse_questions
from arena.types import Subject


def expected_trapped(profile: str, traps: Sequence[Subject]) -> float:
    """Return the exact accuracy of a path that begins with the passage of each question, alone.

    The answer that the passage states last moves it as a peer's does; it must state one.
    """
    solver = solver_profile(profile)
    total = []
    for trap, question in zip(traps, parse_questions(traps), strict=True):
        *_, (_, _, told) = statements_in(trap.passage, "")
        total.append(chances(solver, question, {told: 1})[question.right])
    return math.fsum(total) / len(total)


def expected_change(profile: str, questions: Sequence[Subject]) -> float:
    """Return the chance that a path's answer changes when it hears one peer of its own kind.

    Both answer by draws of their own (shared=0), the path by the same one before and after.
    """
    solver = solver_profile(profile)
    total = []
    for question in parse_questions(questions):
        own = chances(solver, question)
        total.append(
            math.fsum(
                share * (1 - overlap(own, chances(solver, question, {said: 1})))
                for said, share in own.items()
            )
        )
    return math.fsum(total) / len(total)


def overlap(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Return the share of draws in [0, 1) for which both give the same answer.

    The answers stand in one order in both, each with a stretch of its chance.
    """
    same = begin = other_begin = 0.0
    for answer, share in one.items():
        end, other_end = begin + share, other_begin + two[answer]
        same += max(0.0, min(end, other_end) - max(begin, other_begin))
        begin, other_begin = end, other_end
    return same
