"""One record for several parts: lines, limits, budget and memo, with parts that vanish."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena.calls.rate_limits import Limit
from arena.errors import RateLimitedError, StoreError, StudyError
from arena.machines import processes, record_server
from arena.machines.places import OnProcesses
from arena.machines.processes import ProcessRecord
from arena.machines.record_client import PartStats, RecordClient
from arena.machines.record_file import RecordFile, read_announcement
from arena.machines.record_wire import Wire
from arena.machines.shards import connect, play_part
from arena.play.run import Arena
from arena.play.summary import Summary
from arena.store.study_lock import record_file
from arena.studies.study import Study
from arena.types import Agent, Price, Reply, Request
from tests.fake_agents import agent, by_seed, study

Reporter = Callable[[Request], str]


@asynccontextmanager
async def kept(
    arena: Arena, talks: Study
) -> AsyncIterator[tuple[str, ProcessRecord, asyncio.Task[Summary]]]:
    """Keep the record of a study, and yield where it listens, it, and its run."""
    own = copy.copy(arena)
    with RecordFile(arena.path, [talks.name]) as file:
        record = own.player = ProcessRecord(OnProcesses(0), file)
        run = asyncio.create_task(own.play(talks))
        try:
            async with asyncio.timeout(30):
                address = await asyncio.to_thread(wait_for_record, arena.path, talks.name)
                yield address, record, run
                await run
        finally:
            run.cancel()


def wait_for_record(path: Path, name: str) -> str:
    """Wait until a record listens."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        said, is_kept = read_announcement(record_file(path, name))
        if is_kept and said is not None and said.address:
            return said.address
        time.sleep(0.01)
    raise AssertionError("no record listens")


async def play_all(arena: Arena, talks: Study, parts: int = 2) -> tuple[Summary, list[PartStats]]:
    """Play a study in so many parts with one record; return its summary, and theirs."""
    async with kept(arena, talks) as (address, _, run):
        stats = await asyncio.gather(
            *(play_part(address, n + 1, parts, f"part {n}", talks) for n in range(parts))
        )
        return await run, stats


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


TEXTS = "select episode, seat, step, text, request_hash, seed from turns order by all"


async def test_parts_write_the_same_turns_as_one_process(path: Path, tmp_path: Path) -> None:
    whole, parts = await play_all(Arena(path), study(subjects=12), parts=3)
    alone = Arena(tmp_path / "b.duckdb")
    assert (await alone.play(study(subjects=12))).replies == whole.replies == 12 * 6
    assert alone.sql(TEXTS).rows == Arena(path).sql(TEXTS).rows
    assert sum(part.done for part in parts) == whole.done == 12
    assert all(part.done for part in parts)
    assert (await Arena(path).play(study(subjects=12))).replies == 0


async def test_a_limit_in_flight_holds_over_all_parts(path: Path) -> None:
    now = most = 0

    async def reply(request: Request) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return by_seed(request)

    arena = Arena(path, limits={"scripted": Limit(in_flight=3)})
    whole, _ = await play_all(arena, study(agent(reply=reply), subjects=8))
    assert (whole.done, most) == (8, 3)


async def test_a_limit_of_requests_holds_over_all_parts(path: Path) -> None:
    came: list[float] = []

    def reply(request: Request) -> str:
        came.append(asyncio.get_running_loop().time())
        return by_seed(request)

    # 10 in each second and a bit.
    arena = Arena(path, limits={"scripted": Limit(rpm=600)})
    await play_all(arena, study(agent(reply=reply), subjects=5))
    assert len(came) == 30
    assert all(late - early > 0.9 for early, late in zip(came, came[10:], strict=False))


async def test_a_429_in_one_part_slows_down_all_of_them(path: Path) -> None:
    refused = 0
    seen: list[str] = []

    async def reply(request: Request) -> str:
        nonlocal refused
        await asyncio.sleep(0.01)
        if refused < 3:
            refused += 1
            raise RateLimitedError("slower", http_status=429, retry_after_s=0.01)
        return by_seed(request)

    talks = study(agent(reply=reply), subjects=12)
    async with kept(Arena(path), talks) as (address, record, _):
        playing = [play_part(address, n, 2, f"part {n}", talks) for n in (1, 2)]
        parts = asyncio.gather(*playing)
        while not parts.done():
            await asyncio.sleep(0.002)
            seen += record.run.rate_limiter.describe()
        await parts
    assert any("slowed to" in sentence for sentence in seen)
    assert Arena(path).sql("from episodes where status = 'done'").rows.__len__() == 12


def priced(cost: Counter[str], enough: asyncio.Event | None = None) -> Agent:
    """An agent whose every reply costs a cent, and whose worst case is about two.

    `enough` is set at its tenth.
    """

    async def reply(request: Request) -> Reply:
        await asyncio.sleep(0.002)
        cost["calls"] += 1
        if cost["calls"] == 10 and enough is not None:
            enough.set()
        return Reply("words|70", tokens_in=1, tokens_out=9_999)

    model = scripted_model(reply, "priced", price=Price(1.0, 1.0, longest_reply=20_000))
    return Agent("priced", model)


async def test_a_budget_is_one_for_all_parts_and_never_exceeded(path: Path) -> None:
    cost: Counter[str] = Counter()
    arena = Arena(path, budget_usd=0.25)
    whole, _ = await play_all(arena, study(priced(cost), subjects=20))
    assert whole.stopped is not None
    assert "the budget of $0.25 allows no further call" in whole.stopped
    # The last one does not fit although it would have cost less: its worst case counts.
    assert 20 <= cost["calls"] <= 25
    spent = arena.sql("select sum(coalesce(cost_usd, worst_usd)) from calls").rows[0][0]
    assert spent <= 0.25
    assert (await play_all(Arena(path, budget_usd=5), study(priced(cost), subjects=20)))[0].done


async def test_a_part_that_vanishes_loses_nothing_that_was_acknowledged(path: Path) -> None:
    asked: Counter[tuple[str, str, int]] = Counter()
    before: dict[tuple[str, str, int], str] = {}
    records: list[ProcessRecord] = []
    lost_at = [10, 25, 40]

    async def reply(request: Request) -> str:
        place = (request.place.episode, request.place.seat, request.place.step)
        # What was stored when a part was lost is asked for no more.
        assert place not in before
        asked[place] += 1
        await asyncio.sleep(0.01)
        if lost_at and asked.total() >= lost_at[0]:
            del lost_at[0]
            vanish(records[0])
        return by_seed(request)

    talks = study(agent(reply=reply), subjects=10)
    lives = 1
    async with kept(Arena(path, concurrency=3), talks) as (address, record, _):
        records.append(record)
        while True:
            try:
                await play_part(address, 1, 1, "a part", talks)
                break
            except StoreError:
                lives += 1
            now = {row[:3]: row[3] for row in Arena(path).sql(TEXTS)}
            assert before.items() <= now.items()
            before |= now
    assert lives == 4
    assert len(Arena(path).sql(TEXTS)) == 60
    # Every request is in the ledger, also those that no reply has come to.
    assert Arena(path).sql("select count(*) from calls").rows[0][0] == asked.total() > 60
    assert Arena(path).sql("from missing").rows == ()


def vanish(record: ProcessRecord) -> None:
    """Cut the connections of all parts, as a kill does."""
    for part in list(record.parts):
        assert part.wire._transport is not None
        part.wire._transport.abort()


async def test_the_budget_counts_calls_of_a_vanished_part_with_their_worst_case(
    path: Path,
) -> None:
    cost: Counter[str] = Counter()
    enough = asyncio.Event()
    talks = study(priced(cost, enough), subjects=20)
    async with kept(Arena(path, budget_usd=100), talks) as (address, record, _):
        part = asyncio.create_task(play_part(address, 1, 1, "one", talks))
        async with asyncio.timeout(20):
            await enough.wait()
        budget = record.run.budget
        assert budget is not None
        held = sum(sum(each.reserved.values()) for each in record.parts)
        before = budget.spent_usd
        vanish(record)
        await asyncio.gather(part, return_exceptions=True)
        assert budget.spent_usd >= before + held - 1e-9
        assert (budget.reserved_usd, budget.has_calls_in_flight) == (0.0, False)
        await play_part(address, 1, 1, "two", talks)


async def test_a_part_with_another_study_is_refused(path: Path) -> None:
    with pytest.raises(StudyError, match="has other episodes here"):
        await play_with_other(path, study(subjects=4), study(subjects=3))


async def test_a_part_with_other_code_is_refused(path: Path) -> None:
    def other(request: Request) -> str:
        return f"other {by_seed(request)}"

    with pytest.raises(StudyError, match="is another one here than where the record is kept"):
        await play_with_other(path, study(), study(agent(reply=other)))


async def play_with_other(path: Path, talks: Study, other: Study) -> None:
    """Keep the record of one study, join it with another one, and then with the right one."""
    async with kept(Arena(path), talks) as (address, record, run):
        try:
            await play_part(address, 1, 1, "another", other)
        finally:
            assert "another cannot play" in record.run.stats.notes[-1]
            await play_part(address, 1, 1, "the right one", talks)
            assert (await run).open == 0


async def test_a_share_that_is_played_already_is_given_to_nobody_else(path: Path) -> None:
    talks = study(subjects=6)
    async with kept(Arena(path), talks) as (address, _, _):
        one = asyncio.create_task(play_part(address, 1, 1, "one", talks))
        with pytest.raises(StudyError, match="is being played already, by one: end that process"):
            await asyncio.wait_for(play_part(address, 1, 1, "other", talks), 20)
        assert (await one).planned == 6
    assert Arena(path).sql("select count(*) from calls").rows[0][0] == 36


async def test_a_part_of_which_nothing_is_heard_gives_its_share_and_places_to_a_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_server, "SILENT_S", 0.2)
    monkeypatch.setattr(record_server, "NOTICED_S", 0.1)
    talks = study(subjects=2)
    async with kept(Arena(path, limits={"scripted": Limit(in_flight=1)}), talks) as (
        address,
        record,
        _,
    ):
        # A process that was stopped: it holds the share and the only place, and says no more.
        silent = RecordClient()
        await connect(silent, address)
        silent.wire.say("hello", (1, 1, "silent"))
        await silent.welcome
        await silent.ask("enter", "scripted/echo", {}, 100)
        assert not any("nothing is heard" in sentence for sentence in record.describe())
        await asyncio.sleep(0.3)
        assert any("nothing is heard of silent for" in each for each in record.describe())
        part = await play_part(address, 1, 1, "new", talks)
        assert silent.lost.is_set()
    assert (part.planned, part.done) == (2, 2)


async def test_a_new_worker_takes_the_share_of_one_that_was_lost_without_a_word(
    path: Path,
) -> None:
    talks = study(subjects=2)
    async with kept(Arena(path), talks) as (address, record, _):
        lost = RecordClient()
        await connect(lost, address)
        lost.wire.say("hello", (1, 1, "lost"))
        await lost.welcome
        # What started workers knows that the first one has ended.
        record.workers = 1
        part = await play_part(address, 1, 1, "new", talks)
        record.workers = 0
    assert (part.planned, part.done) == (2, 2)


async def test_a_path_that_is_too_long_for_a_socket_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / ("x" * 120)).mkdir()
    monkeypatch.setattr(processes, "scratch", lambda: folder)
    with pytest.raises(StudyError, match=r"cannot listen at .* set TMPDIR to a shorter path"):
        async with ProcessRecord(OnProcesses(2)).listen():
            pass


async def test_a_stranger_is_not_heard(tmp_path: Path) -> None:
    heard: list[object] = []
    secretive = Wire(lambda words, body: heard.append(words), lambda: None, secret="s3cret")
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: secretive, tmp_path / "socket"
    )
    client = RecordClient()
    await connect(client, str(tmp_path / "socket"))
    client.wire.say("hello", (1, 1, "a stranger"))
    async with asyncio.timeout(5):
        await client.lost.wait()
    assert heard == []
    server.close()
