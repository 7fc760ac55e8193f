"""Tell hooks what happens in a run (arena/events.py), out of the lines of its journal.

Whatever happens is a line of the journal, so that nothing else in a run needs to know of hooks: a
tap passes lines on, and a thread makes events of them.  A hook never slows or breaks a run, nor
another hook: each has a thread and a queue of its own.  What it does not come to in time is left
out, and one that fails is told nothing more.  Either is a warning of the run.
"""

from __future__ import annotations

import inspect
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson

from arena.calls.run_stats import RunStats
from arena.errors import StudyError
from arena.events import (
    CallEnded,
    EpisodeEnded,
    EpisodeStarted,
    Event,
    Hook,
    HookFunction,
    RunWarning,
    StudyEnded,
    StudyStarted,
)
from arena.plugins import HOOKS, plugins
from arena.store.journal import Journal
from arena.studies.study import Play, Study, protocol_name
from arena.text import describe_cost

LOG = logging.getLogger("arena")
# A library says nothing unless somebody listens.
LOG.addHandler(logging.NullHandler())
# Lines that wait to become events: about so many bytes, then they are left out.
MOST_BYTES = 64 * 2**20
# Events that wait for a slow hook, then they are left out for it.
MOST_EVENTS = 20_000
# How long the end of a run waits for its hooks, and then for what they do at the end.
LONGEST_S = 2.0
TABLES = (b'{"t":"plays"', b'{"t":"call_starts"', b'{"t":"call_ends"', b'{"t":"statuses"')
TURNS = (b'{"t":"turns"', b'{"t":"unfinished_turns"')
# Fields of an event that are columns of the ledger of the same name.
CALL_COLUMNS = (
    *("episode", "seat", "step", "ask", "attempt", "status", "error_kind", "error", "http_status"),
    *("tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning", "cost_usd"),
    *("latency_s", "queued_s", "finish_reason"),
)
Turns = Mapping[tuple[str, str, int], Mapping[str, Any]]


class EventReader:
    """Make events of the lines of one run's journal, in their order."""

    def __init__(self, study: str, run: str, todo: Sequence[Play]) -> None:
        self._study = study
        self._run = run
        self._plays = {play.episode: play for play in todo}
        self._begun: set[str] = set()
        # The agents of seats that a protocol has created, by (episode, seat).
        self._seats: dict[tuple[str, str], tuple[str, str]] = {}
        self._sent: dict[tuple[object, ...], Mapping[str, float | str]] = {}

    def read(self, lines: Sequence[bytes]) -> Iterator[Event]:
        """Yield the events of lines that were written together."""
        turns: dict[tuple[str, str, int], Mapping[str, Any]] = {}
        for line in lines:
            if line.startswith(TURNS):
                row = orjson.loads(line)
                turns[row["episode"], row["seat"], row["step"]] = row
        for line in lines:
            if line.startswith(b'{"t":"seats"'):
                row = orjson.loads(line)
                self._seats[row["episode"], row["seat"]] = row["agent"], row["model"]
            elif line.startswith(TABLES):
                row = orjson.loads(line)
                yield from self._events_of(row, turns)

    def _events_of(self, row: Mapping[str, Any], turns: Turns) -> Iterator[Event]:
        """Yield the events of one row; `turns` are those that were written with it."""
        episode = row["episode"]
        if episode not in self._begun and (play := self._plays.get(episode)):
            # One that goes on has no line with which it begins.
            self._begun.add(episode)
            yield EpisodeStarted(
                *(self._study, self._run, time_of(row.get("started_at"))),
                episode,
                play.arm,
                protocol_name(play.protocol),
                play.repeat,
                {seat: agent.model.name for seat, agent in play.lineup.items()},
                continued=row["t"] != "plays",
            )
        if row["t"] == "call_starts":
            self._sent[call_key(row)] = settings_of(row.get("sent"))
        elif row["t"] == "call_ends":
            yield self._call(row, turns.get((episode, row["seat"], row["step"]), {}))
        elif row["t"] == "statuses":
            yield EpisodeEnded(
                *(self._study, self._run, time_of(row["ended_at"]), episode, row["status"]),
                *(row.get("error_kind"), row.get("error")),
            )
            self._begun.discard(episode)

    def _call(self, row: Mapping[str, Any], turn: Mapping[str, Any]) -> CallEnded:
        """Return the end of a call; `turn` is the one that its reply belongs to, if it is there."""
        agent, model = self._speaker(row["episode"], row["seat"])
        columns = {name: row.get(name) for name in CALL_COLUMNS}
        return CallEnded(
            study=self._study,
            run=self._run,
            started_at=time_of(row["started_at"]),
            at=now(),
            model=model,
            agent=agent,
            model_served=turn.get("model_served"),
            settings=self._sent.pop(call_key(row), {}),
            text=turn.get("reask_text" if row["ask"] else "text"),
            reasoning=None if row["ask"] else turn.get("reasoning"),
            **cast(Any, columns),
        )

    def _speaker(self, episode: str, seat: str) -> tuple[str | None, str]:
        """Return the agent of a seat and the model, by its reference."""
        play = self._plays.get(episode)
        if play is not None and seat in play.lineup:
            return play.lineup[seat].name, play.lineup[seat].model.name
        return self._seats.get((episode, seat), (None, "unknown"))


class Listener:
    """A hook with its queue and its thread: it waits for no other hook, and none waits for it."""

    def __init__(self, hook: Hook, stats: RunStats) -> None:
        self.hook = hook
        self._stats = stats
        self._queue: queue.Queue[Event | None] = queue.Queue(MOST_EVENTS)
        # Two counters, since two threads count.
        self._told = 0
        self._done = 0
        self._left_out = 0
        self._has_failed = False
        self._is_late = False
        self._is_closed = False
        name = f"arena hook {hook.name}"
        self.thread = threading.Thread(target=self._listen, name=name, daemon=True)
        self.thread.start()

    def tell(self, event: Event) -> None:
        """Put an event into the queue, unless that is full."""
        try:
            self._queue.put_nowait(event if self.hook.texts else without_texts(event))
            self._told += 1
        except queue.Full:
            self._left_out += 1

    def wait(self, until: float) -> None:
        """Wait until the hook has come to all events, or a time.monotonic(); once too late, not."""
        if self._is_late:
            return
        while self._done < self._told and time.monotonic() < until:
            time.sleep(0.005)
        self._is_late = self._done < self._told
        if self._is_late or self._left_out:
            self._left_out = 0
            self._stats.notes.append(
                f"the hook {self.hook.name} is slow: not every event was told to it"
            )

    def close(self) -> None:
        """End the thread, at once or when the hook returns; what waits for it is left out."""
        self._is_closed = True
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def _listen(self) -> None:
        """Call the hook with each event; not any more, with a warning, once it fails."""
        while not self._is_closed and (event := self._queue.get()) is not None:
            if not self._has_failed:
                self._call(event)
            self._done += 1

    def _call(self, event: Event) -> None:
        try:
            self.hook.function(event)
        except BaseException as error:  # an exit or a cancellation of the hook's own too
            self._has_failed = True
            self._stats.notes.append(
                f"the hook {self.hook.name} failed with {type(error).__name__}, and is told nothing"
                " more; the run goes on"
            )


class RunEvents:
    """The hooks of one run, and the thread that makes events of lines for them."""

    def __init__(
        self, hooks: Sequence[Hook], study: Study, run: str, todo: Sequence[Play], stats: RunStats
    ) -> None:
        self._listeners = [Listener(hook, stats) for hook in hooks]
        self._study = study.name
        self._run = run
        self._stats = stats
        self._reader = EventReader(study.name, run, todo)
        self._blocks: deque[bytes] = deque()
        # Two counters, since two threads count.
        self._bytes_taken = 0
        self._bytes_read = 0
        self._left_out = 0
        self._warned: set[str] = set()
        self._wake = threading.Event()
        self._is_over = False
        self._is_read = False
        simulated = any(agent.model.simulated for play in todo for agent in play.lineup.values())
        budget = stats.budget.limit_usd if stats.budget else None
        self._tell(StudyStarted(self._study, run, now(), len(todo), simulated, budget))
        self._thread = threading.Thread(target=self._read_all, name="arena hooks", daemon=True)
        self._thread.start()

    def note(self, block: bytes) -> None:
        """Take lines that were written together, unless too many wait."""
        if self._bytes_taken + len(block) - self._bytes_read > MOST_BYTES:
            self._left_out += 1
            return
        self._bytes_taken += len(block)
        self._blocks.append(block)
        self._wake.set()

    def close(self) -> None:
        """Tell hooks of the end, and wait for them, though not for long."""
        self._is_over = True
        self._wake.set()
        self._thread.join(LONGEST_S)
        if self._thread.is_alive() or self._left_out or not self._is_read:
            has_died = not (self._thread.is_alive() or self._is_read)
            why = "the thread that reads them has died" if has_died else "there were too many"
            self._stats.notes.append(f"hooks were not told of every event: {why}")
        self._wait_for_hooks()
        # What hooks have failed at, or are slow, is told to the others before the end is.
        self._tell_warnings()
        self._tell(self._end())
        self._wait_for_hooks()
        for listener in self._listeners:
            listener.close()

    def _wait_for_hooks(self) -> None:
        """Wait for all hooks together, not for one after the other."""
        until = time.monotonic() + LONGEST_S
        for listener in self._listeners:
            listener.wait(until)

    def _end(self) -> StudyEnded:
        """Return the event of the run's end."""
        stats = self._stats
        return StudyEnded(
            self._study,
            self._run,
            now(),
            done=stats.done,
            failed=stats.failed,
            open=stats.planned - stats.done - stats.failed,
            replies=stats.replies,
            tokens_in=stats.tokens_in,
            tokens_out=stats.tokens_out,
            cost_usd=stats.cost_usd if stats.cost_usd or not stats.unpriced else None,
            stopped=stats.stopped,
            calls_of_unknown_cost=stats.unpriced,
        )

    def _read_all(self) -> None:
        """Tell the hooks of all events of lines until the run has ended."""
        while True:
            self._wake.wait(0.2)
            self._wake.clear()
            # Looked at before the lines: what comes later is of no use to the end.
            is_over = self._is_over
            while self._blocks:
                block = self._blocks.popleft()
                self._bytes_read += len(block)
                for event in self._reader.read(block.splitlines()):
                    self._tell(event)
            if is_over:
                self._is_read = True
                return
            self._tell_warnings()

    def _tell_warnings(self) -> None:
        """Tell the hooks of new sentences for the user."""
        for sentence in (*self._stats.notes, *self._stats.probes.refused.values()):
            if sentence not in self._warned:
                self._warned.add(sentence)
                self._tell(RunWarning(self._study, self._run, now(), sentence))

    def _tell(self, event: Event) -> None:
        """Tell each hook of an event."""
        for listener in self._listeners:
            listener.tell(event)


class TappedJournal(Journal):
    """A journal whose lines go to hooks too, once they are written."""

    def __init__(self, folder: Path, run: str, events: RunEvents) -> None:
        super().__init__(folder, run)
        self._events = events

    def append(self, *lines: bytes) -> None:
        """Write lines, then tell of them."""
        # Together with those that were to be written later.
        written = b"".join((*self._later, *lines))
        super().append(*lines)
        self._events.note(written)

    def close(self) -> None:
        """Close the journal, then tell of the end."""
        try:
            super().close()
        finally:
            self._events.close()


def open_journal(
    folder: Path,
    hooks: Sequence[Hook | HookFunction],
    study: Study,
    run: str,
    todo: Sequence[Play],
    stats: RunStats,
) -> Journal:
    """Return the journal of a run, which tells hooks of what is written if there are any.

    They are those given, those of installed packages, and the log if anybody reads it.
    """
    found = [hook if isinstance(hook, Hook) else Hook(hook) for hook in hooks]
    for plugin in plugins(HOOKS):
        try:
            loaded = plugin.load()
            check_hooks([loaded])
            found.append(loaded if isinstance(loaded, Hook) else Hook(loaded))
        except StudyError as error:
            stats.notes.append(f"a hook is told nothing: {error}")
    if LOG.isEnabledFor(logging.WARNING) and has_handlers(LOG):
        found.append(Hook(log_event))
    if not found:
        return Journal(folder, run)
    return TappedJournal(folder, run, RunEvents(found, study, run, todo, stats))


def check_hooks(hooks: Sequence[Hook | HookFunction]) -> None:
    """Raise StudyError for a hook that is no plain function of an event."""
    for each in hooks:
        function = each.function if isinstance(each, Hook) else each
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise StudyError(
                f"a hook is a function of one event, and not async, found {each!r:.80};"
                " see arena/events.py"
            )


def without_texts(event: Event) -> Event:
    """Return an event without the words of models and servers."""
    if isinstance(event, CallEnded):
        return replace(event, text=None, reasoning=None, error=None)
    return replace(event, error=None) if isinstance(event, EpisodeEnded) else event


def log_event(event: Event) -> None:
    """Write an event to the logger "arena".

    Calls and episodes are of level DEBUG, studies INFO; what fails is a WARNING.
    """
    match event:
        case CallEnded():
            failed = event.status == "failed"
            LOG.log(
                logging.WARNING if failed else logging.DEBUG,
                *("call of %s for %s %s in %s: %s", event.model, event.seat, event.step),
                *(event.episode, event.error_kind or event.status),
            )
        case EpisodeStarted():
            how = "goes on" if event.continued else "begins"
            LOG.debug("episode %s of %s %s", event.episode, event.study, how)
        case EpisodeEnded():
            level = logging.DEBUG if event.status == "done" else logging.WARNING
            why = f" ({event.error_kind})" if event.error_kind else ""
            LOG.log(level, "episode %s is %s%s", event.episode, event.status, why)
        case RunWarning():
            LOG.warning("%s: %s", event.study, event.sentence)
        case StudyStarted():
            LOG.info("%s: run %s of %d episodes", event.study, event.run, event.episodes)
        case StudyEnded():
            LOG.info(
                "%s: %d done, %d failed, %d open; %d replies, %s",
                *(event.study, event.done, event.failed, event.open, event.replies),
                describe_cost(event.cost_usd, event.calls_of_unknown_cost),
            )


def has_handlers(logger: logging.Logger) -> bool:
    """Return whether records of a logger go anywhere: a library is silent unless it is asked."""
    place: logging.Logger | None = logger
    while place is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in place.handlers):
            return True
        place = place.parent if place.propagate else None
    return False


def settings_of(sent: object) -> Mapping[str, float | str]:
    """Return the settings of a request that are numbers; texts may be anybody's words."""
    if not isinstance(sent, dict):
        return {}
    return {name: value for name, value in sent.items() if isinstance(value, int | float)}


def call_key(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what tells an attempt from all others of its run."""
    return tuple(row[name] for name in ("episode", "seat", "step", "ask", "attempt"))


def time_of(written: str | None) -> datetime:
    """Return a time of the record, which is in UTC; the time now if there is none."""
    return now() if written is None else datetime.fromisoformat(written).replace(tzinfo=UTC)


def now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)
