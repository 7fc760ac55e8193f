"""Create a batch at its provider, find it again, and look after it until its results are there."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from arena.batches import BatchState
from arena.calls.batch_calls import Batch, BatchSettings, error_in
from arena.calls.batch_record import state_label
from arena.calls.ledger import RunContext
from arena.calls.retry import wait_before_next
from arena.errors import (
    BadReplyError,
    BatchUnclearError,
    BatchUnnamedError,
    ModelError,
    StudyError,
)
from arena.text import pluralize, utc_now
from arena.types import Model

# How far the clocks of this machine and of a provider may be apart.
CLOCK_SKEW = timedelta(minutes=10)
# Looks after a batch become rarer by this factor.
SLOWER = 1.5
# Results that lack lines are read so often.
MOST_READS = 5
T = TypeVar("T")


async def find_without_batches(run: RunContext, models: Iterable[Model]) -> set[str]:
    """Return the models whose servers have no batches after all, and tell the user of them.

    Raises StudyError for a server that does not tell.
    """
    without = set()
    for model in models:
        try:
            lacks = model.batches is not None and not await model.batches.is_available()
        except ModelError as error:
            raise StudyError(f"--batch: {error}; nothing was asked") from error
        if lacks:
            without.add(model.name)
            note = f"the server of {model.name} has no batches: it is asked call by call"
            run.stats.notes.append(note)
    return without


async def create_batch(
    run: RunContext,
    batch: Batch,
    lines: Sequence[bytes],
    known_ids: Collection[str],
    settings: BatchSettings,
) -> None:
    """Create a batch, which has its id at the provider then.

    After an error that leaves open whether it was created it is looked for, so that no line is paid
    twice.  Raises the last ModelError.
    """
    failures: list[ModelError] = []
    retry = replace(run.retry, deadline_s=float("inf"))
    while True:
        began = utc_now()
        try:
            batch.provider_id = await batch.endpoint.create(batch.key, lines)
            batch.state = BatchState("created")
            return
        except ModelError as error:
            failures.append(error)
        if may_be_created(failures[-1]):
            batch.provider_id = await find_batch(batch, began, known_ids, settings)
        elif failures[-1].sent and failures[-1].http_status == 429:
            batch.provider_id = await find_at_once(batch, began, known_ids, settings)
        if batch.provider_id is not None:
            return
        wait_s = wait_before_next(retry, failures, 0.0, random.Random(batch.key))
        if wait_s is None:
            raise failures[-1]
        await asyncio.sleep(wait_s)


def may_be_created(error: ModelError) -> bool:
    """Return whether a batch may exist although its creation failed."""
    status = error.http_status
    # A machine between may say that it timed out, or that it is there already, or elsewhere.
    unsure = status is None or status < 400 or status in (408, 409) or status >= 500
    return error.sent and unsure


async def find_at_once(
    batch: Batch, tried_at: datetime, known_ids: Collection[str], settings: BatchSettings
) -> str | None:
    """Return the provider's id of a batch, None if it has none, or if another may be the one.

    For a creation refused as one too many, which hardly ever comes about all the same: batches that
    may be the one are not waited for, and the one itself only until its id is told.
    """
    try:
        return await look_for(batch, known_ids, settings)
    except BatchUnnamedError:
        return await find_batch(batch, tried_at, known_ids, settings)
    except BatchUnclearError:
        return None


async def look_for(batch: Batch, known_ids: Collection[str], settings: BatchSettings) -> str | None:
    """Ask the provider for the id of a batch, until it answers."""
    since = batch.planned_at - CLOCK_SKEW
    return await retried(
        lambda: batch.endpoint.find(batch.key, since, batch.lines, known_ids), settings
    )


async def find_batch(
    batch: Batch, tried_at: datetime, known_ids: Collection[str], settings: BatchSettings
) -> str | None:
    """Return the provider's id of a batch that was sent at `tried_at`, None if it has none.

    As long as batches run that may be the one, it is not known, and this waits.  Raises ModelError
    if the provider cannot be asked.
    """
    while True:
        try:
            found = await look_for(batch, known_ids, settings)
        except BatchUnclearError:
            await asyncio.sleep(settings.longest_wait_s)
            continue
        left_s = settings.settle_s - (utc_now() - tried_at).total_seconds()
        if found is not None or left_s <= 0:
            return found
        # What was sent a moment ago may be on its way through the provider's machines.
        await asyncio.sleep(min(left_s, settings.longest_wait_s))


async def watch_batch(batch: Batch, wait_s: float, settings: BatchSettings) -> AsyncIterator[None]:
    """Yield whenever the state of a batch has changed, until it has ended.

    Raises ModelError if the provider no longer tells.
    """
    assert batch.provider_id is not None
    id = batch.provider_id
    while True:
        await asyncio.sleep(wait_s)
        state = await retried(lambda: batch.endpoint.poll(id), settings)
        changed = state.state != batch.state.state
        batch.state = state
        if changed:
            yield
        if state.ended:
            return
        wait_s = min(max(wait_s, settings.first_wait_s) * SLOWER, settings.longest_wait_s)


async def read_results(batch: Batch, settings: BatchSettings) -> dict[str, bytes]:
    """Return the lines of the results of a batch that has ended, by custom id.

    Raises BadReplyError if they go on to lack calls that the provider counts as done, and bills:
    the file may be cut or stale, or a page of a proxy in its place.
    """
    assert batch.provider_id is not None
    id = batch.provider_id

    async def read() -> dict[str, bytes]:
        """Read all of them; a connection that breaks in the middle leaves nothing."""
        found: dict[str, bytes] = {}
        async for custom, line in batch.endpoint.results(id):
            # A reply is kept, and paid for, whatever another line says of the same call.
            if custom not in found or await error_in(batch, custom, found[custom]) is not None:
                found[custom] = line
        return found

    wait_s = settings.first_wait_s
    for _ in range(MOST_READS):
        found = await retried(read, settings)
        count = sum(custom.startswith(f"{batch.key}-") for custom in found)
        if count >= (done := lines_done(batch)):
            return found
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * SLOWER, settings.longest_wait_s)
    raise BadReplyError(f"its results hold {count} of {pluralize(done, 'call')} that are done")


def lines_done(batch: Batch) -> int:
    """Return how many lines of a batch that has ended must have results."""
    done = (batch.state.succeeded or 0) + (batch.state.failed or 0)
    if not done and not batch.state.partial:
        # A server that counts nothing.
        return batch.lines
    return min(done, batch.lines)


async def retried(ask: Callable[[], Awaitable[T]], settings: BatchSettings) -> T:
    """Ask a provider about a batch until it answers.

    Raises ModelError if it refuses.  A network that is down for an hour is no reason to give up
    what is paid for.
    """
    wait_s = settings.first_wait_s
    while True:
        try:
            return await ask()
        except ModelError as error:
            if not error.retryable:
                raise
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * SLOWER, settings.longest_wait_s)


def describe_batches(batches: Iterable[Batch]) -> Iterator[str]:
    """Say how the batches that have not ended stand, by model and state."""
    groups: defaultdict[tuple[str, str], list[Batch]] = defaultdict(list)
    for batch in batches:
        if not batch.has_results and not batch.is_over:
            groups[batch.model.name, state_label(batch.state)].append(batch)
    for (model, state), group in sorted(groups.items()):
        done = sum((batch.state.succeeded or 0) + (batch.state.failed or 0) for batch in group)
        lines = sum(batch.lines for batch in group)
        count = pluralize(len(group), "batch", "batches")
        since = min(batch.planned_at for batch in group)
        yield f"{count} of {model} {state} since {since:%H:%M} UTC, {done} of {lines} calls done"
