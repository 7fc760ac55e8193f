"""Keep one record for all parts of a run: journal, memo, limits and budget.

The record is the run itself (arena/play/run.py) in which others play the episodes.  A part says
which share it plays, and gets its episodes with the turns that are stored; whatever it writes goes
through the run's own journal, whatever it asks goes through the run's own limits and budget.  So a
part that dies loses nothing that was acknowledged, and what it held is free again, but for the
worst case of its calls in flight, which counts as spent.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from arena.calls.batch_rounds import BatchRounds
from arena.calls.ledger import RunContext
from arena.calls.rate_limits import Slot
from arena.calls.servings import Serving
from arena.errors import ArenaError, BudgetSpentError, ReplayError, StoreError, StudyError
from arena.machines.record_share import share_of
from arena.machines.record_wire import Wire, Words
from arena.machines.study_source import StudySource
from arena.play.preflight import agents_of
from arena.store.replay import Attempts, StudyState, load_attempts, load_study_state
from arena.studies.study import Play
from arena.types import Reply

# How long the calls of a part that is gone count as in flight.
NOTICED_S = 2.0
# A part that has said nothing for so long may be stopped; another one gets its share.
SILENT_S = 15.0
# How long parts may take to end when the run is stopped.
ENDING_S = 1.2
STATUS = b'{"t":"statuses"'


@dataclass(eq=False)
class Part:
    """A process that plays a share, as the record knows it.

    What was given to it and not given back is in `slots` and `reserved`, by number.
    """

    share: str = ""
    name: str = "a part that has said nothing"
    wire: Wire = field(init=False)
    held: set[str] = field(default_factory=set)
    slots: dict[int, Slot] = field(default_factory=dict)
    reserved: dict[int, float] = field(default_factory=dict)
    asking: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    syncing: asyncio.Task[None] | None = None
    wanted: int = 0
    greeting: asyncio.Task[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    waits: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str, float]] = field(default_factory=list)
    lines: int = 0
    has_ended: bool = False
    heard_at: float = field(default_factory=time.monotonic)

    @property
    def silent_s(self) -> float:
        """Return for how many seconds nothing has been heard of it."""
        return time.monotonic() - self.heard_at


class Record:
    """The record of a run, which lets parts play its episodes (an `arena.play.player.Player`).

    `source` is sent to parts, which may not know the study; those who come over a network know a
    `secret`.  `over` ends the run with an error, or when nothing is left to play.
    """

    # From here to a part, and to the server.
    late_s = 0.5

    def __init__(self, source: StudySource | None = None, secret: str = "") -> None:
        self.source = source
        self.secret = secret
        self.parts: set[Part] = set()
        self.over: asyncio.Future[None] = asyncio.Future()
        self.ended: set[str] = set()
        self._replays: list[str] = []
        self._is_fresh = True
        self._is_ending = False
        self._loading = asyncio.Lock()
        self._gone = asyncio.Event()

    # What a run asks of its player.

    async def open(self, todo: Sequence[Play]) -> None:
        """Open nothing: each part opens its models."""

    async def close(self, todo: Sequence[Play]) -> None:
        """Close nothing."""

    async def play(
        self,
        run: RunContext,
        batches: BatchRounds | None,
        todo: Sequence[Play],
        state: StudyState,
        at_once: int,
    ) -> None:
        """Serve parts until all are through; StudyError where calls wait in batches."""
        if batches is not None:
            raise StudyError(
                "batches are asked by one process: run this without --on, until their replies are"
                " in"
            )
        self.run, self.todo, self.state, self.at_once = run, todo, state, at_once
        self.models = {agent.model.name: agent.model for agent in agents_of(todo)}
        run.stats.parts = self
        try:
            await self.serve()
        finally:
            await self.end_parts()
        if self._replays:
            raise ReplayError("; ".join(dict.fromkeys(self._replays)))

    async def serve(self) -> None:
        """Let parts come, and return when nothing is left to play."""
        raise NotImplementedError

    def accept(self) -> Wire:
        """Return the record's end of a new connection."""
        part = Part()
        part.wire = Wire(
            lambda words, body: self._guard(part, words, body),
            lambda: self._lose(part),
            self.secret,
        )
        self.parts.add(part)
        return part.wire

    def describe(self) -> Iterator[str]:
        """Yield sentences for the progress line: how many parts play, and what waits in them."""
        playing = sum(bool(part.held) for part in self.parts)
        if playing == 0:
            yield "no part plays yet"
        else:
            yield f"{playing} {'part plays' if playing == 1 else 'parts play'}"
        for part in self.parts:
            yield from part.waits
            if part.held and part.silent_s > SILENT_S:
                yield (
                    f"nothing is heard of {part.name} for {part.silent_s:.0f} s: is it stopped? End"
                    " it, or begin its share again"
                )

    @property
    def is_through(self) -> bool:
        """Return whether nothing is left to play, or the run starts no further call."""
        ended = self.ended.issuperset(play.episode for play in self.todo)
        return ended or bool(self._replays) or self.run.stats.stopped is not None

    # What parts say.

    def _guard(self, part: Part, words: Words, body: bytes) -> None:
        """Hear a message; an error of the record ends the run."""
        try:
            self._hear(part, words, body)
        except StoreError as error:
            self.fail(error)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin work of the record, whose error ends the run."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_error)
        return task

    def _note_error(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the run with an error."""
        if not self.over.done():
            self.over.set_exception(error)
            # Maybe nobody waits for it any more.
            self.over.exception()

    def _hear(self, part: Part, words: Words, body: bytes) -> None:
        wire = part.wire
        part.heard_at = time.monotonic()
        if body:
            # Counted first: lines that cannot be written are nobody's.
            self.run.journal.append(body)
            part.lines += 1
            if STATUS in body:
                self._note_ends(part, body)
        if "written" in words:
            wire.say("written", wire.received)
        if "durable" in words:
            part.wanted = wire.received
            if part.syncing is None:
                part.syncing = self._start(self._sync(part))
        self._count(part, words)
        self._take_back(part, words)
        for number, kind, *question in () if self._is_ending else words.get("ask", ()):
            part.asking[number] = self._start(self._give(part, number, kind, question))
        if "hello" in words:
            part.greeting = self._start(self._greet(part, *words["hello"]))
        if "end" in words:
            self._note_end(part, words["end"])

    def _note_ends(self, part: Part, body: bytes) -> None:
        """Note which episodes have ended."""
        for text in body.splitlines():
            if text.startswith(STATUS):
                episode = orjson.loads(text)["episode"]
                self.ended.add(episode)
                part.held.discard(episode)

    async def _sync(self, part: Part) -> None:
        """Tell a part how many of its messages are durable, until there is no newer one."""
        wire = part.wire
        told = -1
        try:
            while told < part.wanted and not wire.is_lost:
                # Taken before: a message that comes meanwhile needs the next fsync.
                received = wire.received
                await self.run.journal.wait_until_durable()
                told = received
                wire.say("durable", received)
        finally:
            part.syncing = None

    def _count(self, part: Part, words: Words) -> None:
        stats = self.run.stats
        for name, change in words.get("counts", {}).items():
            setattr(stats, name, getattr(stats, name) + change)
            if name == "in_flight":
                part.in_flight += change
        for model, episode, missing in words.get("turns", ()):
            if model in self.models:
                stats.note_turn(self.models[model], episode, missing)
            if stats.too_many_unreadable is not None:
                self._tell_all("unreadable", stats.too_many_unreadable)
        for agent, model, served, fingerprint in words.get("served", ()):
            stats.servings.note(agent, model, Serving(served, fingerprint))
        stats.notes += [note for note in words.get("notes", ()) if note not in stats.notes]
        stats.probes.refused.update(words.get("refused", {}))
        if "state" in words:
            now = time.monotonic()
            part.waits = words["state"]["waits"]
            part.waiting = [(why, of, now + s) for why, of, s in words["state"]["waiting"]]
            self._note_waiting()

    def _note_waiting(self) -> None:
        """Note which calls of all parts wait for their next attempt."""
        waiting = [each for part in self.parts for each in part.waiting]
        self.run.stats.waiting = dict(enumerate(waiting))

    def _tell_all(self, name: str, value: object) -> None:
        for part in self.parts:
            part.wire.say(name, value)

    # What parts hold.

    async def _give(self, part: Part, number: int, kind: str, question: list[Any]) -> None:
        """Give a part a place in the limits or in the budget, or the reason why not."""
        refusal = None
        try:
            if kind == "enter":
                model, sizes, max_tokens = question
                slot = Slot(model, max_tokens=max_tokens)
                part.slots[number] = await self.run.rate_limiter.admit(slot, lambda: sizes)
            elif self.run.budget is not None:
                await self.run.budget.reserve(question[0])
                part.reserved[number] = question[0]
        except BudgetSpentError as error:
            refusal = str(error)
        part.asking.pop(number, None)
        part.wire.add("given", (number, refusal))

    def _take_back(self, part: Part, words: Words) -> None:
        """Take back what calls have held."""
        limiter, budget = self.run.rate_limiter, self.run.budget
        for number in words.get("slow", ()):
            limiter.slow_down(part.slots[number])
        for number, counts in words.get("leave", ()):
            reply = None if counts is None else Reply("", tokens_in=counts[0], tokens_out=counts[1])
            limiter.leave(part.slots.pop(number), reply)
        for number, cost_usd in words.get("settle", ()):
            if budget is not None:
                budget.settle(part.reserved.pop(number), cost_usd)
        for number in words.get("drop", ()):
            if (asking := part.asking.pop(number, None)) is not None:
                asking.cancel()
            elif number in part.slots:
                limiter.leave(part.slots.pop(number), None)
            elif number in part.reserved and budget is not None:
                budget.settle(part.reserved.pop(number), 0.0)

    def _lose(self, part: Part) -> None:
        """Free what a part held that is gone."""
        self.parts.discard(part)
        self._is_fresh = self._is_fresh and not part.lines
        for asking in part.asking.values():
            asking.cancel()
        # A server notices a little later that nobody waits for its replies any more.
        for slot in part.slots.values():
            loop = asyncio.get_running_loop()
            loop.call_later(NOTICED_S, self.run.rate_limiter.leave, slot, None)
        for worst_usd in part.reserved.values():
            if self.run.budget is not None:
                # Nobody knows whether it was sent: the next run reads it from the journal.
                self.run.budget.settle(worst_usd, worst_usd)
        self.run.stats.in_flight -= part.in_flight
        self._note_waiting()
        if part.greeting is not None:
            part.greeting.cancel()
        part.held.clear()
        part.gone.set()
        self._gone.set()
        self.on_lost(part)

    def on_lost(self, part: Part) -> None:
        """Do what is to be done when a part is gone."""

    # How parts begin and end.

    async def _greet(self, part: Part, number: int, of: int, who: str) -> None:
        """Give a part its share, unless another one plays it."""
        wire = part.wire
        part.name, part.share = who, f"{number}/{of}"
        rivals = [other for other in self.parts if other.held and other.share == part.share]
        for other in rivals:
            if other is not part and self.is_replaced(other):
                other.wire.abort()
                await other.gone.wait()
        async with self._loading:
            state, attempts = await self._state_now()
        taken = {episode for other in self.parts for episode in other.held} | self.ended
        chosen = [
            play
            for play in self.todo
            if play.episode not in taken and int(play.episode, 16) % of == number - 1
        ]
        part.held = {play.episode for play in chosen}
        at_once = max(1, self.at_once // of + (number <= self.at_once % of))
        played_by = [other.name for other in rivals if other in self.parts and other.held]
        share = share_of(self.run, self.source, chosen, state, attempts, at_once, played_by)
        wire.carry(pickle.dumps(share))

    def is_replaced(self, old: Part) -> bool:
        """Return whether a part gives its share to a new one, since nothing is heard of it."""
        return old.silent_s > SILENT_S

    async def _state_now(self) -> tuple[StudyState, Attempts]:
        """Return the state of the study in the store, and the attempts of parts that are gone."""
        if self._is_fresh:
            return self.state, {}
        # What waits for the next line to be written must be there when it is read.
        await self.run.journal.wait_until_durable()
        study = self.todo[0].study
        state = await asyncio.to_thread(load_study_state, self.run.stats.store, study)
        return state, await asyncio.to_thread(load_attempts, self.run.stats.store, self.run.id)

    def _note_end(self, part: Part, end: Words) -> None:
        """Note that a part has ended by itself, and why."""
        part.has_ended = True
        gone = self.run.stats.gone
        gone += [sentence for sentence in end["gone"] if sentence not in gone]
        if end["kind"] == "replay":
            self._replays.append(end["error"])
        elif end["kind"]:
            kind = StudyError if end["kind"] == "study" else StoreError
            self.on_fault(part, kind(end["error"]))

    def on_fault(self, part: Part, error: ArenaError) -> None:
        """Do what is to be done when a part cannot play: the run ends with its error."""
        self.fail(error)

    async def end_parts(self) -> None:
        """Let all parts stop, and wait for them, though not for long."""
        self._is_ending = True
        for asking in [task for part in self.parts for task in part.asking.values()]:
            asking.cancel()
        self._tell_all("cancel", True)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                while self.parts:
                    self._gone.clear()
                    await self._gone.wait()
        for part in list(self.parts):
            part.wire.close()
