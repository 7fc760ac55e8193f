"""Options scored before and after reasoning, by a scripted model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.scripted import scripted_model
from arena.errors import ProtocolError
from arena.types import Agent, Reply, Request, Seat, Subject
from protocols import laws
from protocols.option_probability import check_question, option_probability
from tests.in_memory import final_of, others_of, rows_of_play
from tests.option_agents import THOUGHT, score_around_thought, scorer
from tests.question_agents import CHOICE, QUESTION, by_seed


@pytest.mark.parametrize(
    ("scored", "texts", "begun"),
    [
        ("letter", ("A", "B", "C"), THOUGHT + "\\boxed{"),
        ("text", ("\\boxed{three}", "\\boxed{four}", "\\boxed{five}"), THOUGHT),
    ],
)
def test_options_are_scored_at_once_and_in_the_place_of_the_answer_after_reasoning(
    scored: str, texts: tuple[str, ...], begun: str
) -> None:
    seen: list[Request] = []

    def script(request: Request) -> Reply:
        seen.append(request)
        return score_around_thought(request)

    rows = rows_of_play(option_probability, scorer(script), {"scored": scored}, CHOICE)
    direct, reasoning, after = seen
    assert direct.sampling.choices == after.sampling.choices == texts
    assert reasoning.sampling.stop == ("\\boxed{",)
    assert [message.role for message in direct.messages] == ["user"]
    assert after.messages == (*reasoning.messages, replace(after.messages[-1], content=begun))
    assert others_of(rows) == [("solver", 0, "C", False)]
    assert final_of(rows) == ("B", True, 0.8)


def test_a_reasoning_that_was_cut_off_gives_no_second_answer() -> None:
    def script(request: Request) -> Reply:
        reply = score_around_thought(request)
        return reply if request.sampling.choices else replace(reply, finish_reason="length")

    rows = rows_of_play(option_probability, scorer(script), {}, CHOICE)
    assert final_of(rows) == (None, None, None)
    assert len(rows.rows("turns")) == 2


@pytest.mark.parametrize(
    ("agent", "question", "words"),
    [
        (scorer(), QUESTION, "has none"),
        (scorer(score_around_thought, "prefill"), CHOICE, "no choices"),
        (Agent("s", scripted_model(by_seed)), CHOICE, "no choices"),
    ],
)
def test_it_needs_options_and_a_model_that_scores_them(
    agent: Agent, question: Subject, words: str
) -> None:
    with pytest.raises(ProtocolError, match=words):
        check_question(question, Seat("solver", agent))


def test_option_probability_obeys_the_laws() -> None:
    laws.check(option_probability, {"solver": scorer()}, CHOICE)
