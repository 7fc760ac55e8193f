"""A reply that reasons, with its confidence, or that does not know."""

from __future__ import annotations

from agents.scripted import scripted_model
from arena.types import Agent, Request
from protocols import laws
from protocols.thinking_out_loud import thinking_out_loud
from tests.in_memory import final_of, rows_of_play
from tests.question_agents import QUESTION, box


def test_who_does_not_know_gives_no_answer_and_is_asked_once() -> None:
    rows = rows_of_play(thinking_out_loud, lambda request: "Hm. \\boxed{I don't know}")
    assert final_of(rows) == (None, None, None)
    [turn] = rows.rows("turns")
    assert turn["flags"] == ["does not know"]
    assert len(rows.rows("call_ends")) == 1


def test_an_answer_has_its_stated_confidence_and_not_knowing_is_offered_where_it_may_be() -> None:
    seen: list[str] = []

    def script(request: Request) -> str:
        seen.append(request.messages[0].content)
        return f"<think>Long.</think>{box(4)}\nConfidence: 70%"

    for may in (True, False):
        rows = rows_of_play(thinking_out_loud, script, {"may_not_know": may})
        assert final_of(rows) == ("4", True, 0.7)
    assert ["I don't know" in words for words in seen] == [True, False]


def test_thinking_out_loud_obeys_the_laws() -> None:
    def script(request: Request) -> str:
        return f"{box(request.seed % 3)}\nConfidence: {request.seed % 101}%"

    laws.check(thinking_out_loud, {"solver": Agent("s", scripted_model(script))}, QUESTION)
