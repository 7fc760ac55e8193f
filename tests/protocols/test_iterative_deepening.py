"""Replies that grow in budgets, with a sentence at each boundary."""

from __future__ import annotations

import math

import pytest

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_after_triggers
from agents.toy.problems import sums
from arena.play.memory import MemoryJournal
from arena.types import Agent, Reply, Request, Sampling
from protocols import laws
from protocols.iterative_deepening import (
    TRIGGER,
    boundaries,
    certainty,
    iterative_deepening,
    most_certain,
    pieces_of,
)
from tests.in_memory import final_of, others_of, rows_of_play
from tests.played_accuracy import accuracy_of, answers_of
from tests.question_agents import QUESTION, agent_with_capabilities, box

SMALL: dict[str, object] = {"budget": 10, "growth": 2.0, "limit": 50}


def test_budgets_grow_by_a_factor_up_to_the_limit() -> None:
    assert boundaries(200, 2.0, 3000) == [200, 400, 800, 1600, 3000]
    assert pieces_of(boundaries(200, 2.0, 3000)) == [200, 200, 400, 800, 1400]
    assert boundaries(200, 2.0, 100) == [100]
    assert boundaries(1, 1.2, 4) == [1, 2, 3, 4]
    assert boundaries(3, 1.3, 40) == [3, 4, 5, 7, 9, 11, 14, 19, 24, 32, 40]
    # In as many steps as there are boundaries, however small the growth is.
    assert boundaries(1, 1 + 1e-12, 64) == [*range(1, 65)]
    assert boundaries(1, math.nextafter(1, 2), 64) == [*range(1, 65)]


def thinker(seen: list[Request], ends_at: int = 99) -> Agent:
    """An agent that continues a reply, and ends it in its piece number `ends_at`."""

    def script(request: Request) -> Reply:
        seen.append(request)
        if request.place.phase == "answer":
            return Reply("4}.", finish_reason="stop")
        piece = request.place.round
        if piece >= ends_at:
            return Reply(f"So {box(4 + piece - ends_at)}", finish_reason="stop")
        return Reply(f"piece {piece}, \\boxed{{{piece}}} ", finish_reason="length")

    return agent_with_capabilities(script, "prefill")


def test_a_sentence_stands_at_each_boundary_of_one_reply() -> None:
    seen: list[Request] = []
    rows = rows_of_play(iterative_deepening, thinker(seen), SMALL)
    assert [request.sampling.max_tokens for request in seen] == [10, 10, 20, 10, 256]
    begun = [request.messages[-1].content for request in seen]
    assert begun[1] == f"piece 0, \\boxed{{0}} {TRIGGER}"
    assert begun[3].count(TRIGGER) == 3
    # It has not ended, so that it is made to answer.
    assert final_of(rows)[0] == "4"
    assert [row[1:3] for row in others_of(rows)] == [(0, "0"), (1, "1"), (2, "2")]


def test_a_reply_that_has_ended_is_opened_again_only_if_asked_to() -> None:
    seen: list[Request] = []
    rows = rows_of_play(iterative_deepening, thinker(seen, 1), SMALL)
    assert (final_of(rows)[0], len(seen)) == ("4", 2)
    seen.clear()
    rows = rows_of_play(iterative_deepening, thinker(seen, 1), {**SMALL, "reopen": True})
    assert (final_of(rows)[0], len(seen)) == ("6", 4)


def test_a_reply_without_an_answer_is_made_to_answer() -> None:
    seen: list[Request] = []

    def script(request: Request) -> Reply:
        seen.append(request)
        if request.place.phase == "answer":
            return Reply("4}.", finish_reason="stop")
        return Reply("thought ", finish_reason="length")

    rows = rows_of_play(iterative_deepening, agent_with_capabilities(script, "prefill"), SMALL)
    assert final_of(rows) == ("4", True, None)
    assert seen[-1].messages[-1].content.endswith("the answer is \\boxed{")
    # The reply is the content of a box that was opened for it.
    assert len(seen) == 5


def test_models_that_speak_by_chat_are_told_in_turns() -> None:
    seen: list[Request] = []

    def script(request: Request) -> Reply:
        seen.append(request)
        length = request.place.round < 2
        return Reply(box(request.place.round + 2), finish_reason="length" if length else "stop")

    rows = rows_of_play(iterative_deepening, agent_with_capabilities(script), SMALL)
    assert final_of(rows)[0] == "4"
    assert {turn["phase"] for turn in rows.rows("turns")} == {"turn"}
    assert [message.role for message in seen[-1].messages] == ["user", "assistant"] * 2 + ["user"]
    assert "Go over what you have so far" in seen[-1].messages[-1].content
    seen.clear()
    rows_of_play(iterative_deepening, agent_with_capabilities(script), {**SMALL, "trigger": ""})
    assert "Go on. " in seen[-1].messages[-1].content


def test_several_replies_vote_or_the_most_certain_is_taken() -> None:
    def script(request: Request) -> Reply:
        number = int(request.place.seat[-1])
        answer = 4 if number == 2 else 5
        measures = {"self_certainty_mean": float(number)}
        return Reply(box(answer), finish_reason="stop", measures=measures)

    able = agent_with_capabilities(script, "prefill", "measures")
    options = {**SMALL, "samples": 3}
    assert final_of(rows_of_play(iterative_deepening, able, options))[0] == "5"
    options["pick"] = "certain"
    assert final_of(rows_of_play(iterative_deepening, able, options)) == ("4", True, None)
    assert certainty([], "x") is None
    assert most_certain([], []) is None


def text_of(rows: MemoryJournal) -> str:
    """The reply that was written in pieces, without the answer that was forced."""
    return "".join(row["text"] for row in rows.rows("turns") if row["phase"] == "think")


@pytest.mark.slow
def test_without_a_sentence_a_greedy_reply_is_that_of_a_single_call() -> None:
    toy = agent("toy/sum", sampling=Sampling(temperature=0.0))
    whole = answers_of(iterative_deepening, toy, sums(2), {"budget": 60, "limit": 60})
    options = {"budget": 5, "growth": 2.0, "limit": 60, "trigger": ""}
    cut = answers_of(iterative_deepening, toy, sums(2), options)
    assert list(map(text_of, cut)) == list(map(text_of, whole))
    assert list(map(final_of, cut)) == list(map(final_of, whole))


@pytest.mark.slow
@pytest.mark.parametrize(("stays", "corrects"), [(1.0, 0.3), (0.6, 0.05)])
@pytest.mark.parametrize("form", ["prefill", "turn"])
def test_each_sentence_mends_and_harms_as_planted(stays: float, corrects: float, form: str) -> None:
    """It helps who corrects more than it takes back, and harms who does not."""
    profile = f"reasoner:shared=0:stays={stays}:corrects={corrects}"
    questions = simulated_questions(150)
    # A turn of a conversation must hold a whole reply of this solver, which begins anew.
    budget = 20 if form == "prefill" else 200
    options = {"budget": budget, "limit": 8 * budget, "reopen": True, "form": form}
    times = len(boundaries(budget, 2.0, 8 * budget)) - 1
    planted = expected_after_triggers(profile, questions, times)
    found = accuracy_of(iterative_deepening, agent(f"sim/{profile}"), questions, options)
    assert found == pytest.approx(planted, abs=4 * 0.5 / 150**0.5)
    assert (planted > expected_after_triggers(profile, questions, 0)) == (stays == 1)


def test_iterative_deepening_obeys_the_laws() -> None:
    def by_seed(request: Request) -> Reply:
        reason = "length" if request.seed % 2 else "stop"
        return Reply(f"I thought. {box(request.seed % 3)}", finish_reason=reason)

    for can in (("prefill",), ()):
        one = agent_with_capabilities(by_seed, *can)
        laws.check(iterative_deepening, {"solver": one}, QUESTION, options={**SMALL, "samples": 2})
