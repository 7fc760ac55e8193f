"""A report shows the reasoning tokens of a reply beside the effort that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.scripted import scripted_model
from analysis.read.efforts import EffortRow
from arena import Agent, Arena, Arm, Sampling, Study, Subject
from arena.types import Reply
from protocols.single import single

pytestmark = pytest.mark.slow


def speaker(name: str, tokens: int | None, sampling: Sampling) -> Agent:
    reply = Reply("\\boxed{4}", tokens_in=1, tokens_out=1000, tokens_reasoning=tokens)
    return Agent(name, scripted_model(lambda request: reply, name), sampling=sampling)


async def test_reasoning_tokens_stand_beside_the_effort_and_one_word_is_not_one_effort(
    tmp_path: Path,
) -> None:
    low = Sampling(reasoning_effort="low")
    agents = [speaker("a", 900, low), speaker("b", 90, low), speaker("c", None, Sampling())]
    agents.append(speaker("d", 50, Sampling(thinking_tokens=64)))
    arena = Arena(tmp_path / "a.duckdb")
    lineups = [{"solver": agent} for agent in agents]
    subjects = [Subject(text, "question", "4") for text in ("2 + 2?", "3 + 1?")]
    await arena.play(Study("efforts", [Arm("one", single, lineups)], subjects))
    plain = Study("plain", [Arm("one", single, [{"solver": agents[2]}])], subjects)
    await arena.play(plain)
    report = arena.report("efforts")
    (found,) = report
    assert found.efforts == (
        EffortRow("scripted/a", "low", None, 2, 2, 900.0, 900.0, 900, 1000.0),
        EffortRow("scripted/b", "low", None, 2, 2, 90.0, 90.0, 90, 1000.0),
        EffortRow("scripted/c", None, None, 2, 0, None, None, None, 1000.0),
        EffortRow("scripted/d", None, 64, 2, 2, 50.0, 50.0, 50, 1000.0),
    )
    said = " ".join(repr(report).split())
    assert "scripted/a and scripted/b were asked with the same word, 'low'" in said
    assert "Some replies of scripted/c came without a number of reasoning tokens." in said
    assert "same effort" not in said
    assert "efforts" not in arena.report("plain").json()[0]
