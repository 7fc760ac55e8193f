"""Hooks are told what happens in a run, nothing private unless asked, and cannot harm it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from arena.arena import Arena
from arena.calls.run_stats import RunStats
from arena.errors import RefusedError, StudyError
from arena.events import (
    CallEnded,
    EpisodeEnded,
    EpisodeStarted,
    Event,
    Hook,
    RunWarning,
    StudyEnded,
    StudyStarted,
)
from arena.play import hooks
from arena.play.hooks import LOG
from arena.types import Request
from tests.fake_agents import agent, by_seed, study

SECRET = "the reply that nobody else may read"


def secretive(request: Request) -> str:
    """A reply with a secret; number 1 has no rating, and the opposition of it refuses."""
    if "number 1" in request.messages[-1].content and request.place.seat == "opposition":
        raise RefusedError(f"refused: {SECRET}")
    return SECRET if request.place.step == 0 and not request.place.ask else f"{SECRET}|60"


def no_watch(stats: object) -> None:
    """Draw nothing."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Arena, list[Event], list[Event]]:
    """A run with an episode that is done and one that fails, and what two hooks were told."""
    plain: list[Event] = []
    full: list[Event] = []
    path = tmp_path_factory.mktemp("told") / "a.duckdb"
    arena = Arena(path, hooks=[plain.append, Hook(full.append, texts=True)])
    arena.run(study(agent("a", secretive), rounds=2), watch=no_watch)
    return arena, plain, full


def test_events_are_those_of_the_record_in_their_order(
    told: tuple[Arena, list[Event], list[Event]],
) -> None:
    arena, events, _ = told
    assert isinstance(events[0], StudyStarted)
    assert isinstance(events[-1], StudyEnded)
    assert events[0].episodes == 2
    ended = events[-1]
    assert (ended.done, ended.failed, ended.open) == (1, 1, 0)
    calls = [event for event in events if isinstance(event, CallEnded)]
    stored = arena.sql("select episode, seat, step, ask, status, error_kind from calls").rows
    found = [(c.episode, c.seat, c.step, c.ask, c.status, c.error_kind) for c in calls]
    assert Counter(found) == Counter(stored)
    assert {(c.model, c.agent) for c in calls} == {("scripted/a", "a")}
    begun = {event.episode: event for event in events if isinstance(event, EpisodeStarted)}
    assert {each.models["proposition"] for each in begun.values()} == {"scripted/a"}
    assert not any(each.continued for each in begun.values())
    ends = [event for event in events if isinstance(event, EpisodeEnded)]
    assert sorted(each.status for each in ends) == ["done", "failed"]
    for each in ends:
        mine = [e for e in events if getattr(e, "episode", None) == each.episode]
        assert (mine[0], mine[-1]) == (begun[each.episode], each)
    assert len({event.run for event in events}) == 1


def test_texts_go_to_the_hook_alone_that_asks_for_them(
    told: tuple[Arena, list[Event], list[Event]],
) -> None:
    _, plain, full = told
    assert len(plain) == len(full)
    assert SECRET not in repr(plain)
    calls = [event for event in full if isinstance(event, CallEnded)]
    assert all(SECRET in (event.text or event.error or "") for event in calls)
    assert {event.text for event in calls if event.ask} == {f"{SECRET}|60"}


@pytest.mark.slow
def test_an_episode_that_goes_on_is_told_of_and_its_stored_calls_are_not(tmp_path: Path) -> None:
    stops = [True]

    def stopping(request: Request) -> str:
        if request.place.step == 1 and stops:
            stops.clear()
            raise KeyboardInterrupt
        return by_seed(request)

    two = study(agent("a", stopping), subjects=1, rounds=2)
    with pytest.raises(KeyboardInterrupt):
        Arena(tmp_path / "a.duckdb").run(two, watch=no_watch)
    events: list[Event] = []
    arena = Arena(tmp_path / "a.duckdb", hooks=[events.append])
    arena.run(two, watch=no_watch)
    (begun,) = [event for event in events if isinstance(event, EpisodeStarted)]
    assert begun.continued
    assert {event.step for event in events if isinstance(event, CallEnded)} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_a_hook_that_fails_is_one_warning_and_the_run_goes_on(
    error: type[BaseException], tmp_path: Path
) -> None:
    others: list[Event] = []

    def fails(event: Event) -> None:
        if isinstance(event, CallEnded):
            raise error("no")

    arena = Arena(tmp_path / "a.duckdb", hooks=[fails, others.append])
    summary = arena.run(study(subjects=1), watch=no_watch)
    assert (summary.done, summary.failed) == (1, 0)
    warnings = [event.sentence for event in others if isinstance(event, RunWarning)]
    assert len(warnings) == 1
    assert f"fails failed with {error.__name__}, and is told nothing more" in warnings[0]
    assert isinstance(others[-1], StudyEnded)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_says_when_the_thread_that_reads_events_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hooks.EventReader, "read", dies)
    events: list[Event] = []
    arena = Arena(tmp_path / "a.duckdb", hooks=[events.append])
    assert arena.run(study(subjects=1), watch=no_watch).done == 1
    (warning,) = [event.sentence for event in events if isinstance(event, RunWarning)]
    assert warning.endswith("of every event: the thread that reads them has died")
    assert isinstance(events[-1], StudyEnded)


@pytest.mark.slow
def test_a_hook_that_hangs_is_named_and_holds_up_neither_the_run_nor_other_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "LONGEST_S", 0.5)
    forever = threading.Event()
    others: list[Event] = []

    def hangs(event: Event) -> None:
        forever.wait(60)

    arena = Arena(tmp_path / "a.duckdb", hooks=[hangs, others.append])
    summary = arena.run(study(subjects=1), watch=no_watch)
    forever.set()
    assert (summary.done, summary.open) == (1, 0)
    assert {StudyStarted, CallEnded, EpisodeEnded} < {type(event) for event in others}
    assert isinstance(others[-1], StudyEnded)
    (warning,) = [event.sentence for event in others if isinstance(event, RunWarning)]
    assert warning.endswith("hangs is slow: not every event was told to it")


def test_what_a_slow_hook_does_not_come_to_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_EVENTS", 2)
    forever = threading.Event()
    told: list[Event] = []

    def hangs(event: Event) -> None:
        told.append(event)
        forever.wait(60)

    stats = RunStats(planned=1)
    listener = hooks.Listener(Hook(hangs), stats)
    for number in range(9):
        listener.tell(RunWarning("s", "r", hooks.now(), str(number)))
    # Once, however often it is waited for.
    for _ in range(2):
        listener.wait(time.monotonic() + 0.01)
    assert len(stats.notes) == 1
    listener.close()
    forever.set()
    listener.thread.join(30)
    assert not listener.thread.is_alive()
    assert len(told) == 1


async def asynchronous(event: Event) -> None:
    """No hook."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("wrong", ["print", asynchronous, Hook(asynchronous)])
def test_what_cannot_be_a_hook_is_refused(wrong: object) -> None:
    with pytest.raises(StudyError, match="a hook is a function of one event, and not async"):
        Arena("none.duckdb", hooks=[wrong])  # type: ignore[list-item]  # the claim


@pytest.mark.slow
def test_the_log_has_levels_and_is_silent_unless_somebody_listens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="arena"):
        Arena(tmp_path / "a.duckdb").run(study(agent("a", secretive), rounds=1), watch=no_watch)
    levels = Counter(record.levelname for record in caplog.records if record.name == "arena")
    assert levels["INFO"] == 2
    assert levels["WARNING"] >= 2
    assert levels["DEBUG"] >= 4
    assert SECRET not in caplog.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LOG, "propagate", False)
        assert not hooks.has_handlers(LOG)
        Arena(tmp_path / "b.duckdb").run(study(agent("a", secretive), rounds=1), watch=no_watch)
    assert capfd.readouterr().err == ""
