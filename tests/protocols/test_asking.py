"""The words that all protocols of questions share, and how their votes are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena.studies.study import Protocol
from arena.types import Agent, Reply, Request, Subject, Turn
from protocols.asking import agreement, question_prompt, reader, votes, winner
from protocols.moa import moa
from protocols.self_aggregation import self_aggregation
from protocols.society_of_minds import society_of_minds
from tests.question_agents import CHOICE, QUESTION, final, play


def turn(answer: str | None) -> Turn:
    return Turn("e", "s", 0, "p", 0, "", "", answer=answer)


def test_a_question_is_put_with_its_options_and_read_in_their_letters() -> None:
    words = question_prompt(CHOICE)
    assert "A) three\nB) four\nC) five\n" in words
    assert "the letter" in words
    assert reader(CHOICE)(Reply("So it is \\boxed{B}")).answer == "B"
    assert reader(CHOICE)(Reply("So it is \\boxed{D}")).answer is None


@pytest.mark.parametrize(
    "question", [QUESTION, CHOICE, Subject("Is {x} in {0}? %s", "question", "no")]
)
def test_a_reply_that_repeats_the_instruction_gives_no_answer(question: Subject) -> None:
    assert question.text in question_prompt(question)
    assert reader(question)(Reply(question_prompt(question))).answer is None


@pytest.mark.parametrize(
    ("cast", "expected"),
    [
        (["a", "b", "b"], (1, 2 / 3)),
        (["b", "a", "a", "b"], (0, 0.5)),
        ([None, "c", None], (1, 1 / 3)),
        ([None, None], (None, None)),
        (["a", "a"], (0, 1.0)),
    ],
)
def test_the_first_of_the_most_frequent_wins_and_no_answer_is_no_vote(
    cast: list[str | None], expected: tuple[int | None, float | None]
) -> None:
    assert winner(cast) == pytest.approx(expected)


def test_weights_count_and_their_share_is_of_all_weight() -> None:
    assert winner(["a", "b", "b", None], [3.0, 1.0, 1.0, 1.0]) == (0, 0.5)


def test_votes_are_values_and_not_spellings() -> None:
    assert votes([turn("025"), turn("25.0"), turn(None)], QUESTION) == ["25", "25", None]
    assert agreement("25.0", [turn("025"), turn("24"), turn(None), turn(None)], QUESTION) == 0.25


def test_agreement_is_unknown_where_nothing_can_be_compared() -> None:
    assert agreement("25", [turn(None)], QUESTION) is None
    assert agreement(None, [turn("25")], QUESTION) is None


@pytest.mark.parametrize("protocol", [society_of_minds, moa, self_aggregation])
def test_the_reasoning_of_a_reply_is_shown_to_no_peer(tmp_path: Path, protocol: Protocol) -> None:
    prompts: list[str] = []

    def think(request: Request) -> str:
        prompts.append(request.messages[-1].content)
        return "<think>SECRET \\boxed{41}</think>\\boxed{42}"

    arena = play(tmp_path / "a.duckdb", protocol, Agent("m", scripted_model(think)))
    assert final(arena)[0] == "42"
    assert any("\\boxed{42}" in prompt for prompt in prompts)
    assert not any("SECRET" in prompt for prompt in prompts)
