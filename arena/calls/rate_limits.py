"""Limit how fast and how many calls go out, by provider or model.

Limits are requests and tokens per minute, and calls in flight.  Requests per minute pass through
asyncio-throttle.  Its waiters all poll and overtake each other; here they stand in one line (a
lock, first in, first out), so that one of them looks at the clock and sleeps for as long as it
must.  A window of about a second spreads the calls; it is cut so that no minute ever holds more
than the limit.

A 429 halves the calls that its model may have in flight, and every reply gives a part of that back,
as TCP does after lost packets (Jacobson, "Congestion Avoidance and Control", 1988).  This finds the
rate that a provider bears without knowledge of its rules.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any

from arena.calls.prompt_tokens import PromptTokens, Sizes, bytes_by_script
from arena.calls.windows import MINUTE_S, RequestWindow, TokenWindow
from arena.errors import StudyError
from arena.types import Reply, Request

VARIABLE = "ARENA_LIMITS"
EXAMPLE = "openai:rpm=500,tpm=200000,in_flight=64"
FIRST_REPLY_TOKENS = 500.0


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits of one provider or model; None means no limit.

    `rpm` are requests per minute, `tpm` tokens per minute (of prompt and reply), `in_flight` calls
    at the same time.
    """

    rpm: float | None = None
    tpm: float | None = None
    in_flight: int | None = None

    def __post_init__(self) -> None:
        for name in LIMITED:
            value = getattr(self, name)
            number = isinstance(value, int | float) and 0 < value < float("inf")
            if value is not None and not number:
                raise StudyError(
                    f"the limit {name} must be a number above 0, found {value!r};"
                    " leave it out where there is none"
                )
        if self.in_flight is not None and self.in_flight != int(self.in_flight):
            raise StudyError(f"the limit in_flight counts calls, found {self.in_flight!r}")


LIMITED = tuple(field.name for field in fields(Limit))
Limits = Mapping[str, Limit]


def parse_limits(texts: Iterable[str]) -> dict[str, Limit]:
    """Return limits by provider or model from texts of the command line or the environment.

    A text is of the form "openai:rpm=500,tpm=200000,in_flight=64".  Raises StudyError for anything
    else.
    """
    limits: dict[str, Limit] = {}
    for text in texts:
        name, _, settings = text.rpartition(":")
        values: dict[str, Any] = {}
        # A text that is no number leaves nothing, and is refused below with the rest.
        with suppress(ValueError):
            pairs = [setting.partition("=") for setting in settings.split(",")]
            values = {key: parse_number(number) for key, _, number in pairs}
        if not name or not values or not values.keys() <= set(LIMITED):
            form = ",".join(f"{key}=N" for key in LIMITED)
            raise StudyError(
                f"a limit is written PROVIDER:{form} (or MODEL:...), such as {EXAMPLE};"
                f" found {text!r}"
            )
        limits[name] = replace(limits.get(name, Limit()), **values)
    return limits


def parse_number(text: str) -> float:
    """Return a whole number exactly if it is one; other texts raise ValueError."""
    return int(text) if text.isdigit() and len(text) < 16 else float(text)


def limits_in_environment() -> dict[str, Limit]:
    """Return the limits in ARENA_LIMITS, texts between spaces."""
    return parse_limits(os.environ.get(VARIABLE, "").split())


def merge_limits(*limits: Limits) -> dict[str, Limit]:
    """Return several sets of limits as one; a later set overrides the earlier ones."""
    merged: dict[str, Limit] = {}
    for name, limit in (item for each in limits for item in each.items()):
        values = {key: getattr(limit, key) for key in LIMITED if getattr(limit, key) is not None}
        merged[name] = replace(merged.get(name, Limit()), **values)
    return merged


class Limiter:
    """The entrance of one provider or model.

    It has a line, a window of requests, a window of tokens, and room for so many calls in flight.
    """

    def __init__(
        self, name: str, limit: Limit, counts: Counter[str], minute_s: float = MINUTE_S
    ) -> None:
        self.name = name
        self.limit = limit
        self.line = asyncio.Lock()
        self.waiting = 0
        self._counts = counts
        self.tokens = TokenWindow(limit.tpm, minute_s) if limit.tpm else None
        self.window = RequestWindow(limit.rpm, minute_s) if limit.rpm else None
        self.reduced_in_flight: float | None = None
        self._in_flight_before = 0.0
        self._slowed_at = 0.0
        self.departure = asyncio.Event()

    @property
    def calls_in_flight(self) -> int:
        """Return how many calls are in flight, including those older than this limiter."""
        return self._counts[self.name]

    @property
    def full(self) -> bool:
        """Return whether no further call may go out now."""
        bounds = (self.limit.in_flight, self.reduced_in_flight)
        return any(bound is not None and self.calls_in_flight >= bound for bound in bounds)

    async def wait_for_departure(self) -> None:
        """Wait until the next call ends, which sets `departure`."""
        self.departure.clear()
        await self.departure.wait()

    def wait_s(self, tokens: float) -> float:
        """Return the seconds until the windows have room for a request of so many tokens."""
        requests_s = self.window.wait_s() if self.window else 0.0
        return max(requests_s, self.tokens.wait_s(tokens)) if self.tokens else requests_s

    def slow_down(self, sent_at: float) -> None:
        """Halve the calls in flight after a 429 of a call that was sent at `sent_at`.

        A call sent before the last halving belongs to the same burst and changes nothing.
        """
        if sent_at < self._slowed_at:
            return
        if self.reduced_in_flight is None:
            self._in_flight_before = float(self.calls_in_flight)
        self.reduced_in_flight = max(
            1.0, min(self.reduced_in_flight or self._in_flight_before, self.calls_in_flight) / 2
        )
        self._slowed_at = time.monotonic()

    def speed_up(self) -> None:
        """Allow more calls in flight after a reply, up to the number before the first 429.

        So many replies as are in flight allow one more call.
        """
        if self.reduced_in_flight is not None:
            self.reduced_in_flight += 1 / self.reduced_in_flight
            if self.reduced_in_flight >= self._in_flight_before:
                self.reduced_in_flight = None


@dataclass(slots=True)
class Slot:
    """The place of a call in flight.

    `takes_slot` says whether it is one of the run's slots; `entries` are its expected tokens in
    each window of tokens, and `sizes` the bytes of its prompt by script, where there is one.
    `max_tokens` bounds its reply, None: nothing does.
    """

    model: str
    sizes: Sizes = field(default_factory=dict)
    max_tokens: int | None = None
    sent_at: float = 0.0
    takes_slot: bool = True
    entries: list[tuple[TokenWindow, list[float]]] = field(default_factory=list)


class RateLimiter:
    """All limits of one run: slots for calls in flight, and limiters of providers and models."""

    def __init__(
        self,
        in_flight: int,
        limits: Limits | None = None,
        prompt_tokens: PromptTokens | None = None,
        late_s: float = 0.0,
    ) -> None:
        # A call may go out so much later than it was let in: no minute holds more all the same.
        self._minute_s = MINUTE_S + late_s
        # What was learned of prompts in earlier runs of the process, where it is given.
        self.prompt_tokens = prompt_tokens or PromptTokens()
        self.slots = asyncio.Semaphore(in_flight)
        self._limits = dict(limits or {})
        self._limiters: dict[str, Limiter] = {}
        self._limiters_by_model: dict[str, tuple[Limiter, ...]] = {}
        self._in_flight: Counter[str] = Counter()
        # By model: how many replies stated their tokens, the sum, and the sum of squares.
        self._reply_tokens: dict[str, tuple[int, float, float]] = {}

    @property
    def counts_tokens(self) -> bool:
        """Return whether any limit is one of tokens."""
        return any(limit.tpm for limit in self._limits.values())

    def has_windows(self, model: str) -> bool:
        """Return whether a limit of requests or tokens a minute holds for a model."""
        return any(limiter.tokens or limiter.window for limiter in self.limiters(model))

    def note_earlier(self, model: str, age_s: float, tokens: float) -> None:
        """Note a call that went out before this run, so many seconds ago; the oldest come first."""
        at = time.monotonic() - age_s
        for limiter in self.limiters(model):
            if limiter.window:
                limiter.window.note(at)
            if limiter.tokens:
                limiter.tokens.note(at, tokens)

    def limits_tokens(self, model: str) -> bool:
        """Return whether a limit of tokens holds for a model."""
        return any(limiter.tokens for limiter in self.limiters(model))

    def limiters(self, model: str) -> tuple[Limiter, ...]:
        """Return the limiters of a model: its own, then its provider's.

        Only a limit or a 429 creates one.
        """
        if model not in self._limiters_by_model:
            names = [
                name
                for name in (model, model.partition("/")[0])
                if name in self._limits or name in self._limiters
            ]
            self._limiters_by_model[model] = tuple(self._limiter(name) for name in names)
        return self._limiters_by_model[model]

    def _limiter(self, name: str) -> Limiter:
        if name not in self._limiters:
            limit = self._limits.get(name, Limit())
            self._limiters[name] = Limiter(name, limit, self._in_flight, self._minute_s)
        return self._limiters[name]

    async def enter(self, model: str, request: Request, *, takes_slot: bool = True) -> Slot:
        """Wait until this call may go out, and take its slot; every slot must be left.

        With `takes_slot` false, no slot of the run is taken: the model has a queue of its own, and
        needs to see all calls that wait.
        """
        slot = Slot(model, max_tokens=request.sampling.max_tokens, takes_slot=takes_slot)
        return await self.admit(slot, lambda: bytes_by_script(request.messages))

    async def admit(self, slot: Slot, measure: Callable[[], Sizes]) -> Slot:
        """Wait as `enter` does; `measure` gives the sizes of the prompt, where they are needed."""
        # A 429 may create a limiter while this call waits: then it must stand in that line too.
        while not await self._pass(self.limiters(slot.model), measure, slot):
            pass
        slot.sent_at = time.monotonic()
        return slot

    async def _take(self, slot: Slot) -> None:
        if slot.takes_slot:
            await self.slots.acquire()

    def _give_back(self, slot: Slot) -> None:
        if slot.takes_slot:
            self.slots.release()

    def _count(self, slot: Slot, change: int) -> None:
        # A set: a model without a provider has one name only.
        for name in {slot.model, slot.model.partition("/")[0]}:
            self._in_flight[name] += change

    async def _pass(
        self, limiters: tuple[Limiter, ...], measure: Callable[[], Sizes], slot: Slot
    ) -> bool:
        """Wait in all lines, for room in all windows and in flight, then take the slot.

        Nothing is held while waiting.  Returns False, without a slot, if the model's limiters have
        changed in the meantime.
        """
        if not limiters:
            await self._take(slot)
            return self._enter(slot, limiters)
        tokens = 0.0
        if any(limiter.tokens for limiter in limiters):
            slot.sizes = slot.sizes or measure()
            tokens = self._expected_tokens(slot)
        for limiter in limiters:
            limiter.waiting += 1
        async with AsyncExitStack() as lines:
            try:
                for limiter in limiters:
                    await lines.enter_async_context(limiter.line)
                # First in every line now, so that no other call can take the room meanwhile.
                while True:
                    if slot.sizes:
                        # Replies that came meanwhile have taught how long such prompts are.
                        tokens = self._expected_tokens(slot)
                    waits_s = [limiter.wait_s(tokens) for limiter in limiters]
                    if (longest_s := max(waits_s, default=0.0)) > 0:
                        await asyncio.sleep(longest_s)
                    elif crowded := [limiter for limiter in limiters if limiter.full]:
                        await crowded[0].wait_for_departure()
                    else:
                        break
                await self._take(slot)
                if not self._enter(slot, limiters):
                    return False
                for limiter in limiters:
                    if limiter.window:
                        await limiter.window.acquire()
                    if limiter.tokens:
                        slot.entries.append((limiter.tokens, limiter.tokens.take(tokens)))
                return True
            finally:
                for limiter in limiters:
                    limiter.waiting -= 1

    def _enter(self, slot: Slot, limiters: tuple[Limiter, ...]) -> bool:
        """Count a call that has its slot; give it back if its model has other limiters by now."""
        if self.limiters(slot.model) != limiters:
            self._give_back(slot)
            return False
        self._count(slot, 1)
        return True

    def leave(self, slot: Slot, reply: Reply | None) -> None:
        """Give the slot back.

        The tokens of the reply, if known, correct the windows and the expectation for the next
        call.
        """
        self._give_back(slot)
        self._count(slot, -1)
        for limiter in self.limiters(slot.model):
            limiter.departure.set()
            if reply is not None:
                limiter.speed_up()
        if reply is None or reply.tokens_out is None:
            return
        count, total, squares = self._reply_tokens.get(slot.model, (0, 0.0, 0.0))
        out = reply.tokens_out
        self._reply_tokens[slot.model] = (count + 1, total + out, squares + out * out)
        if reply.tokens_in is not None:
            if slot.sizes:
                self.prompt_tokens.learn(slot.model, slot.sizes, reply.tokens_in)
            for window, entry in slot.entries:
                window.correct(entry, reply.tokens_in + reply.tokens_out)

    def _expected_tokens(self, slot: Slot) -> float:
        """Return the tokens that a call may take.

        A reply without a limit is expected to be as long as the average reply of its model, and a
        standard deviation more.
        """
        prompt = self.prompt_tokens.expect(slot.model, slot.sizes)
        if slot.max_tokens is not None:
            return prompt + slot.max_tokens
        count, total, squares = self._reply_tokens.get(slot.model, (0, 0.0, 0.0))
        if not count:
            return prompt + FIRST_REPLY_TOKENS
        average = total / count
        return prompt + average + math.sqrt(max(0.0, squares / count - average * average))

    def slow_down(self, slot: Slot) -> None:
        """Halve the calls in flight of a model after a 429 for the call with this slot."""
        if slot.model not in self._limiters:
            self._limiter(slot.model)
            self._limiters_by_model.pop(slot.model, None)
        self._limiters[slot.model].slow_down(slot.sent_at)

    def describe(self) -> list[str]:
        """Return sentences for the progress line: waiting calls and models slowed down."""
        words = []
        for limiter in self._limiters.values():
            if limiter.reduced_in_flight is not None:
                in_flight = int(limiter.reduced_in_flight)
                words.append(f"{limiter.name} slowed to {in_flight} in flight after a 429")
            if limiter.waiting:
                calls = "call waits" if limiter.waiting == 1 else "calls wait"
                words.append(f"{limiter.waiting} {calls} for the limits of {limiter.name}")
        return words
