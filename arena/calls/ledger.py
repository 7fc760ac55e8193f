"""One call: waiting for its turn, trying again, and a row in the ledger for each attempt on the wire."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from arena.calls.budget import Budget
from arena.calls.estimate import CostEstimate
from arena.calls.prices import cost_usd, price_of, worst_case_usd
from arena.calls.rate_limits import RateLimiter, Slot
from arena.calls.retry import Retry, wait_before_next
from arena.calls.secrets import without_secrets
from arena.errors import ModelError, RateLimitedError, UnreachableError, error_kind
from arena.store.journal import line
from arena.store.replay import CachedReply
from arena.text import utc_now, writable
from arena.types import Model, Price, Reply, Request

REPLY_FACTS = (
    *(
        "http_status",
        "tokens_in",
        "tokens_cached",
        "tokens_out",
        "tokens_reasoning",
        "finish_reason",
    ),
    *("tokens_prefilled", "decode_steps"),
)


@dataclass(slots=True)
class RunStats:
    """What a run has done so far, for progress and summary: counts of episodes, replies and calls; tokens and dollars of all attempts.

    `unpriced` counts attempts of unknown cost, `uncounted` those of earlier runs that no budget can count.  `waiting` holds for each call
    that waits to be tried again why it waits, for whom, and until when (monotonic seconds).
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    replies: int = 0
    replayed: int = 0
    cached: int = 0
    unreadable: int = 0
    failed_calls: int = 0
    in_flight: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    uncounted: int = 0
    waiting: dict[int, tuple[str, str, float]] = field(default_factory=dict)
    rate_limiter: RateLimiter | None = None
    budget: Budget | None = None
    expected: CostEstimate | None = None


class JournalWriter(Protocol):
    """What play needs of a journal: a file, lines in memory, or nothing at all."""

    def append(self, *lines: bytes) -> None:
        """Write lines; `wait_until_durable` waits for them."""
        ...

    def append_later(self, *lines: bytes) -> None:
        """Write lines with the next ones, or soon."""
        ...

    async def wait_until_durable(self) -> None:
        """Return when everything written before is safe."""
        ...


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the episodes of one run share.

    Its id, its journal, the pace of its calls, how calls are tried again, the tally, prices given by hand (by model), the budget where
    there is one, and the replies of earlier studies that may be used again (by sample key).
    """

    id: str
    journal: JournalWriter
    rate_limiter: RateLimiter
    retry: Retry = field(default_factory=Retry)
    stats: RunStats = field(default_factory=RunStats)
    prices: Mapping[str, Price] = field(default_factory=dict)
    budget: Budget | None = None
    cache: Mapping[str, CachedReply] = field(default_factory=dict)


@dataclass(slots=True)
class Attempts:
    """The attempts of one call so far: what failed, and the seconds that attempts and the waits between them have taken."""

    failures: list[ModelError] = field(default_factory=list)
    elapsed_s: float = 0.0


async def call(run: RunContext, model: Model, request: Request) -> tuple[Reply, bytes]:
    """Ask a model until it answers or there is no further attempt; returns the reply and the line that says how the call ended.

    Every attempt is a row in `calls`: failed ones are written at once, the last together with the reply by whoever asked.
    Raises the last ModelError; BudgetSpent where an attempt does not fit the budget.
    """
    trials = Attempts()
    while True:
        try:
            return await attempt(run, model, request, trials)
        except ModelError as error:
            trials.failures.append(error)
            draw = random.Random(request.seed + len(trials.failures))
            wait_s = wait_before_next(run.retry, trials.failures, trials.elapsed_s, draw)
            if wait_s is None:
                raise
        trials.elapsed_s += wait_s
        await wait(run.stats, model.name, trials.failures[-1], wait_s)


def reuse(run: RunContext, request: Request, hit: CachedReply) -> tuple[Reply, bytes]:
    """The reply of an earlier study in place of a call, and the line that says so."""
    place, now = request.place, utc_now()
    row = {
        "episode": place.episode,
        "seat": place.seat,
        "step": place.step,
        "ask": place.ask,
        "run": run.id,
        "attempt": 0,
        "started_at": now,
    }
    run.stats.cached += 1
    end = {
        **row,
        "status": "cached",
        "cost_usd": 0.0,
        "cost_source": "cache",
        "cached_from": hit.episode,
    }
    return Reply(hit.text, hit.reasoning, hit.model_served), line("call_ends", end)


async def attempt(
    run: RunContext, model: Model, request: Request, trials: Attempts
) -> tuple[Reply, bytes]:
    """Send the request once, when the budget and the limits let it through."""
    price = price_of(model, run.prices)
    worst_usd = None if price is None else worst_case_usd(price, request)
    entry = LedgerEntry(run, model, request, len(trials.failures), price, worst_usd)
    if run.budget is None:
        return await send_once(entry, trials)
    await run.budget.reserve(worst_usd or 0.0)
    try:
        return await send_once(entry, trials)
    finally:
        run.budget.settle(worst_usd or 0.0, entry.booked_usd)


@dataclass(slots=True)
class LedgerEntry:
    """An attempt in the ledger; `booked_usd` is what it counts in a budget: nothing until it is sent, then its worst case or its cost."""

    run: RunContext
    model: Model
    request: Request
    number: int
    price: Price | None
    worst_usd: float | None
    booked_usd: float = 0.0
    row: dict[str, object] = field(default_factory=dict)

    def begin(self) -> None:
        """Write that the attempt begins."""
        place, settings = self.request.place, self.model.request_settings(self.request)
        self.row = {
            "episode": place.episode,
            "seat": place.seat,
            "step": place.step,
            "ask": place.ask,
            "run": self.run.id,
            "attempt": self.number,
            "started_at": utc_now(),
        }
        if settings is not None:
            self.row["sent"] = settings
        if self.worst_usd is not None:
            self.row["worst_usd"] = self.worst_usd
            self.booked_usd = self.worst_usd
        self.run.journal.append(line("call_starts", self.row))

    def end(
        self, reply: Reply | None, ending: Mapping[str, object], free: str | None = None
    ) -> bytes:
        """The line that says how the attempt ended, with what it cost as far as that is known; `free` says why it cost nothing."""
        facts: dict[str, object] = {}
        cost, source = (None, None) if free is None else (0.0, free)
        if reply is not None:
            facts = {
                name: value for name in REPLY_FACTS if (value := getattr(reply, name)) is not None
            }
            if reply.cost_usd is not None:
                cost, source = reply.cost_usd, reply.cost_source
            elif self.price is not None:
                cost, source = cost_usd(self.price, reply), self.price.source
            self.run.stats.tokens_in += reply.tokens_in or 0
            self.run.stats.tokens_out += reply.tokens_out or 0
        if cost is None:
            self.run.stats.unpriced += 1
        else:
            facts |= {"cost_usd": cost, "cost_source": source}
            self.run.stats.cost_usd += cost
            self.booked_usd = cost
        return line("call_ends", {**self.row, **facts, **ending})


async def send_once(entry: LedgerEntry, trials: Attempts) -> tuple[Reply, bytes]:
    """Wait for a place in flight, send the request once, and write down how it ended."""
    run, model, request = entry.run, entry.model, entry.request
    queued = time.monotonic()
    place = await run.rate_limiter.enter(model.name, request, takes_slot=not model.has_own_queue)
    reply: Reply | None = None
    run.stats.in_flight += 1
    try:
        entry.begin()
        reply = await await_reply(model, request, run.retry.deadline_s - trials.elapsed_s)
    except BaseException as error:
        run.stats.failed_calls += not isinstance(error, asyncio.CancelledError)
        if isinstance(error, ModelError):
            reply = error.reply
        if isinstance(error, RateLimitedError):
            run.rate_limiter.slow_down(place)
        run.journal.append(
            entry.end(
                reply,
                failure_row(error) | note_durations(place, queued, trials),
                free=reason_unbilled(entry, error),
            )
        )
        raise
    finally:
        run.stats.in_flight -= 1
        run.rate_limiter.leave(place, reply)
    run.stats.replies += 1
    return reply, entry.end(
        reply, {"status": "ok"} | note_durations(place, queued, trials), reason_unbilled(entry)
    )


def note_durations(place: Slot, queued: float, trials: Attempts) -> dict[str, float]:
    """How long the attempt waited for its place, and how long it took from then on; that time counts for the call's deadline."""
    latency_s = time.monotonic() - place.sent_at
    trials.elapsed_s += latency_s
    return {"latency_s": round(latency_s, 6), "queued_s": round(place.sent_at - queued, 6)}


async def await_reply(model: Model, request: Request, left_s: float) -> Reply:
    """The model's reply, or Unreachable when the call's deadline has come."""
    limit = asyncio.timeout(left_s)
    try:
        async with limit:
            return await model(request)
    except TimeoutError:
        if not limit.expired():
            raise
    raise UnreachableError(
        f"{model.name} gave no answer before the call's deadline; raise it with --deadline, or look at the server"
    )


def failure_row(error: BaseException) -> dict[str, object]:
    """How a failed attempt stands in the store."""
    return {
        "status": "cancelled" if isinstance(error, asyncio.CancelledError) else "failed",
        "error_kind": error_kind(error),
        "error": without_secrets(writable(str(error))) or None,
        "http_status": getattr(error, "http_status", None),
    }


def reason_unbilled(entry: LedgerEntry, error: BaseException | None = None) -> str | None:
    """Why an attempt costs nothing, None where it may have been billed."""
    if entry.model.simulated and entry.price is None:
        return "simulated"
    if isinstance(error, ModelError) and error.reply is None:
        if not error.sent:
            return "never sent"
        if error.http_status is not None and error.http_status >= 400:
            return f"not billed at status {error.http_status}"
    return None


async def wait(tally: RunStats, model: str, failed: ModelError, wait_s: float) -> None:
    """Wait, and let the progress line say for what."""
    why = (
        f"a {failed.http_status}"
        if failed.http_status is not None and failed.http_status >= 400
        else error_kind(failed)
    )
    key = id(asyncio.current_task())
    tally.waiting[key] = (why, model, time.monotonic() + wait_s)
    try:
        await asyncio.sleep(wait_s)
    finally:
        del tally.waiting[key]
