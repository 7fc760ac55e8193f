"""Play with a record that another process keeps: its journal, limits and budget from here.

Each looks to play like the one of a run that keeps its own record.  What is said is grouped by the
connection (arena/machines/record_wire.py); a call asks for its place in the limits and the budget,
so that these hold over all parts as they do in one process.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from arena.calls.budget import Budget
from arena.calls.prompt_tokens import bytes_by_script
from arena.calls.rate_limits import RateLimiter, Slot
from arena.calls.run_stats import RunStats
from arena.errors import BudgetSpentError
from arena.machines.record_wire import Wire, Words, record_is_gone
from arena.play.progress import new_notes
from arena.store.journal import LATER_S
from arena.types import Agent, Model, Reply, Request

# What a part counts, which the record adds up.
COUNTERS = (
    *("done", "failed", "replies", "replayed", "cached", "failed_calls", "in_flight"),
    *("tokens_in", "tokens_out", "cost_usd", "unpriced"),
)
BEAT_S = 0.5


class RecordClient:
    """The connection of a part to its record, and the answers that calls wait for.

    `welcome` has the share that the record gives, `cancelled` is set when the run is to stop, and
    `lost` when the connection is gone; `is_stopped` if the record has said so itself.
    """

    def __init__(self) -> None:
        self.wire = Wire(self._hear, self._lose)
        self.welcome: asyncio.Future[bytes] = asyncio.Future()
        self.cancelled = asyncio.Event()
        self.lost = asyncio.Event()
        self.is_stopped = False
        self.stats = PartStats(client=self)
        self.wire.on_flush = self.stats.news
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[None]] = {}
        # Who waits until the record has this many messages with lines, as written or as durable.
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {
            "written": deque(),
            "durable": deque(),
        }
        self._reached = {"written": 0, "durable": 0}

    def _hear(self, words: Words, body: bytes) -> None:
        if body:
            self.welcome.set_result(body)
        for name, waiting in self._waiting.items():
            if (reached := words.get(name)) is not None:
                self._reached[name] = reached
                while waiting and waiting[0][0] <= reached:
                    settle(waiting.popleft()[1])
        for number, refusal in words.get("given", ()):
            if (asked := self._asked.pop(number, None)) is not None:
                settle(asked, None if refusal is None else BudgetSpentError(refusal))
        if (reason := words.get("unreadable")) is not None:
            self.stats.too_many_unreadable = reason
        if "cancel" in words:
            self.is_stopped = True
            self.cancelled.set()

    def _lose(self) -> None:
        """Let everybody who waits know that the record is gone."""
        self.cancelled.set()
        self.lost.set()
        gone = record_is_gone()
        waiting = [future for each in self._waiting.values() for _, future in each]
        for future in (*waiting, *self._asked.values()):
            settle(future, gone)
        if not self.welcome.done():
            self.welcome.set_exception(gone)
            # Maybe nobody waits for it any more.
            self.welcome.exception()

    async def wait_until(self, state: str) -> None:
        """Return when all lines so far are written by the record, or durable there."""
        self.wire.check()
        number = self.wire.sent + self.wire.has_lines
        if self._reached[state] >= number:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[state].append((number, waiter))
        self.wire.say(state, True)
        await waiter

    async def ask(self, *question: object) -> int:
        """Ask for a place, and return its number once it is given.

        Raises BudgetSpentError if it is refused.
        """
        self.wire.check()
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self.wire.add("ask", (number, *question))
        try:
            await future
        except asyncio.CancelledError:
            self._asked.pop(number, None)
            # It may have been given in the same moment.
            self.wire.add("drop", number)
            raise
        return number


def settle(future: asyncio.Future[None], error: Exception | None = None) -> None:
    """End the wait of whoever still waits."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class RecordJournal:
    """A journal whose lines go to the record."""

    def __init__(self, client: RecordClient) -> None:
        self._client = client
        self._is_due = False

    def append(self, *lines: bytes) -> None:
        """Send lines; StoreError if the record is gone."""
        self._client.wire.check()
        self._client.wire.carry(*lines)

    def append_later(self, *lines: bytes) -> None:
        """Send lines with the next ones, or soon."""
        self._client.wire.carry(*lines, now=False)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(LATER_S, self._send)

    def _send(self) -> None:
        self._is_due = False
        self._client.wire.flush()

    async def wait_until_written(self) -> None:
        """Return when the record has written all lines so far."""
        await self._client.wait_until("written")

    async def wait_until_durable(self) -> None:
        """Return when all lines so far are on the disk of the record."""
        await self._client.wait_until("durable")


class RecordBudget(Budget):
    """The budget of the record: every call asks there for its worst case."""

    def __init__(self, client: RecordClient, limit_usd: float) -> None:
        super().__init__(limit_usd)
        self._client = client
        self._held: dict[float, list[int]] = {}

    async def reserve(self, worst_usd: float) -> None:
        """Reserve the worst case of a call at the record."""
        if self.closed is not None:
            raise BudgetSpentError(self.closed)
        try:
            number = await self._client.ask("reserve", worst_usd)
        except BudgetSpentError as error:
            self.closed = str(error)
            raise
        self._held.setdefault(worst_usd, []).append(number)

    def settle(self, worst_usd: float, cost_usd: float) -> None:
        """Tell the record what a call has cost."""
        self._client.wire.add("settle", (self._held[worst_usd].pop(), cost_usd))


@dataclass(slots=True)
class RecordSlot(Slot):
    """The place of a call that the record has let in, by its number there."""

    number: int = 0


class RecordRateLimiter(RateLimiter):
    """The limits of the record: every call asks there for its place.

    Models with a queue of their own have it here.
    """

    def __init__(self, client: RecordClient, in_flight: int, *, sends_sizes: bool) -> None:
        super().__init__(in_flight)
        self._client = client
        self._sends_sizes = sends_sizes

    async def enter(self, model: str, request: Request, *, takes_slot: bool = True) -> Slot:
        """Wait until the record lets this call go out."""
        if not takes_slot:
            return await super().enter(model, request, takes_slot=False)
        sizes = bytes_by_script(request.messages) if self._sends_sizes else {}
        number = await self._client.ask("enter", model, sizes, request.sampling.max_tokens)
        return RecordSlot(model, sent_at=time.monotonic(), number=number)

    def leave(self, slot: Slot, reply: Reply | None) -> None:
        """Tell the record that a call has ended, and of the tokens of its reply."""
        if not isinstance(slot, RecordSlot):
            super().leave(slot, reply)
            return
        counts = None if reply is None else (reply.tokens_in, reply.tokens_out)
        self._client.wire.add("leave", (slot.number, counts))

    def slow_down(self, slot: Slot) -> None:
        """Tell the record of a 429."""
        if not isinstance(slot, RecordSlot):
            super().slow_down(slot)
            return
        self._client.wire.add("slow", slot.number)


@dataclass(slots=True)
class PartStats(RunStats):
    """The state of a part, told to the record with each message, so that it fits its lines."""

    client: RecordClient | None = None
    told: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    shown: set[str] = field(default_factory=set)
    served: set[tuple[str | None, ...]] = field(default_factory=set)

    def news(self, words: Words) -> None:
        """Add to a message what was counted, and said, since the last one."""
        counts: dict[str, float] = {}
        for name in COUNTERS:
            count = getattr(self, name)
            if count != self.told[name]:
                counts[name] = count - self.told[name]
                self.told[name] = count
        if counts:
            words["counts"] = counts
        if notes := new_notes(self, self.shown):
            refused = self.probes.refused
            words["notes"] = [note for note in notes if note not in refused.values()]
            words["refused"] = refused

    def state(self) -> Words:
        """Return what waits: calls by (reason, model, seconds left), and sentences."""
        now = time.monotonic()
        waiting = [(why, model, end - now) for why, model, end in self.waiting.values()]
        return {
            "waiting": waiting,
            "waits": [*self.probes.describe(), *self.prompt_caches.describe()],
        }

    # dataclass(slots=True) makes the class anew, which super() without arguments does not know.
    def note_turn(self, model: Model, episode: str, missing: Any) -> None:
        """Leave it to the record to count a turn, which knows those of all parts."""
        assert self.client is not None
        self.client.wire.add("turns", (model.name, episode, list(missing)))

    def note_serving(self, agent: Agent, served: str | None, fingerprint: str | None) -> bool:
        """Note by what an agent was answered, and tell the record once."""
        is_other = RunStats.note_serving(self, agent, served, fingerprint)
        who = (agent.name, agent.model.name, served, fingerprint)
        if served is not None and who not in self.served and not agent.model.has_own_queue:
            self.served.add(who)
            if self.client is not None and not agent.model.simulated:
                self.client.wire.add("served", who)
        return is_other
