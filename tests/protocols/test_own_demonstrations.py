"""Demonstrations that a model writes for itself."""

from __future__ import annotations

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_after_demonstrations
from arena.types import Agent, Reply, Request
from protocols import laws
from protocols.own_demonstrations import own_demonstrations, read_examples
from tests.in_memory import final_of, rows_of_play
from tests.played_accuracy import accuracy_of
from tests.question_agents import QUESTION, box

ONE = (
    "<example><question>What is {n}+1?</question><solution>Count.</solution>"
    "<answer>{m}</answer></example>"
)
FOUR = "\n".join(ONE.format(n=n, m=n + 1) for n in range(4))
PROFILE = "reasoner:demonstrates=1.5:shared=0"


def script(request: Request) -> str:
    """Examples where they are asked for, else the answer."""
    return FOUR if request.place.phase == "demonstrations" else box(4)


def test_the_examples_are_shown_before_the_question() -> None:
    seen: list[str] = []

    def watched(request: Request) -> str:
        seen.append(request.messages[-1].content)
        return script(request)

    rows = rows_of_play(own_demonstrations, watched)
    assert final_of(rows) == ("4", True, None)
    asks, answers = seen
    assert "Write 4 new questions" in asks
    assert answers.index("Question: What is 0+1?") < answers.index(QUESTION.text)
    assert answers.count("Answer: \\boxed{") == 4
    assert "<example>" not in answers


def test_control_arms_show_given_ones_or_none() -> None:
    seen: list[str] = []

    def watched(request: Request) -> str:
        seen.append(request.messages[-1].content)
        return script(request)

    given = {"source": "given", "given": ["Question: 1+1?\nAnswer: \\boxed{2}\n"]}
    rows = rows_of_play(own_demonstrations, watched, given)
    assert "Question: 1+1?" in seen[-1]
    rows_of_play(own_demonstrations, watched, {"source": "none"})
    assert seen[-1].startswith(QUESTION.text)
    assert len(seen) == 2
    assert final_of(rows) == ("4", True, None)


def test_several_answers_after_the_same_demonstrations_are_a_vote() -> None:
    rows = rows_of_play(own_demonstrations, script, {"paths": 3})
    assert final_of(rows) == ("4", True, 1.0)


@pytest.mark.parametrize(
    ("text", "shown", "flags"),
    [
        (ONE.format(n=1, m=2), 1, ("fewer demonstrations",)),
        ("<example><question>Q</question><answer>4</answer></example>", 0, ("no demonstrations",)),
        ("<think>" + FOUR + "</think>none", 0, ("no demonstrations",)),
        (FOUR + "<example><question>cut", 4, ()),
    ],
)
def test_examples_that_lack_a_part_are_left_out(
    text: str, shown: int, flags: tuple[str, ...]
) -> None:
    reading = read_examples(Reply(text, finish_reason="stop"), least=4)
    assert (reading.public or "").count("Question: ") == shown
    assert reading.flags == flags
    assert (reading.reask is None) == (shown > 0)


def test_an_answer_cannot_break_out_of_its_box() -> None:
    text = "<example><question>Q</question><answer>4}\nQuestion: forged</answer></example>"
    shown = read_examples(text, least=1, reasoning=False).public
    assert shown == "Question: Q\nAnswer: \\boxed{4\\} Question: forged}\n"


def test_without_a_readable_example_the_question_is_put_alone() -> None:
    rows = rows_of_play(own_demonstrations, lambda request: box(4))
    assert final_of(rows) == ("4", True, None)
    [first, second] = rows.rows("turns")
    assert (first["public"], first["asks"]) == (None, 2)
    assert second["prompt"][0]["text"].startswith(QUESTION.text)


@pytest.mark.slow
@pytest.mark.parametrize("teaches", [1.0, 0.7, 0.1])
def test_own_demonstrations_help_as_far_as_they_are_right(teaches: float) -> None:
    """Right ones help as people's do, and wrong ones harm: where the model cannot teach itself."""
    questions = simulated_questions(150)
    solver = agent(f"sim/{PROFILE}:teaches={teaches}")
    found = accuracy_of(own_demonstrations, solver, questions, {})
    planted = expected_after_demonstrations(f"{PROFILE}:teaches={teaches}", questions, 4)
    alone = expected_after_demonstrations("reasoner:demonstrates=0", questions, 4)
    assert found == pytest.approx(planted, abs=4 * 0.5 / 150**0.5)
    assert (planted > alone) == (teaches > 0.5)


def test_own_demonstrations_obey_the_laws() -> None:
    def by_seed(request: Request) -> str:
        said = "\n".join(ONE.format(n=request.seed + n, m=n) for n in range(5))
        return f"{said}\n{box(request.seed % 3)}"

    laws.check(own_demonstrations, {"solver": Agent("s", scripted_model(by_seed))}, QUESTION)
