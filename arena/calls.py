"""One call: waiting for its turn, trying again, and a row in the ledger for each attempt on the wire."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from arena.errors import ModelError
from arena.journal import Journal, line, writable
from arena.retry import Retry, wait_before_next
from arena.store import utc_now
from arena.types import Model, Reply, Request

REPLY_FACTS = ("http_status", "tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning", "cost_usd", "cost_source", "finish_reason")


@dataclass(slots=True)
class Tally:
    """What a run has done so far, for progress and summary: counts of episodes, replies and calls.

    `waiting` holds for each call that waits to be tried again why it waits and until when (monotonic seconds).
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    replies: int = 0
    replayed: int = 0
    unreadable: int = 0
    failed_calls: int = 0
    in_flight: int = 0
    waiting: dict[int, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What the episodes of one run share: its id, its journal, the places for calls in flight, how calls are tried again, and the tally."""

    id: str
    journal: Journal
    slots: asyncio.Semaphore
    retry: Retry = field(default_factory=Retry)
    tally: Tally = field(default_factory=Tally)


async def call(run: Run, model: Model, request: Request) -> tuple[Reply, bytes]:
    """Ask a model until it answers or there is no further attempt; returns the reply and the line that says how the call ended.

    Every attempt is a row in `calls`: failed ones are written at once, the last together with the reply by whoever asked.
    Raises the last ModelError.
    """
    draw = random.Random(request.seed)
    failures: list[ModelError] = []
    began = time.monotonic()
    while True:
        try:
            return await attempt(run, model, request, len(failures))
        except ModelError as error:
            failures.append(error)
            wait_s = wait_before_next(run.retry, failures, time.monotonic() - began, draw)
            if wait_s is None:
                raise
        await wait(run.tally, f"{type(failures[-1]).__name__} of {model.name}", wait_s)


async def attempt(run: Run, model: Model, request: Request, number: int) -> tuple[Reply, bytes]:
    """Send the request once when its turn comes."""
    place = request.place
    queued = time.monotonic()
    async with run.slots:
        began = time.monotonic()
        row: dict[str, object] = {
            "episode": place.episode,
            "seat": place.seat,
            "step": place.step,
            "ask": place.ask,
            "run": run.id,
            "attempt": number,
            "started_at": utc_now(),
        }
        run.journal.append(line("call_starts", row))
        row["queued_s"] = round(began - queued, 6)
        run.tally.in_flight += 1
        try:
            reply = await model(request)
        except BaseException as error:
            run.tally.failed_calls += 1
            run.journal.append(line("call_ends", {**row, **failure(error), "latency_s": round(time.monotonic() - began, 6)}))
            raise
        finally:
            run.tally.in_flight -= 1
    run.tally.replies += 1
    facts = {name: value for name in REPLY_FACTS if (value := getattr(reply, name)) is not None}
    return reply, line("call_ends", {**row, **facts, "status": "ok", "latency_s": round(time.monotonic() - began, 6)})


def failure(error: BaseException) -> dict[str, object]:
    """How a failed attempt stands in the store."""
    return {
        "status": "cancelled" if isinstance(error, asyncio.CancelledError) else "failed",
        "error_kind": type(error).__name__,
        "error": writable(str(error)) or None,
        "http_status": getattr(error, "http_status", None),
    }


async def wait(tally: Tally, why: str, wait_s: float) -> None:
    """Wait, and let the progress line say so."""
    key = id(asyncio.current_task())
    tally.waiting[key] = (why, time.monotonic() + wait_s)
    try:
        await asyncio.sleep(wait_s)
    finally:
        del tally.waiting[key]
