"""Replies that are refined by feedback, of their own author or of a critic."""

from __future__ import annotations

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_after_feedback, expected_alone
from arena.types import Agent, Request
from protocols import laws
from protocols.critique_and_revision import critique_and_revision
from protocols.self_refine import self_refine
from tests.in_memory import final_of, others_of, rows_of_play
from tests.played_accuracy import accuracy_of, answers_of
from tests.question_agents import QUESTION, Script, box


def writer(seen: list[Request], *verdicts: str) -> Script:
    """Who answers 2, 3, 4 in turn, with these verdicts on each."""

    def script(request: Request) -> str:
        seen.append(request)
        if request.place.seat == "critic":
            return f"Flaw {request.place.step}.\nVerdict: {verdicts[request.place.step]}"
        return box(2 + request.place.step)

    return script


def test_it_ends_when_nothing_is_to_be_improved_and_reads_all_that_came_before() -> None:
    seen: list[Request] = []
    rows = rows_of_play(self_refine, writer(seen, "wrong", "wrong", "right"), {"rounds": 5})
    assert final_of(rows) == ("4", True, None)
    assert [row[1:3] for row in others_of(rows)] == [(0, "2"), (1, "3")]
    assert [request.place.seat for request in seen] == ["solver", "critic"] * 3
    roles = [message.role for message in seen[4].messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    told = "\n".join(message.content for message in seen[4].messages)
    assert told.index("Flaw 0.") < told.index("Flaw 1.")
    # Feedback is of the latest reply alone, in a session of its own.
    assert [message.role for message in seen[3].messages] == ["user"]
    assert box(2) not in seen[3].messages[0].content


def test_rounds_bound_it_and_feedback_without_a_verdict_is_followed() -> None:
    seen: list[Request] = []
    rows = rows_of_play(self_refine, writer(seen, "?", "?"), {"rounds": 1, "reask": False})
    assert (final_of(rows)[0], len(seen)) == ("3", 3)


def test_a_critic_sends_back_what_it_judges_wrong_and_nothing_else() -> None:
    for verdict, answer, calls in (("wrong", "3", 3), ("right", "2", 2), ("?", "2", 2)):
        seen: list[Request] = []
        one = Agent("s", scripted_model(writer(seen, verdict)))
        lineup = {"solver": one, "critic": one}
        [rows] = answers_of(critique_and_revision, lineup, [QUESTION], {"reask": False})
        assert (final_of(rows)[0], len(seen)) == (answer, calls)
        assert "Here is how it is done" in seen[1].messages[0].content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("critic", "stays", "corrects"), [(0.9, 0.8, 0.4), (0.5, 0.6, 0.05), (0.1, 1.0, 0.9)]
)
def test_refining_helps_as_far_as_the_critic_is_right(
    critic: float, stays: float, corrects: float
) -> None:
    """A good critic helps; one at chance harms who takes back more than it corrects."""
    questions = simulated_questions(150)
    author = f"reasoner:shared=0:stays={stays}:corrects={corrects}:critic={critic}"
    planted = expected_after_feedback(author, questions, 2)
    found = accuracy_of(self_refine, agent(f"sim/{author}"), questions, {"rounds": 2})
    assert found == pytest.approx(planted, abs=4 * 0.5 / 150**0.5)
    assert (planted > expected_alone(author, questions)) == (critic != 0.5)
    # Another critic, who is always right.
    sure = "reasoner:critic=1:seed=3"
    lineup = {"solver": agent(f"sim/{author}"), "critic": agent(f"sim/{sure}")}
    revised = accuracy_of(critique_and_revision, lineup, questions, {})
    planted = expected_after_feedback(author, questions, 1, sure)
    assert revised == pytest.approx(planted, abs=4 * 0.5 / 150**0.5)
    assert planted > expected_alone(author, questions)


def test_refining_and_revising_obey_the_laws() -> None:
    def by_seed(request: Request) -> str:
        verdict = "right" if request.seed % 2 else "wrong"
        return f"{request.seed}\nVerdict: {verdict}\n{box(request.seed % 3)}"

    one = Agent("s", scripted_model(by_seed))
    laws.check(self_refine, {"solver": one}, QUESTION, options={"rounds": 2})
    laws.check(critique_and_revision, {"solver": one, "critic": one}, QUESTION)
