"""How fast and how many calls may go out, by provider or model: requests and tokens per minute, calls in flight.

Requests per minute pass through asyncio-throttle.  Its waiters all poll and overtake each other; here they stand in one line (a lock, which
is first in, first out), so that one of them looks at the clock, and sleeps for as long as it must.  A window of about a second spreads the
calls; it is cut so that no minute ever holds more than was allowed.  A 429 halves the calls that its model may have in flight, and every
reply gives a part of it back, as TCP does with lost packets (Jacobson, "Congestion Avoidance and Control", 1988): that finds the pace that a
provider bears without knowing its rules.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields, replace

from asyncio_throttle import Throttler

from arena.errors import StudyError
from arena.types import Reply, Request

VARIABLE = "ARENA_LIMITS"
EXAMPLE = "openai:rpm=500,tpm=200000,in_flight=64"
MINUTE_S = 60.0
FIRST_REPLY_TOKENS = 500.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many requests per minute, tokens per minute (of prompt and reply), and calls in flight; None: not limited."""

    rpm: float | None = None
    tpm: float | None = None
    in_flight: int | None = None

    def __post_init__(self) -> None:
        for name, value in ((f.name, getattr(self, f.name)) for f in fields(self)):
            if value is not None and not (
                isinstance(value, int | float) and 0 < value < float("inf")
            ):
                raise StudyError(
                    f"the limit {name} must be a number above 0, found {value!r}; leave it out where there is none"
                )
        if self.in_flight is not None and self.in_flight != int(self.in_flight):
            raise StudyError(f"the limit in_flight counts calls, found {self.in_flight!r}")


Limits = Mapping[str, Limit]


def parse_limits(texts: Iterable[str]) -> dict[str, Limit]:
    """Limits by provider or model, from texts such as "openai:rpm=500,tpm=200000,in_flight=64".  Raises StudyError for anything else."""
    found: dict[str, Limit] = {}
    known = [f.name for f in fields(Limit)]
    for text in texts:
        name, _, settings = text.rpartition(":")
        values: dict[str, float] = {}
        for setting in settings.split(","):
            key, _, number = setting.partition("=")
            try:
                values[key] = (
                    int(number) if number.isdigit() and len(number) < 16 else float(number)
                )
            except (ValueError, OverflowError):
                values = {}
                break
        if not name or not values or not set(values) <= set(known):
            form = ",".join(f"{key}=N" for key in known)
            raise StudyError(
                f"a limit is written PROVIDER:{form} (or MODEL:...), such as {EXAMPLE}; found {text!r}"
            )
        found[name] = replace(found.get(name, Limit()), **values)  # type: ignore[arg-type]
    return found


def limits_in_environment() -> dict[str, Limit]:
    """The limits that ARENA_LIMITS holds, texts between spaces."""
    return parse_limits(os.environ.get(VARIABLE, "").split())


def merge_limits(*limits: Limits) -> dict[str, Limit]:
    """Several sets of limits as one; what is set in a later one counts."""
    found: dict[str, Limit] = {}
    for each in limits:
        for name, limit in each.items():
            given = {
                f.name: value
                for f in fields(limit)
                if (value := getattr(limit, f.name)) is not None
            }
            found[name] = replace(found.get(name, Limit()), **given)
    return found


class RequestWindow(Throttler):  # type: ignore[misc]
    """asyncio-throttle's window: at most `rpm` requests in any minute, in portions of about one second; it tells how long it is full."""

    def __init__(self, rpm: float) -> None:
        portion = max(1, int(rpm // MINUTE_S))
        super().__init__(
            rate_limit=portion, period=MINUTE_S / (rpm // portion) if rpm >= 1 else MINUTE_S / rpm
        )

    def wait_s(self) -> float:
        """Seconds until there is room, 0 where there is."""
        self.flush()
        if len(self._task_logs) < self.rate_limit:
            return 0.0
        # The window keeps what is exactly as old as its period.
        return max(0.0, self._task_logs[0] + self.period - time.monotonic()) + 1e-4


class TokenWindow:
    """Tokens of the last minute: what a call was expected to take, and what it took once that is known."""

    def __init__(self, tpm: float) -> None:
        self.tpm = tpm
        self._entries: deque[list[float]] = deque()
        self._sum = 0.0

    def wait_s(self, tokens: float) -> float:
        """Seconds until so many tokens have room, 0 where they have; more than a whole minute's share waits for an empty window."""
        now = time.monotonic()
        while self._entries and now - self._entries[0][0] >= MINUTE_S:
            self._sum -= self._entries.popleft()[1]
        excess = self._sum + min(tokens, self.tpm) - self.tpm
        for at, taken in self._entries:
            if excess <= 0:
                break
            excess -= taken
            if excess <= 0:
                return max(0.0, at + MINUTE_S - now) + 1e-4
        return 0.0

    def take(self, tokens: float) -> list[float]:
        """Note that a call begins; returns its entry."""
        entry = [time.monotonic(), tokens]
        self._entries.append(entry)
        self._sum += tokens
        return entry

    def correct(self, entry: list[float], tokens: float) -> None:
        """Note what the call really took."""
        if time.monotonic() - entry[0] < MINUTE_S:
            self._sum += tokens - entry[1]
            entry[1] = tokens


class Limiter:
    """The entrance of one provider or model: a line, a window of requests, a window of tokens, and room for so many calls in flight."""

    def __init__(self, name: str, limit: Limit, counts: Counter[str]) -> None:
        self.name = name
        self.limit = limit
        self.line = asyncio.Lock()
        self.waiting = 0
        self._counts = counts
        self.tokens = TokenWindow(limit.tpm) if limit.tpm else None
        self.window = RequestWindow(limit.rpm) if limit.rpm else None
        self.reduced_in_flight: float | None = None
        self._wide = 0.0
        self._narrowed_at = 0.0
        self._left = asyncio.Event()

    @property
    def calls_in_flight(self) -> int:
        """How many calls are in flight, those included that went out before there was a gate."""
        return self._counts[self.name]

    @property
    def full(self) -> bool:
        """Whether no further call may be in flight."""
        return self.calls_in_flight >= min(
            self.limit.in_flight or self.calls_in_flight + 1,
            self.reduced_in_flight or self.calls_in_flight + 1,
        )

    async def wait_for_departure(self) -> None:
        """Return when the next call has left."""
        self._left.clear()
        await self._left.wait()

    def notify_departure(self) -> None:
        """A call has left: whoever stands first in the line may look again."""
        self._left.set()

    def wait_s(self, tokens: float) -> float:
        """Seconds until the windows have room for a request of so many tokens, 0 where they have it now."""
        requests_s = self.window.wait_s() if self.window else 0.0
        return max(requests_s, self.tokens.wait_s(tokens)) if self.tokens else requests_s

    def slow_down(self, sent_at: float) -> None:
        """Halve the room after a 429 of a call that was sent at `sent_at`; one sent before the last halving belongs to the same rush."""
        if sent_at < self._narrowed_at:
            return
        if self.reduced_in_flight is None:
            self._wide = float(self.calls_in_flight)
        self.reduced_in_flight = max(
            1.0, min(self.reduced_in_flight or self._wide, self.calls_in_flight) / 2
        )
        self._narrowed_at = time.monotonic()

    def speed_up(self) -> None:
        """Widen the room after a reply: by one for as many replies as are in flight, up to what it was."""
        if self.reduced_in_flight is not None:
            self.reduced_in_flight += 1 / self.reduced_in_flight
            if self.reduced_in_flight >= self._wide:
                self.reduced_in_flight = None


@dataclass(slots=True)
class Slot:
    """A call's place in flight: since when, whether it is one of the run's, and what it was expected to take of each window of tokens."""

    model: str
    sent_at: float = 0.0
    takes_slot: bool = True
    entries: list[tuple[TokenWindow, list[float]]] = field(default_factory=list)


class RateLimiter:
    """All limits of one run: the places in flight that it has altogether, and the gates of providers and models."""

    def __init__(self, in_flight: int, limits: Limits | None = None) -> None:
        self.slots = asyncio.Semaphore(in_flight)
        self._limits = dict(limits or {})
        self._gates: dict[str, Limiter] = {}
        self._on_the_way: dict[str, tuple[Limiter, ...]] = {}
        self._inside: Counter[str] = Counter()
        self._reply_tokens: dict[str, tuple[int, int]] = {}

    def limiters(self, model: str) -> tuple[Limiter, ...]:
        """The gates on the way to a model: its own, then its provider's; only a limit or a 429 makes one."""
        if model not in self._on_the_way:
            names = [
                name
                for name in (model, model.partition("/")[0])
                if name in self._limits or name in self._gates
            ]
            self._on_the_way[model] = tuple(self._limiter(name) for name in names)
        return self._on_the_way[model]

    def _limiter(self, name: str) -> Limiter:
        if name not in self._gates:
            self._gates[name] = Limiter(name, self._limits.get(name, Limit()), self._inside)
        return self._gates[name]

    async def enter(self, model: str, request: Request, *, takes_slot: bool = True) -> Slot:
        """Wait until this call may go out, and take its place in flight; whoever enters must leave.

        Not `counted`: no place of the run's is taken, since the model has a queue of its own and needs to see who waits.
        """
        place = Slot(model, takes_slot=takes_slot)
        # A 429 may make a gate while this call waits: then it has to stand in that line too.
        while True:
            gates = self.limiters(model)
            if not gates:
                await self._take(place)
                if not self.limiters(model):
                    self._count(place, 1)
                    break
                self._give_back(place)
            elif await self._pass(gates, self._expected_tokens(model, request), place):
                break
        place.sent_at = time.monotonic()
        return place

    async def _take(self, place: Slot) -> None:
        if place.takes_slot:
            await self.slots.acquire()

    def _give_back(self, place: Slot) -> None:
        if place.takes_slot:
            self.slots.release()

    def _count(self, place: Slot, change: int) -> None:
        for name in {place.model, place.model.partition("/")[0]}:
            self._inside[name] += change

    async def _pass(self, gates: tuple[Limiter, ...], tokens: float, place: Slot) -> bool:
        """Stand in the lines, wait for room in all windows and in flight, then go: nothing is held while waiting.

        False, and no place taken, where there are other gates on the way by now.
        """
        for gate in gates:
            gate.waiting += 1
        async with AsyncExitStack() as lines:
            try:
                for gate in gates:
                    await lines.enter_async_context(gate.line)
                while True:
                    if (wait_s := max(gate.wait_s(tokens) for gate in gates)) > 0:
                        await asyncio.sleep(wait_s)
                    elif crowded := [gate for gate in gates if gate.full]:
                        await crowded[0].wait_for_departure()
                    else:
                        break
                await self._take(place)
                if self.limiters(place.model) != gates:
                    self._give_back(place)
                    return False
                self._count(place, 1)
                for gate in gates:
                    if gate.window:
                        await gate.window.acquire()
                    if gate.tokens:
                        place.entries.append((gate.tokens, gate.tokens.take(tokens)))
                return True
            finally:
                for gate in gates:
                    gate.waiting -= 1

    def leave(self, place: Slot, reply: Reply | None) -> None:
        """Give the place back; what the reply took, where that is known, corrects the windows and what is expected of the next."""
        self._give_back(place)
        self._count(place, -1)
        for gate in self.limiters(place.model):
            gate.notify_departure()
            if reply is not None:
                gate.speed_up()
        if reply is None or reply.tokens_out is None:
            return
        count, total = self._reply_tokens.get(place.model, (0, 0))
        self._reply_tokens[place.model] = (count + 1, total + reply.tokens_out)
        for window, entry in place.entries if reply.tokens_in is not None else ():
            window.correct(entry, reply.tokens_in + reply.tokens_out)

    def _expected_tokens(self, model: str, request: Request) -> float:
        """Tokens that a call may take: four characters of a prompt are about one, and a reply is as long as usual where it has no limit."""
        count, total = self._reply_tokens.get(model, (0, 0))
        usual = total / count if count else FIRST_REPLY_TOKENS
        return sum(len(message.content) for message in request.messages) / 4 + (
            request.sampling.max_tokens or usual
        )

    def slow_down(self, place: Slot) -> None:
        """A 429 came for the call that has this place."""
        if place.model not in self._gates:
            self._limiter(place.model)
            self._on_the_way.pop(place.model, None)
        self._gates[place.model].slow_down(place.sent_at)

    def describe(self) -> list[str]:
        """What waits for which limit, and what was slowed down, for the progress line."""
        found = []
        for gate in self._gates.values():
            if gate.reduced_in_flight is not None:
                found.append(
                    f"{gate.name} slowed to {int(gate.reduced_in_flight)} in flight after a 429"
                )
            if gate.waiting:
                found.append(
                    f"{gate.waiting} {'call waits' if gate.waiting == 1 else 'calls wait'} for the limits of {gate.name}"
                )
        return found
