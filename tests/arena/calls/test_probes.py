"""The first call to a model goes alone, and stops those that would fail as it did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import agent as by_reference
from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study, Subject
from arena.calls.retry import Retry
from arena.types import Request
from tests.fake_agents import rating
from tests.fake_server import Fault, ServerAnswer, chat_server

VERSION = "1"
QUICK = Retry(attempts=3, first_wait_s=0.01, longest_wait_s=0.02)


async def speak(episode: Any, motion: Any, speaker: Any) -> None:
    await episode.ask(speaker, motion.text, phase="speech", read=rating)


def speeches(*agents: Agent, subjects: int = 6) -> Study:
    """A study with an arm for each agent, which speaks once on each of some motions."""
    arms = [Arm(each.name, speak, [{"speaker": each}]) for each in agents]
    return Study("s", arms, [Subject(f"Motion {n}.") for n in range(subjects)])


async def play_against(
    path: Path, reply: Callable[[dict[str, Any]], ServerAnswer]
) -> tuple[Any, int, dict[str, int]]:
    """Play six speeches over HTTP; return the summary, the requests, and episodes by status."""
    async with chat_server(reply) as server:
        arena = Arena(path, retry=QUICK)
        summary = await arena.play(speeches(by_reference(f"http/any@{server.url}")))
    rows = arena.sql("select status, count(*) from episodes group by all").rows
    return summary, len(server.requests), dict(rows)


def paid(name: str, reply: Callable[[Request], Any]) -> Agent:
    """An agent whose model counts as one that is paid for."""
    return Agent(name, replace(scripted_model(reply, name=name), simulated=False))  # type: ignore[type-var]


async def test_a_slow_first_call_goes_alone_and_holds_up_no_other_model(tmp_path: Path) -> None:
    quick_done = asyncio.Event()
    asked: list[str] = []

    async def slow(request: Request) -> str:
        asked.append("slow")
        if asked.count("slow") == 1:
            await asyncio.wait_for(quick_done.wait(), 10)
            assert asked.count("slow") == 1
        return "words|70"

    def quick(request: Request) -> str:
        asked.append("quick")
        if asked.count("quick") == 6:
            quick_done.set()
        return "words|70"

    # Fewer places than episodes of the slow model, which comes first.
    arena = Arena(tmp_path / "a.duckdb", concurrency=2)
    summary = await arena.play(speeches(paid("slow", slow), paid("quick", quick)))
    assert (summary.done, asked.count("slow"), asked.count("quick")) == (12, 6, 6)
    both = asyncio.Barrier(2)

    async def together(request: Request) -> str:
        await asyncio.wait_for(both.wait(), 10)
        return "words|70"

    # A model that has answered, as in an earlier stage of a tournament, is not tried again.
    later = replace(speeches(paid("slow", together), subjects=8), name="later")
    assert (await arena.play(later)).done == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        (Fault("404", "no such model"), {}),
        (Fault("302", "http://127.0.0.1:1/"), {}),
        # It may have been the prompt, so that the next run must begin with another one.
        (Fault("400", "unknown parameter: top_k"), {"failed": 1}),
    ],
)
async def test_a_call_that_fails_as_all_would_is_the_only_one(
    tmp_path: Path, fault: Fault, ended: dict[str, int]
) -> None:
    path = tmp_path / "a.duckdb"
    summary, requests, statuses = await play_against(path, lambda body: fault)
    assert requests == (QUICK.attempts if fault.kind == "302" else 1)
    assert {status: n for status, n in statuses.items() if status != "open"} == ended
    assert summary.stopped is not None
    assert "http/any is asked nothing more, since its first call failed" in summary.stopped
    assert str(summary).count("asked nothing more") == 1
    # The same command goes on with all that is open, and loses nothing.
    summary, requests, _ = await play_against(path, lambda body: "words|70")
    failed = ended.get("failed", 0)
    assert (summary.stopped, summary.done, requests) == (None, 6 - failed, 6 - failed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault("400", "The prompt triggered Azure OpenAI's content management policy"),
        Fault("500", "out of order"),
    ],
)
async def test_a_fault_of_one_prompt_or_of_the_moment_stops_no_other(
    tmp_path: Path, fault: Fault
) -> None:
    def reply(body: dict[str, Any]) -> ServerAnswer:
        return fault if "Motion 0" in str(body["messages"]) else "words|70"

    summary, _, statuses = await play_against(tmp_path / "a.duckdb", reply)
    assert (summary.stopped, statuses) == (None, {"failed": 1, "done": 5})


async def test_without_a_server_one_call_tries_and_the_others_stay_open(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb", retry=QUICK)
    summary = await arena.play(speeches(by_reference("http/any@http://127.0.0.1:1/v1")))
    assert (summary.failed, summary.open, summary.calls) == (0, 6, QUICK.attempts)
    assert "cannot be reached" in str(summary.stopped)


def test_episodes_of_other_models_are_played_when_one_is_stopped(tmp_path: Path) -> None:
    from arena.errors import RefusedError

    def refuse(request: Request) -> str:
        raise RefusedError("no such model", http_status=404)

    arena = Arena(tmp_path / "a.duckdb", concurrency=2)
    study = speeches(paid("wrong", refuse), paid("right", lambda request: "words|70"))
    summary = arena.run(study)
    assert (summary.done, summary.open, summary.calls) == (6, 6, 7)
    assert summary.remedies == ("the same command, once the model answers",)
