"""One call over real HTTP: attempts on the wire, rows in the ledger, and faults that pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents import agent
from arena import Arena, Arm, Study
from arena.calls.retry import Retry
from arena.errors import RateLimitedError, UnreachableError
from arena.types import Request
from tests.fake_agents import MOTION, rating, study
from tests.fake_agents import agent as scripted_agent
from tests.fake_server import ChatServer, Fault, chat_server

VERSION = "1"
QUICK = Retry(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, identical=5)


async def speak(episode: Any, motion: Any, speaker: Any) -> None:
    await episode.ask(speaker, motion.text, phase="speech", read=rating)


async def played(
    path: Path, reply: Callable[[dict[str, Any]], Any], retry: Retry = QUICK
) -> tuple[Arena, ChatServer]:
    """One speech asked of a server that answers so."""
    async with chat_server(reply) as server:
        arena = Arena(path, retry=retry)
        await arena.play(
            Study("s", [Arm("a", speak, [{"speaker": agent(f"http/any@{server.url}")}])], [MOTION])
        )
    return arena, server


def ledger(arena: Arena) -> list[tuple[object, ...]]:
    return list(arena.sql("select attempt, status, error_kind from calls order by attempt"))


async def test_a_refusal_is_asked_once(tmp_path: Path) -> None:
    arena, server = await played(tmp_path / "a.duckdb", lambda body: Fault("400"))
    assert len(server.requests) == 1
    assert ledger(arena) == [(0, "failed", "Refused")]


async def test_a_permanent_fault_is_given_up_before_the_attempts_are(tmp_path: Path) -> None:
    retry = Retry(attempts=50, first_wait_s=0.001, longest_wait_s=0.001, identical=4)
    _, server = await played(
        tmp_path / "a.duckdb", lambda body: Fault("500", "always the same"), retry
    )
    assert len(server.requests) == 4


async def test_retry_after_holds_back_that_call(tmp_path: Path) -> None:
    count = itertools.count()
    _, server = await played(
        tmp_path / "a.duckdb",
        lambda body: Fault("429-after", retry_after="0.3") if next(count) < 1 else "words|70",
    )
    first, second = server.requests
    # At once after it, but for a busy machine.
    assert 0.3 <= second.at_s - first.at_s < 20


@pytest.mark.slow
def test_random_faults_change_no_word(tmp_path: Path) -> None:
    """A fifth of all calls fails in every way; the transcript is that of a run without faults."""
    failed: list[int] = []

    def stormy(request: Request) -> str:
        place = request.place
        tries.append((place.episode, place.seat, place.step))
        if (request.seed + tries.count(tries[-1])) % 5 == 0:
            failed.append(1)
            raise (
                RateLimitedError("429")
                if len(failed) % 2
                else UnreachableError(f"reset {len(failed)}")
            )
        return f"{place.seat} says {request.seed}|{request.seed % 101}"

    tries: list[tuple[str, str, int]] = []
    words = (
        "select episode, seat, step, text, public, confidence, request_hash from turns order by all"
    )
    stormy_arena = Arena(
        tmp_path / "stormy.duckdb",
        retry=Retry(attempts=8, first_wait_s=0.001, longest_wait_s=0.002),
    )
    summary = stormy_arena.run(study(scripted_agent("echo", stormy), subjects=20))
    calm = Arena(tmp_path / "calm.duckdb")
    calm.run(study(scripted_agent("echo"), subjects=20))
    assert (summary.done, summary.failed) == (20, 0)
    assert len(failed) > 10
    assert stormy_arena.sql(words) == calm.sql(words)


def test_one_broken_model_fails_its_own_episodes_only(tmp_path: Path) -> None:
    def broken(request: Request) -> str:
        raise UnreachableError("always")

    arms = [
        Arm(name, speak, [{"speaker": scripted_agent(name, reply)}])
        for name, reply in (("sound", lambda request: "words|70"), ("broken", broken))
    ]
    arena = Arena(tmp_path / "a.duckdb", retry=QUICK)
    arena.run(Study("s", arms, [MOTION]))
    assert list(arena.sql("select arm, status, error_kind from episodes order by all")) == [
        ("broken", "failed", "Unreachable"),
        ("sound", "done", None),
    ]
