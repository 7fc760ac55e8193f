"""A report shows the reasoning tokens of a reply beside the effort that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.read.efforts import EffortRow
from arena import Agent, Arena, Arm, Sampling, Study, Subject
from arena.types import BaseModel, Reply, Request
from protocols.single import single

pytestmark = pytest.mark.slow


class Speaker(BaseModel):
    """A model that reasons so many tokens, and says with which settings it was asked."""

    def __init__(self, name: str, tokens: int | None, sent: dict[str, object] | None) -> None:
        self.name = f"scripted/{name}"
        self.reply = Reply("\\boxed{4}", tokens_in=1, tokens_out=1000, tokens_reasoning=tokens)
        self.sent = sent

    async def __call__(self, request: Request) -> Reply:
        return self.reply

    def request_settings(self, request: Request) -> dict[str, object] | None:
        return None if self.sent is None else {"seed": request.seed, **self.sent}


def speaker(
    name: str,
    tokens: int | None,
    sampling: Sampling,
    sent: dict[str, object] | None = None,
    model: str | None = None,
) -> Agent:
    return Agent(name, Speaker(model or name, tokens, sent), sampling=sampling)


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
        EffortRow("scripted/a", "low", None, 2, 2, 900.0, 900.0, 900, 1000.0, agents=("a",)),
        EffortRow("scripted/b", "low", None, 2, 2, 90.0, 90.0, 90, 1000.0, agents=("b",)),
        EffortRow("scripted/c", None, None, 2, 0, None, None, None, 1000.0, agents=("c",)),
        EffortRow("scripted/d", None, 64, 2, 2, 50.0, 50.0, 50, 1000.0, agents=("d",)),
    )
    said = " ".join(repr(report).split())
    assert "scripted/a and scripted/b were asked with the same word, 'low'" in said
    assert "Some replies of scripted/c came without a number of reasoning tokens." in said
    assert "same effort" not in said
    assert "efforts" not in arena.report("plain").json()[0]


async def test_a_report_says_which_settings_no_request_carried_and_shows_efforts_of_questions(
    tmp_path: Path,
) -> None:
    lost: dict[str, object] = {"left_out": ["seed", "reasoning_effort"]}
    high, low = Sampling(reasoning_effort="high"), Sampling(reasoning_effort="low")
    agents = [
        *(speaker(f"m {word.reasoning_effort}", 7, word, lost, "m") for word in (high, low)),
        speaker("asked", 7, Sampling(), {"output_config": {"effort": "max"}}),
    ]
    arena = Arena(tmp_path / "a.duckdb")
    subjects = [Subject("2 + 2?", "question", "4")]
    lineups = [{"solver": agent} for agent in agents]
    await arena.play(Study("efforts", [Arm("one", single, lineups)], subjects))
    seedless = [{"solver": speaker("s", 7, Sampling(), {"left_out": ["seed"]})}]
    await arena.play(Study("seedless", [Arm("one", single, seedless)], subjects))
    report = arena.report("efforts")
    (found,) = report
    asked = [(row.model, row.effort, row.lost_effort) for row in found.efforts or ()]
    assert asked == [
        ("scripted/asked", "max", False),
        ("scripted/m", "high", True),
        ("scripted/m", "low", True),
    ]
    said = " ".join(repr(report).split())
    assert "Settings left out for scripted/m: reasoning_effort, seed (2 of 2 replies)." in said
    assert "m high and m low do not differ in effort: no request to scripted/m carried one" in said
    assert "high (left out)" in said
    said = " ".join(repr(arena.report("seedless")).split())
    assert "Settings left out for scripted/s: seed (1 of 1 replies)." in said
    assert "Reasoning tokens" not in said
