"""Shares that are begun by hand play with their record alone, in any order and through stages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.calls.rate_limits import Limit
from arena.errors import StoreError, StudyError
from arena.machines import joining, record_file
from arena.machines.joining import Joining
from arena.machines.places import OnProcesses
from arena.machines.playing import run_share_alone, runner_at
from arena.machines.processes import run_on_processes
from arena.machines.record_file import RecordFile
from arena.play.run import EVERYTHING_OPEN, Arena, RunSelection
from arena.play.summary import Summary
from arena.studies.study import Study
from arena.tournaments.stages import Stage, run_stages
from arena.types import Request
from tests.fake_agents import agent, by_seed, study

TALKS = "select count(*) from episodes where status = 'done'"
FIRST = RunSelection(shard=(1, 2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no share wait for ten minutes."""
    monkeypatch.setattr(joining, "JOIN_S", 20.0)
    monkeypatch.setattr(record_file, "LOCKING_S", 0.2)


def named(name: str, talks: Study) -> Study:
    """A study under another name."""
    return replace(talks, name=name)


def begin(
    arena: Arena, stages: Sequence[Study | Stage], shard: tuple[int, int] | None = None
) -> asyncio.Future[list[Summary]]:
    """Begin on a thread what `arena run --on shards` does, with `--shard` or as the record."""
    selection = EVERYTHING_OPEN if shard is None else RunSelection(shard=shard)

    def play() -> list[Summary]:
        """Play the stages."""
        names = [stage.name for stage in stages]
        with runner_at(OnProcesses(0), arena, names, selection) as (runner, before_stage):
            return run_stages(
                arena, stages, selection=selection, runner=runner, before_stage=before_stage
            )

    return asyncio.ensure_future(asyncio.to_thread(play))


def counted(most: list[int]) -> Callable[[Request], Any]:
    """Return what answers a request, and notes in `most` how many it had in hand at most."""
    now = 0

    async def reply(request: Request) -> str:
        nonlocal now
        now += 1
        most[0] = max(most[0], now)
        await asyncio.sleep(0.002)
        now -= 1
        return by_seed(request)

    return reply


def wait_for_turns(path: Path) -> None:
    """Wait until something was said."""
    while not path.exists() or not Arena(path).sql("from turns limit 1").rows:
        time.sleep(0.05)


async def test_shares_wait_for_the_record_of_each_stage(path: Path) -> None:
    most = [0]
    seated = agent(reply=counted(most))

    def write(path: Path) -> Study:
        """Write the second stage; StudyError before the first one has been played."""
        if Arena(path).sql(TALKS).rows[0][0] < 4:
            raise StudyError("the first stage is open")
        return named("second", study(seated, subjects=2))

    second = Stage("second", write, lambda path: 2, (seated,))
    stages = [named("first", study(seated, subjects=4)), second]
    record = begin(Arena(path, limits={"scripted": Limit(in_flight=2)}), stages)
    # The first share has ended its part of a stage before the second one begins with it.
    shares = [begin(Arena(path), stages, (1, 2))]
    async with asyncio.timeout(60):
        await asyncio.to_thread(wait_for_turns, path)
        shares.append(begin(Arena(path), stages, (2, 2)))
        whole, *parts = await asyncio.gather(record, *shares)
    assert [(each.study, each.done, each.open) for each in whole] == [
        ("first", 4, 0),
        ("second", 2, 0),
    ]
    assert [sum(stage.done for stage in each) for each in zip(*parts, strict=True)] == [4, 2]
    assert sum(summary.replies for summary in whole) == 36
    assert most[0] <= 2


async def test_a_share_that_comes_first_waits_for_its_record(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "QUIET_S", 0.1)
    most = [0]
    stages = [study(agent(reply=counted(most)), subjects=2)]
    share = begin(Arena(path), stages, (1, 1))
    await asyncio.sleep(0.5)
    assert (most, path.exists(), share.done()) == ([0], False, False)
    assert "talks 1/1: waits up to 20 seconds for its record in" in capsys.readouterr().err
    async with asyncio.timeout(60):
        (whole,), (part,) = await asyncio.gather(begin(Arena(path), stages), share)
    assert (whole.done, part.done, part.replies) == (2, 2, 12)


async def test_a_share_whose_record_does_not_come_plays_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "JOIN_S", 0.1)
    with pytest.raises(StudyError, match="no record of 'talks' is kept in"):
        await begin(Arena(path), [study()], (1, 2))
    assert not path.exists()


async def test_a_share_ends_with_a_record_that_does_not_come_to_its_next_stage(path: Path) -> None:
    names = ["talks", "later"]
    share = Joining(Arena(path), names, FIRST)
    with RecordFile(path, names) as file:
        await play_with(path, file, share)
    # Its own share is done, and the other one was not: the record has stopped.
    with pytest.raises(StudyError, match=r"record is gone.* before it came to 'later'"):
        await share.begin_stage()


async def test_a_stage_that_is_over_is_passed_by(path: Path) -> None:
    names = ["talks", "later"]
    share = Joining(Arena(path), names, FIRST)
    with RecordFile(path, names) as file:
        await play_with(path, file, share)
        file.end_stage()
        file.end_stage()
    await share.begin_stage()
    passed = await share.play(named("later", study()))
    assert (passed.planned, passed.replies, passed.open) == (0, 0, 0)


async def test_a_share_says_that_its_record_was_stopped(path: Path) -> None:
    asked = asyncio.Event()

    async def never(request: Request) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    talks = study(agent(reply=never))
    share = Joining(Arena(path), ["talks"], RunSelection(shard=(1, 1)))
    place = OnProcesses(0)
    record = asyncio.create_task(
        run_on_processes(place, Arena(path), talks, selection=EVERYTHING_OPEN)
    )
    async with asyncio.timeout(60):
        await share.begin_stage()
        playing = asyncio.create_task(share.play(talks))
        await asked.wait()
        record.cancel()
        with pytest.raises(StoreError, match="the record was stopped: run the same commands again"):
            await playing
        await asyncio.gather(record, return_exceptions=True)


async def play_with(path: Path, file: RecordFile, share: Joining) -> None:
    """Play both shares of a stage with its record, one of them by `share`."""
    talks = study()
    other = Joining(Arena(path), ["talks", "later"], RunSelection(shard=(2, 2)))
    place = OnProcesses(0, file=file)
    record = run_on_processes(place, Arena(path), talks, selection=EVERYTHING_OPEN)

    async def play(one: Joining) -> Summary:
        """Play a share."""
        await one.begin_stage()
        return await one.play(talks)

    async with asyncio.timeout(60):
        whole, *_ = await asyncio.gather(record, play(share), play(other))
    assert whole.done == 2


async def test_a_share_of_other_stages_is_refused(path: Path) -> None:
    share = Joining(Arena(path), ["talks", "else"], FIRST)
    with (
        RecordFile(path, ["talks", "later"]),
        pytest.raises(StudyError, match="is kept for talks, later, and this share is of talks, el"),
    ):
        await share.begin_stage()


def test_a_share_is_not_played_alone_beside_a_record(path: Path) -> None:
    with (
        RecordFile(path, ["first", "talks"]),
        pytest.raises(StudyError, match="join it by `--on shards --shard I/N`"),
    ):
        run_share_alone(Arena(path), study(), FIRST)


def test_a_record_that_was_refused_leaves_nothing_behind(path: Path) -> None:
    with RecordFile(path, ["talks"]), pytest.raises(StudyError, match=r"is kept in .* already"):
        RecordFile(path, ["talks"]).__enter__()
    assert list(path.parent.iterdir()) == []


def test_without_a_record_a_share_is_played_as_ever(path: Path) -> None:
    halves = [run_share_alone(Arena(path), study(), RunSelection(shard=(n, 2))) for n in (1, 2)]
    assert halves[-1].done == 2


@pytest.mark.parametrize(
    ("settings", "selection"),
    [
        ({"limits": {"scripted": Limit(rpm=5)}}, FIRST),
        ({"budget_usd": 1.0}, FIRST),
        ({"cache": True}, FIRST),
        ({"max_unreadable": 0.5}, FIRST),
        ({}, RunSelection(limit=3, shard=(1, 2))),
    ],
)
def test_only_the_record_is_told_of_limits_and_money(
    path: Path, settings: dict[str, Any], selection: RunSelection
) -> None:
    with pytest.raises(StudyError, match="the record's"):
        Joining(Arena(path, **settings), ["talks"], selection)
