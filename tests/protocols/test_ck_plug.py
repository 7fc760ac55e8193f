"""The passage of a question is the context that a second pass leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arena.decoding import CkPlug
from arena.types import Request, Sampling
from protocols import laws
from protocols.ck_plug import ck_plug
from tests.in_memory import final_of, rows_of_play
from tests.question_agents import QUESTION, agent_with_capabilities, box, by_seed

TOLD = replace(QUESTION, passage="Two and two are five in this land.")


@pytest.mark.parametrize("method", ["ck_plug", "context", "closed"])
def test_the_context_that_is_left_out_stands_in_the_prompt_word_for_word(method: str) -> None:
    seen: list[Request] = []

    def script(request: Request) -> str:
        seen.append(request)
        return box(4)

    solver = agent_with_capabilities(script, "decoding")
    options: dict[str, object] = {"method": method, "adaptive": True, "epsilon": 0.5}
    rows = rows_of_play(ck_plug, solver, options, TOLD)
    assert final_of(rows)[0] == "4"
    [request] = seen
    way = request.sampling.decoding
    told = request.messages[0].content
    assert (TOLD.passage in told) == (method != "closed")
    assert (way is None) == (method != "ck_plug")
    if isinstance(way, CkPlug):
        assert (way.alpha, way.epsilon) == (None, 0.5)
        rest = told.replace(way.context, "")
        assert told == way.context + rest
        assert TOLD.passage not in rest


def test_a_model_without_ways_of_decoding_is_refused() -> None:
    with pytest.raises(laws.BrokenLawError, match=r"StudyError: .* ck_plug is a way of decoding"):
        laws.check(ck_plug, {"solver": agent_with_capabilities(by_seed)}, TOLD)


@pytest.mark.parametrize("method", ["ck_plug", "context"])
def test_a_setting_of_the_agent_is_not_replaced_in_silence(method: str) -> None:
    solver = agent_with_capabilities(by_seed, "decoding")
    solver = replace(solver, sampling=Sampling(decoding=CkPlug(alpha=0.0)))
    with pytest.raises(laws.BrokenLawError, match=r"StudyError: .* goes by its options alpha"):
        laws.check(ck_plug, {"solver": solver}, TOLD, options={"method": method})


def test_laws() -> None:
    for method in ("ck_plug", "context"):
        solver = agent_with_capabilities(by_seed, "decoding")
        laws.check(ck_plug, {"solver": solver}, TOLD, options={"method": method})
