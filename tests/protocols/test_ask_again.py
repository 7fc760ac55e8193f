"""The same question put again: what the model reads, and what of its answers is kept."""

from __future__ import annotations

import pytest

from agents.scripted import scripted_model
from arena.errors import ProtocolError
from arena.types import Agent, Request, Seat, Subject
from protocols import laws
from protocols.ask_again import ask_again, check_options
from tests.in_memory import final_of, others_of, rows_of_play
from tests.option_agents import SCORER
from tests.question_agents import CHOICE, QUESTION, box, by_seed


@pytest.mark.parametrize("prompt", ["question", "critique"])
def test_the_question_is_put_again_after_the_answer_without_its_reasoning(prompt: str) -> None:
    seen: list[Request] = []

    def reply(request: Request) -> str:
        seen.append(request)
        return "<think>secret</think>" + box(5 - request.place.step)

    rows = rows_of_play(ask_again, reply, {"prompt": prompt})
    [first], [question, mine, again] = (request.messages for request in seen)
    assert [each.role for each in (question, mine, again)] == ["user", "assistant", "user"]
    assert question == first
    assert mine.content == box(5)
    assert again.content.endswith(first.content)
    assert (again == first) == (prompt == "question")
    assert others_of(rows) == [("solver", 0, "5", False)]
    assert final_of(rows) == ("4", True, None)


def test_each_of_several_samples_gets_a_second_answer_and_those_are_voted_on() -> None:
    def reply(request: Request) -> str:
        return box(4 if request.place.step and request.place.seat != "path1" else 5)

    rows = rows_of_play(ask_again, reply, {"samples": 3})
    assert final_of(rows) == ("4", True, pytest.approx(2 / 3))
    assert [row[1:3] for row in others_of(rows)] == [(0, "5")] * 3 + [(1, "4"), (1, "5"), (1, "4")]


def test_options_are_scored_first_and_after_each_first_answer() -> None:
    rows = rows_of_play(ask_again, SCORER, {"form": "options"}, CHOICE)
    assert len(rows.rows("call_ends")) == 1 + 3
    found = {
        row["seat"]: row["value"]
        for row in rows.rows("measures")
        if row["name"] == "probability of B"
    }
    assert found == {"solver": 0.25, "afterA": 0.2, "afterB": 1.0, "afterC": 0.5}
    # The likeliest first answer is A, and stays it.
    assert others_of(rows) == [("solver", 0, "A", False)]
    assert final_of(rows) == ("A", False, None)


@pytest.mark.parametrize(
    ("agent", "question", "words"),
    [
        (SCORER, QUESTION, "has none"),
        (Agent("s", scripted_model(by_seed)), CHOICE, "does not score"),
    ],
)
def test_options_need_options_and_a_model_that_scores_them(
    agent: Agent, question: Subject, words: str
) -> None:
    with pytest.raises(ProtocolError, match=words):
        check_options(question, Seat("solver", agent))


@pytest.mark.parametrize("options", [{}, {"samples": 2, "prompt": "critique"}])
def test_asking_again_obeys_the_laws(options: dict[str, object]) -> None:
    laws.check(
        ask_again,
        {"solver": Agent("s", scripted_model(by_seed))},
        QUESTION,
        options=options,
    )
