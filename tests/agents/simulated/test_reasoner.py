"""Simulated reasoners do what their parameters say (their methods' tests play the gains)."""

from __future__ import annotations

import pytest

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner import SHOWN_EXAMPLE, rightness, simulated_reasoner
from agents.simulated.reasoner_truth import expected_after_demonstrations, expected_alone
from agents.simulated.truth import expected_accuracy
from arena.errors import StudyError

QUESTIONS = simulated_questions(20)
EXAMPLE = (
    "Question: Simulated question 7. Difficulty 0.1. Which? [right answer {right}]\n"
    "Answer: \\boxed{{4}}\n"
)


def test_a_reference_names_a_reasoner_with_a_solvers_parameters_and_its_own() -> None:
    assert agent("sim/reasoner:ability=1:teaches=0.5").model.name == (
        "sim/reasoner:ability=1.0:teaches=0.5"
    )
    with pytest.raises(StudyError, match="has no parameter 'wisdom'"):
        simulated_reasoner("reasoner:wisdom=1")


def test_without_help_a_reasoner_is_a_solver() -> None:
    assert expected_alone("reasoner:ability=1", QUESTIONS) == pytest.approx(
        expected_accuracy("solver:ability=1", QUESTIONS)
    )


def test_demonstrations_count_by_whether_they_are_right() -> None:
    right, wrong = EXAMPLE.format(right=4), EXAMPLE.format(right=5)
    assert rightness(right + right + wrong) == pytest.approx(1 / 3)
    assert rightness("none") == 0
    assert SHOWN_EXAMPLE.sub("", f"{right}\nThe question.") == "\nThe question."
    # As many right as wrong ones are worth nothing, on average about nothing too.
    planted = [expected_after_demonstrations("reasoner", QUESTIONS, 4, p) for p in (0, 0.5, 1)]
    assert planted[0] < planted[1] < planted[2]
