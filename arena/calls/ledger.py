"""Make one call: wait for its turn, retry, and write a row into the ledger for each attempt."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from arena.calls.batch_waits import Waits
from arena.calls.budget import Budget
from arena.calls.prices import (
    cache_saved_usd,
    cost_usd,
    price_of,
    prompt_bytes,
    worst_case_usd,
)
from arena.calls.private_words import PrivateWords
from arena.calls.prompt_caches import EpisodePrefixes
from arena.calls.rate_limits import RateLimiter, Slot
from arena.calls.retry import Retry, wait_before_next
from arena.calls.run_stats import RunStats
from arena.calls.secrets import without_secrets
from arena.errors import (
    ModelError,
    RateLimitedError,
    RefusedSettingError,
    UnreachableError,
    UnreadableError,
    error_kind,
)
from arena.store.journal import line
from arena.store.replay import CachedReply
from arena.text import utc_now, writable
from arena.types import BaseModel, Model, Place, Price, Reply, Request

# Fields of a reply that stand in the ledger as columns of the same name.
REPLY_COLUMNS = (
    *("http_status", "finish_reason", "tokens_in", "tokens_cached", "tokens_out"),
    *("tokens_reasoning", "tokens_prefilled", "decode_steps"),
    *("tokens_cache_written", "tokens_cache_written_long"),
)


class JournalWriter(Protocol):
    """The part of a journal that play needs: in a file, in memory, or nothing at all."""

    def append(self, *lines: bytes) -> None:
        """Write lines; `wait_until_durable` waits for them."""

    def append_later(self, *lines: bytes) -> None:
        """Write lines with the next ones, or soon."""

    async def wait_until_written(self) -> None:
        """Return when everything written before outlives this process."""

    async def wait_until_durable(self) -> None:
        """Return when everything written before is safe."""


class BatchCaller(Protocol):
    """What asks in batches (arena/calls/batch_rounds.py), as far as play needs it."""

    @property
    def waits(self) -> Waits:
        """Return where episodes are noted as played and ended."""

    def takes(self, model: Model, request: Request) -> bool:
        """Return whether a request is asked in a batch, or waits in one of an earlier run."""

    async def call(self, run: RunContext, model: Model, request: Request) -> tuple[Reply, bytes]:
        """Ask a model in a batch; otherwise as `call`."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The things that the episodes of one run share.

    `prices` are given by hand, by model; `budget` is None if there is no limit; `cache` holds
    replies of earlier studies that may be used again, by sample key.  `private` holds
    the private words that came up.  `batches` asks models in batches, None: none is.  `prefixes`
    tells, by episode, what prompts share with others.  `attempts` counts those that a process which
    is gone has begun within this run, by episode, and by seat, step and ask.
    """

    id: str
    journal: JournalWriter
    rate_limiter: RateLimiter
    retry: Retry = field(default_factory=Retry)
    stats: RunStats = field(default_factory=RunStats)
    prices: Mapping[str, Price] = field(default_factory=dict)
    budget: Budget | None = None
    cache: Mapping[str, CachedReply] = field(default_factory=dict)
    private: PrivateWords = field(default_factory=PrivateWords)
    batches: BatchCaller | None = None
    prefixes: Mapping[str, EpisodePrefixes] = field(default_factory=dict)
    attempts: Mapping[str, Mapping[tuple[str, int, int], int]] = field(default_factory=dict)

    def attempts_before(self, place: Place) -> int:
        """Return how many attempts of a call were made within this run by processes now gone."""
        if not self.attempts:
            return 0
        return self.attempts.get(place.episode, {}).get((place.seat, place.step, place.ask), 0)


@dataclass(slots=True)
class Attempts:
    """The attempts of one call so far.

    `failures` lists their errors; `elapsed_s` counts the seconds of attempts and of the waits
    between them.  `held` counts attempts that found no server, which are no failures of the call.
    """

    failures: list[ModelError] = field(default_factory=list)
    elapsed_s: float = 0.0
    held: int = 0


async def call(run: RunContext, model: Model, request: Request) -> tuple[Reply, bytes]:
    """Call a model until it answers or no attempt is left.

    The first call to a model goes alone (arena/calls/probes.py).  Returns the reply and the journal
    line that ends the call.  Every attempt is a row in `calls`: failed ones are written here at
    once, the last one by the caller, together with the reply.  Raises the last ModelError, or
    RunStoppedError if the run starts no further call.
    """
    if run.batches is not None and run.batches.takes(model, request):
        return await run.batches.call(run, model, request)
    # The faults of a model on this machine show when it is opened, and its calls cost nothing.
    if model.simulated or model.has_own_queue:
        return await call_until_answered(run, model, request)
    # What follows would let it through at once, at a cost.
    shares_nothing = model.prompt_cache is None or not request.shared
    if shares_nothing and model.name in run.stats.probes.answered:
        return await call_until_answered(run, model, request)
    async with (
        run.stats.probes.admit(model.name, request.place.episode),
        run.stats.prompt_caches.turn(model, request),
    ):
        return await call_until_answered(run, model, request)


async def call_until_answered(
    run: RunContext, model: Model, request: Request
) -> tuple[Reply, bytes]:
    """Do what `call` does, without waiting for another call."""
    attempts = Attempts()
    while True:
        elapsed_s = attempts.elapsed_s
        try:
            return await attempt_at_server(run, model, request, attempts)
        except ModelError as error:
            if run.stats.probes.waits_for_server(model.name, error):
                attempts.held += 1
                attempts.elapsed_s = elapsed_s
                continue
            attempts.failures.append(error)
            # Jitter from the seed: the same in every replay, different between episodes.
            draw = random.Random(request.seed + len(attempts.failures))
            wait_s = wait_before_next(run.retry, attempts.failures, attempts.elapsed_s, draw)
            if wait_s is None:
                raise
        attempts.elapsed_s += wait_s
        await wait(run.stats, model.name, attempts.failures[-1], wait_s)


async def attempt_at_server(
    run: RunContext, model: Model, request: Request, attempts: Attempts
) -> tuple[Reply, bytes]:
    """Make an attempt; if the server is gone, wait until it is this call's turn to ask for it."""
    outages = run.stats.probes.outages
    while (outage := outages.of(model)) is not None:
        async with outages.wait_for_turn(model, outage, request.place.episode) as gone:
            if gone:
                return await attempt(run, model, request, attempts)
    return await attempt(run, model, request, attempts)


def reuse(run: RunContext, request: Request, hit: CachedReply) -> tuple[Reply, bytes]:
    """Return the reply of an earlier study in place of a call, and the line that says so."""
    run.stats.cached += 1
    cost = {"cost_usd": 0.0, "cost_source": "cache"}
    ending = {"status": "cached", **cost, "cached_from": hit.episode}
    call_end = line("call_ends", {**attempt_key(run, request, 0), **ending})
    reply = Reply(hit.text, hit.reasoning, hit.model_served, fingerprint=hit.fingerprint)
    return reply, call_end


async def attempt(
    run: RunContext, model: Model, request: Request, attempts: Attempts
) -> tuple[Reply, bytes]:
    """Send the request once, when the run, the budget and the limits let it through."""
    if run.stats.too_many_unreadable is not None:
        raise UnreadableError(run.stats.too_many_unreadable)
    price = price_of(model, run.prices)
    worst_usd = None if price is None else worst_case_usd(price, request)
    number = len(attempts.failures) + attempts.held + run.attempts_before(request.place)
    entry = LedgerEntry(run, model, request, number, price, worst_usd)
    if run.budget is None:
        return await send_once(entry, attempts)
    # Without a price it costs nothing: with a budget, only simulated models may have none.
    await run.budget.reserve(worst_usd or 0.0)
    try:
        return await send_once(entry, attempts)
    finally:
        run.budget.settle(worst_usd or 0.0, entry.booked_usd)


def attempt_key(run: RunContext, request: Request, number: int) -> dict[str, object]:
    """Return the columns that tell an attempt from all others, and its start."""
    place = request.place
    ask = {"episode": place.episode, "seat": place.seat, "step": place.step, "ask": place.ask}
    return {**ask, "run": run.id, "attempt": number, "started_at": utc_now()}


@dataclass(slots=True)
class LedgerEntry:
    """An attempt in the ledger.

    `booked_usd` is its amount in the budget: zero until it is sent, then its worst case, at the end
    its cost.
    """

    run: RunContext
    model: Model
    request: Request
    number: int
    price: Price | None
    worst_usd: float | None
    booked_usd: float = 0.0
    row: dict[str, object] = field(default_factory=dict)

    def begin(self) -> None:
        """Write that the attempt begins.

        A process that dies before the end leaves this line, with the worst case as its cost.
        """
        self.run.journal.append(self.start_line())

    def start_line(self, batch: str | None = None) -> bytes:
        """Return the line that says that the attempt begins, in the batch with this key if any."""
        settings = self.model.request_settings(self.request)
        if isinstance(self.model, BaseModel) and self.model.left_out:
            settings = {"left_out": list(self.model.left_out), **(settings or {})}
        self.row = attempt_key(self.run, self.request, self.number)
        if batch is not None:
            self.row["batch"] = batch
        if settings is not None:
            self.row["sent"] = settings
        if self.worst_usd is not None:
            self.row["worst_usd"] = self.worst_usd
            self.booked_usd = self.worst_usd
        return line("call_starts", self.row)

    def end(
        self, reply: Reply | None, ending: Mapping[str, object], free: str | None = None
    ) -> bytes:
        """Return the line that says how the attempt ended, with its cost as far as known.

        `free` is the reason why it cost nothing, None if it may have cost something.
        """
        columns: dict[str, object] = {}
        cost = None if free is None else 0.0
        source = free
        if reply is not None:
            served = {name: getattr(reply, name) for name in REPLY_COLUMNS}
            columns = {name: value for name, value in served.items() if value is not None}
            # Of images, the tokens do not follow from bytes.
            if reply.tokens_in and not any(each.images for each in self.request.messages):
                columns["prompt_bytes"] = prompt_bytes(self.request.messages)
            if reply.cost_usd is not None:
                cost = reply.cost_usd
                source = reply.cost_source
            elif self.price is not None:
                cost = cost_usd(self.price, reply)
                source = self.price.source
                if (saved := cache_saved_usd(self.price, reply)) is not None:
                    columns["cache_saved_usd"] = saved
            self.run.stats.tokens_in += reply.tokens_in or 0
            self.run.stats.tokens_out += reply.tokens_out or 0
        if cost is None:
            self.run.stats.unpriced += 1
        else:
            columns |= {"cost_usd": cost, "cost_source": source}
            self.run.stats.cost_usd += cost
            self.booked_usd = cost
        return line("call_ends", {**self.row, **columns, **ending})


async def send_once(entry: LedgerEntry, attempts: Attempts) -> tuple[Reply, bytes]:
    """Wait for a slot, send the request once, and write down how it ended."""
    run = entry.run
    model = entry.model
    request = entry.request
    queued_at = time.monotonic()
    slot = await run.rate_limiter.enter(model.name, request, takes_slot=not model.has_own_queue)
    reply: Reply | None = None
    run.stats.in_flight += 1
    try:
        entry.begin()
        # Nothing is sent of which the record would not know.
        await run.journal.wait_until_written()
        reply = await await_reply(model, request, run.retry.deadline_s - attempts.elapsed_s)
    except BaseException as error:
        # A cancelled call may have been billed too, so its end stands in the ledger as well.
        run.stats.failed_calls += not isinstance(error, asyncio.CancelledError)
        if isinstance(error, ModelError):
            reply = error.reply
            run.stats.probes.note_failure(model, error)
        if isinstance(error, RefusedSettingError) and error.note not in run.stats.notes:
            run.stats.notes.append(error.note)
        if isinstance(error, RateLimitedError):
            run.rate_limiter.slow_down(slot)
        ending = failure_row(error) | note_durations(slot, queued_at, attempts)
        run.journal.append(entry.end(reply, ending, free=reason_unbilled(entry, error)))
        raise
    finally:
        run.stats.in_flight -= 1
        run.rate_limiter.leave(slot, reply)
    run.stats.replies += 1
    run.stats.probes.outages.note_answer(model)
    ending = {"status": "ok", **note_durations(slot, queued_at, attempts)}
    # The caller writes this line together with the turn, so that neither is stored alone.
    return reply, entry.end(reply, ending, reason_unbilled(entry))


def note_durations(slot: Slot, queued_at: float, attempts: Attempts) -> dict[str, object]:
    """Return how long the attempt waited for its slot and how long it took from then on.

    The second duration also counts for the call's deadline.
    """
    latency_s = time.monotonic() - slot.sent_at
    attempts.elapsed_s += latency_s
    return {"latency_s": round(latency_s, 6), "queued_s": round(slot.sent_at - queued_at, 6)}


async def await_reply(model: Model, request: Request, left_s: float) -> Reply:
    """Return the model's reply, or raise UnreachableError at the call's deadline."""
    limit = asyncio.timeout(left_s)
    try:
        async with limit:
            return await model(request)
    except TimeoutError:
        # A timeout that the model raised by itself is an error of its own.
        if not limit.expired():
            raise
    raise UnreachableError(
        f"{model.name} gave no answer before the call's deadline; raise it with --deadline,"
        " or look at the server"
    )


def failure_row(error: BaseException) -> dict[str, object]:
    """Return the columns of a failed or cancelled attempt."""
    return {
        "status": "cancelled" if isinstance(error, asyncio.CancelledError) else "failed",
        "error_kind": error_kind(error),
        "error": without_secrets(writable(str(error))) or None,
        "http_status": getattr(error, "http_status", None),
    }


def reason_unbilled(entry: LedgerEntry, error: BaseException | None = None) -> str | None:
    """Return why an attempt costs nothing, None if it may have been billed."""
    if entry.model.simulated and entry.price is None:
        return "simulated"
    if entry.price is not None and entry.price.source == "local":
        return "local"
    if isinstance(error, ModelError) and error.reply is None:
        if not error.sent:
            return "never sent"
        if error.http_status is not None and error.http_status >= 400:
            return f"not billed at status {error.http_status}"
    return None


async def wait(stats: RunStats, model: str, error: ModelError, wait_s: float) -> None:
    """Wait, and let the progress line say for which error and model."""
    reason = error_kind(error)
    if error.http_status is not None and error.http_status >= 400:
        reason = f"a {error.http_status}"
    # A task waits for one call at a time, so that it can be the key.
    key = id(asyncio.current_task())
    stats.waiting[key] = (reason, model, time.monotonic() + wait_s)
    try:
        await asyncio.sleep(wait_s)
    finally:
        del stats.waiting[key]
