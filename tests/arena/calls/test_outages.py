"""A server that goes away: calls are held, one asks until it is back, and no episode fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents import agent
from arena import Arena, Study
from arena.calls import outages
from arena.calls.retry import Retry
from arena.calls.run_stats import RunStats
from arena.errors import UnreachableError
from arena.play.progress import describe_progress
from tests.arena.calls.test_probes import QUICK, paid, speeches
from tests.fake_server import ChatServer


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "FIRST_PROBE_S", 0.01)
    monkeypatch.setattr(outages, "LONGEST_PROBE_S", 0.02)


@asynccontextmanager
async def listening(server: ChatServer, port: int) -> AsyncIterator[int]:
    """A server at this port, or a free one; at the end it is gone as if it were killed."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", port)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in list(server.open):
            writer.transport.abort()
        await asyncio.sleep(0)


async def statuses(arena: Arena) -> dict[Any, Any]:
    return dict(arena.sql("select status, count(*) from episodes group by all").rows)


@pytest.mark.slow
async def test_calls_to_a_server_that_restarts_are_held_and_others_go_on(tmp_path: Path) -> None:
    others_done = asyncio.Event()
    other: list[int] = []
    seen: list[str] = []
    notes: list[str] = []
    away = asyncio.Event()

    def answer(received: Any) -> str:
        if server.count >= 3:
            away.set()
        return "words|70"

    def quick(request: Any) -> str:
        other.append(1)
        if len(other) == 6:
            others_done.set()
        return "words|70"

    def watch(stats: RunStats) -> None:
        seen.append(describe_progress(stats, 1.0))
        notes[:] = stats.probes.outages.notes

    server = ChatServer(answer, latency_s=0.02)
    arena = Arena(tmp_path / "a.duckdb", retry=QUICK, concurrency=2)

    async def play(port: int) -> Any:
        study = speeches(agent(f"http/any@http://127.0.0.1:{port}/v1"), paid("other", quick))
        return await arena.play(study, watch=watch)

    async with listening(server, 0) as port:
        playing = asyncio.create_task(play(port))
        await asyncio.wait_for(away.wait(), 10)
    # Both places are taken by episodes that wait, and the other model's six are played.
    await asyncio.wait_for(others_done.wait(), 10)
    await asyncio.sleep(0.25)
    async with listening(server, port):
        summary = await asyncio.wait_for(playing, 10)
    assert (summary.done, summary.failed, summary.stopped) == (12, 0, None)
    # More refusals than a call has attempts, each a row of its own.
    rows = arena.sql("select count(*), count(distinct (episode, attempt)) from calls").rows[0]
    assert rows[0] == rows[1] == summary.calls
    refused = arena.sql("select max(attempt) from calls where error like '%cannot be reached%'")
    assert refused.rows[0][0] > QUICK.attempts
    assert any(f"for http://127.0.0.1:{port} since " in line for line in seen)
    assert "is gone since" in notes[0]
    assert "is back after" in notes[1]


async def test_probes_grow_apart_however_many_calls_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    async def sleep(seconds: float) -> None:
        clock[0] += max(seconds, 0.0)

    fake = SimpleNamespace(Lock=asyncio.Lock, sleep=sleep)
    monkeypatch.setattr(outages, "asyncio", fake)
    monkeypatch.setattr(outages, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(outages, "FIRST_PROBE_S", 1.0)
    monkeypatch.setattr(outages, "LONGEST_PROBE_S", 30.0)
    gone = outages.Outages({}, lambda: None)
    model = agent("http/any@http://127.0.0.1:1/v1,http://127.0.0.1:2/v1").model
    error = UnreachableError("nobody there", server="a and b")
    asked: list[float] = []

    async def call(episode: str) -> None:
        # All were on their way when the server died.
        gone.note_gone(model, error)
        while len(asked) < 7 and (outage := gone.of(model)):
            async with gone.wait_for_turn(model, outage, episode):
                asked.append(clock[0] - outage.began)
                gone.note_gone(model, error)

    await asyncio.gather(*(call(str(number)) for number in range(16)))
    assert asked[:7] == pytest.approx([1, 3, 7, 15, 31, 61, 91])


async def test_a_server_that_stays_away_leaves_its_episodes_open(tmp_path: Path) -> None:
    patient = Retry(attempts=3, first_wait_s=0.01, server_wait_s=0.2)
    server = ChatServer(lambda received: "words|70")
    async with listening(server, 0) as port:
        pass
    speaker = agent(f"http/any@http://127.0.0.1:{port}/v1")
    arena = Arena(tmp_path / "a.duckdb", retry=patient, concurrency=3)
    study: Study = speeches(speaker, subjects=8)
    summary = await arena.play(study)
    assert (summary.done, summary.failed, summary.open) == (0, 0, 8)
    assert f"http://127.0.0.1:{port} was gone from" in str(summary.stopped)
    assert summary.remedies == ("the same command, once the model answers",)
    async with listening(server, port):
        assert (await arena.play(study)).done == 8


async def test_a_run_that_waits_for_a_server_ends_at_once(tmp_path: Path) -> None:
    server = ChatServer(lambda received: "words|70")
    async with listening(server, 0) as port:
        pass
    arena = Arena(tmp_path / "a.duckdb", retry=Retry(server_wait_s=60))
    waiting = asyncio.Event()

    def watch(stats: RunStats) -> None:
        if stats.probes.outages.notes:
            waiting.set()

    study = speeches(agent(f"http/any@http://127.0.0.1:{port}/v1"), subjects=4)
    playing = asyncio.create_task(arena.play(study, watch=watch))
    await asyncio.wait_for(waiting.wait(), 10)
    began = time.monotonic()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert time.monotonic() - began < 2
    assert await statuses(arena) == {"open": 4}
