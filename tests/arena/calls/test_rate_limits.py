"""Limits: what goes through when, in which order, and how a 429 slows its model down."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import agent as by_reference
from arena import Arena, Arm, Limit, Study
from arena.calls.rate_limits import (
    RateLimiter,
    RequestWindow,
    TokenWindow,
    merge_limits,
    parse_limits,
)
from arena.calls.retry import Retry
from arena.calls.stored_minute import count_last_minute
from arena.errors import RateLimitedError, StudyError
from arena.types import Message, Place, Reply, Request, Sampling
from tests.fake_agents import MOTION, agent, rating, study
from tests.fake_server import Fault, chat_server

VERSION = "1"


def request(words: str = "", max_tokens: int | None = None) -> Request:
    return Request(
        (Message("user", words),), Sampling(max_tokens=max_tokens), 1, Place("e", "s", 0, 0, "p", 0)
    )


async def through(
    pace: RateLimiter, model: str, count: int, hold_s: float = 0.0
) -> list[tuple[int, float]]:
    """(number, seconds) of calls that all want to go out at once."""
    gone: list[tuple[int, float]] = []
    began = time.monotonic()

    async def one(number: int) -> None:
        place = await pace.enter(model, request())
        gone.append((number, place.sent_at - began))
        await asyncio.sleep(hold_s)
        pace.leave(place, Reply(""))

    await asyncio.gather(*(one(number) for number in range(count)))
    return gone


@pytest.mark.slow
async def test_no_window_holds_more_than_the_limit_and_the_order_is_kept() -> None:
    gone = await through(RateLimiter(1000, {"openai": Limit(rpm=1200)}), "openai/a", 50)
    assert [number for number, _ in gone] == list(range(50))
    times = [at for _, at in gone]
    # 1200 a minute are 20 a second: 50 take two full windows.
    assert 2.0 <= times[-1] < 2.6
    assert all(times[i + 20] - times[i] >= 0.999 for i in range(30))


@given(st.floats(0.01, 1e6))
def test_no_minute_ever_holds_more_than_was_allowed(rpm: float) -> None:
    window = RequestWindow(rpm)
    assert (
        int(60 / window.period_s + 1e-9) * window.portion <= max(rpm, 1) + 1e-6
        or window.period_s > 60
    )
    assert window.portion / window.period_s * 60 >= 0.98 * rpm - 1 or rpm < 60


async def test_one_provider_that_waits_holds_no_place_of_another() -> None:
    pace = RateLimiter(1, {"slow": Limit(rpm=1)})
    await through(pace, "slow/a", 1)
    waiting = asyncio.create_task(pace.enter("slow/a", request()))
    await asyncio.sleep(0.01)
    assert (await asyncio.wait_for(through(pace, "quick/b", 3), 1))[-1][0] == 2
    assert pace.describe() == ["1 call waits for the limits of slow"]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert pace.describe() == []


async def test_calls_in_flight_are_bounded_by_model_and_by_provider() -> None:
    pace = RateLimiter(100, {"p": Limit(in_flight=3), "p/a": Limit(in_flight=2)})
    inside: dict[str, int] = {"p/a": 0, "p/b": 0}
    most = {"p/a": 0, "p/b": 0, "both": 0}

    async def one(model: str) -> None:
        place = await pace.enter(model, request())
        inside[model] += 1
        most[model], most["both"] = (
            max(most[model], inside[model]),
            max(most["both"], sum(inside.values())),
        )
        await asyncio.sleep(0.005)
        inside[model] -= 1
        pace.leave(place, Reply(""))

    await asyncio.gather(*(one(model) for _ in range(10) for model in ("p/a", "p/b")))
    assert (most["p/a"], most["both"]) == (2, 3)


def test_tokens_wait_for_room_and_are_corrected_by_what_a_call_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    window = TokenWindow(1000)
    first = window.take(600)
    assert window.wait_s(400) == 0
    assert window.wait_s(401) == pytest.approx(60, abs=0.01)
    window.correct(first, 100)
    assert window.wait_s(401) == 0
    now[0] += 30
    window.take(900)
    assert window.wait_s(5000) == pytest.approx(60, abs=0.01)
    now[0] += 31
    assert window.wait_s(100) == 0
    assert window.wait_s(101) == pytest.approx(29, abs=0.01)


async def test_a_cancelled_call_frees_its_place_in_line() -> None:
    pace = RateLimiter(1, {"p": Limit(in_flight=1)})
    first = await pace.enter("p/a", request())
    tasks = [asyncio.create_task(pace.enter("p/a", request())) for _ in range(3)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.gather(*tasks[:2], return_exceptions=True)
    pace.leave(first, Reply(""))
    pace.leave(await asyncio.wait_for(tasks[2], 1), Reply(""))
    assert (await asyncio.wait_for(through(pace, "p/a", 2), 1))[-1][0] == 1


async def test_a_429_halves_the_room_of_its_model_and_replies_give_it_back() -> None:
    pace = RateLimiter(100)
    places = [await pace.enter("p/a", request()) for _ in range(8)]
    for place in places[:3]:  # three of one rush count once
        pace.slow_down(place)
        pace.leave(place, None)
    assert pace.describe() == ["p/a slowed to 4 in flight after a 429"]
    entering = asyncio.create_task(pace.enter("p/a", request()))
    await asyncio.sleep(0.01)
    assert not entering.done()
    assert (await asyncio.wait_for(through(pace, "p/b", 1), 1))[0][0] == 0
    for place in places[3:]:
        pace.leave(place, Reply(""))
    pace.leave(await asyncio.wait_for(entering, 1), Reply(""))
    await through(pace, "p/a", 40)
    assert pace.describe() == []


def test_limits_are_read_from_texts_and_the_last_word_counts() -> None:
    assert parse_limits(["openai:rpm=500,tpm=2e5", "http/m:8b:in_flight=4"]) == {
        "openai": Limit(500, 200000),
        "http/m:8b": Limit(in_flight=4),
    }
    assert merge_limits({"a": Limit(rpm=1, tpm=2)}, {"a": Limit(rpm=3)}, {"b": Limit(tpm=4)}) == {
        "a": Limit(rpm=3, tpm=2),
        "b": Limit(tpm=4),
    }
    for wrong in (
        "openai",
        "openai:",
        "openai:rpm",
        "openai:rpm=0",
        "openai:rpm=-1",
        "openai:rpm=nan",
        "a:rps=3",
        ":rpm=3",
        "a:in_flight=1.5",
    ):
        with pytest.raises(StudyError, match="limit"):
            parse_limits([wrong])


async def speak(episode: object, motion: object, speaker: object) -> None:
    await episode.ask(speaker, motion.text, phase="speech", read=rating)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["study", "environment", "arena"])
async def test_a_limit_holds_wherever_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    limit = {"http/any": Limit(rpm=300)}
    if where == "environment":
        monkeypatch.setenv("ARENA_LIMITS", "http/any:rpm=300 openai:rpm=5")
    async with chat_server(lambda body: "words|70") as server:
        lineup = {"speaker": by_reference(f"http/any@{server.url}")}
        made = Study(
            "s",
            [Arm("a", speak, [lineup])],
            [MOTION],
            repeats=11,
            limits=limit if where == "study" else {},
        )
        await Arena(tmp_path / "a.duckdb", limits=limit if where == "arena" else {}).play(made)
    times = [r.at_s for r in server.requests]
    assert all(later - earlier >= 0.9 for earlier, later in zip(times, times[5:], strict=False))


def test_a_limit_for_nobody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError,
        match="a limit is given for 'opnai', but the models of this study are scripted/echo",
    ):
        Arena(tmp_path / "a.duckdb", limits={"opnai": Limit(rpm=1)}).run(study())
    assert list(tmp_path.iterdir()) == []


async def test_a_429_is_seen_in_the_ledger_and_the_run_goes_on(tmp_path: Path) -> None:
    answers = iter([Fault("429")] * 4 + ["words|70"] * 100)
    async with chat_server(lambda body: next(answers), latency_s=0.01) as server:
        made = Study(
            "s",
            [Arm("a", speak, [{"speaker": by_reference(f"http/any@{server.url}")}])],
            [MOTION],
            repeats=12,
        )
        arena = Arena(tmp_path / "a.duckdb", retry=Retry(first_wait_s=0.01))
        summary = await arena.play(made)
    assert (summary.done, len(server.requests)) == (12, 16)
    failed = arena.sql(
        "select error_kind, http_status, cost_usd, count(*) from calls"
        " where status = 'failed' group by all"
    ).rows
    assert failed == (("RateLimited", 429, 0.0, 4),)


def test_the_progress_line_says_who_waits_for_what() -> None:
    from arena.calls.budget import Budget
    from arena.calls.run_stats import ModelTurns, RunStats
    from arena.play.progress import describe_progress

    waits = {n: ("a 429", "openai/gpt", time.monotonic() + 12.4 + n) for n in range(3)}
    tally = RunStats(
        planned=9,
        done=2,
        failed=1,
        replies=30,
        turns_by_model={"openai/gpt": ModelTurns(9, 4)},
        waiting=waits,
        rate_limiter=RateLimiter(5),
        budget=Budget(20, 1.5),
    )
    assert describe_progress(tally, 10) == (
        "2 done, 1 failed, 6 open · 3 calls wait for a 429 of openai/gpt, next in 12 s"
        " · 3.0 replies/s · 0 in flight · 4 unreadable"
        " · $1.50 of $20"
    )


def test_faults_slow_nobody_to_a_halt(tmp_path: Path) -> None:
    """A fifth of the calls get a 429 at random, from the first on: that is no reason to crawl."""
    seen: set[int] = set()

    async def stormy(asked: Request) -> str:
        await asyncio.sleep(0.001)
        if asked.seed % 5 == 0 and asked.seed not in seen:
            seen.add(asked.seed)
            raise RateLimitedError("429", http_status=429)
        return f"words|{asked.seed % 101}"

    began = time.monotonic()
    summary = Arena(tmp_path / "a.duckdb", retry=Retry(first_wait_s=0.001)).run(
        study(agent(reply=stormy), subjects=60)
    )
    assert (summary.done, summary.failed) == (60, 0)
    assert time.monotonic() - began < 20


async def test_a_429_counts_for_those_who_wait_before_the_gate_of_their_provider(
    tmp_path: Path,
) -> None:
    pace = RateLimiter(64, {"m": Limit(in_flight=20)})
    inside = most = 0

    async def one(number: int) -> None:
        nonlocal inside, most
        place = await pace.enter("m/a", request())
        inside += 1
        most = max(most, inside if number > 40 else 0)
        await asyncio.sleep(0.001)
        inside -= 1
        if number < 15:
            pace.slow_down(place)
        pace.leave(place, None)

    await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(200))), 20)
    assert most <= 10
    assert [gate.calls_in_flight for gate in pace.limiters("m/a")] == [0, 0]
    assert len(pace.limiters("m/a")) == 2


async def test_calls_of_the_last_minute_count_in_the_next_run(tmp_path: Path) -> None:
    """A run that is begun again at once has not forgotten what it has sent."""
    path = tmp_path / "a.duckdb"

    def counted(request: Request) -> Reply:
        return Reply("words|70", tokens_in=50, tokens_out=50)

    talks = study(agent(reply=counted), subjects=1)
    await Arena(path).play(talks)
    pace = RateLimiter(8, {"scripted": Limit(rpm=6, tpm=650)})
    count_last_minute(pace, path, {"scripted/echo"})
    (limiter,) = pace.limiters("scripted/echo")
    assert limiter.window is not None
    # One in ten seconds, and the last has just gone out.
    assert 5 < limiter.window.wait_s() <= 10.1
    assert limiter.tokens is not None
    assert limiter.tokens.wait_s(50) == 0
    assert 50 < limiter.tokens.wait_s(51) <= 60.1
    unlimited = RateLimiter(8, {})
    count_last_minute(unlimited, path, {"scripted/echo"})
    assert unlimited.limiters("scripted/echo") == ()
