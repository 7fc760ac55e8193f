"""The calls of a run that are asked in batches, and the batches that hold them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from arena.batches import BatchState
from arena.calls.batch_record import CallPlace, OpenCall, custom_id, place_of
from arena.calls.ledger import (
    LedgerEntry,
    RunContext,
    attempt_key,
    failure_row,
    reason_unbilled,
)
from arena.calls.prices import price_in_batch, price_of, worst_case_usd
from arena.calls.probes import fails_always, may_be_the_prompt
from arena.errors import (
    ArenaError,
    BadReplyError,
    ModelError,
    NotAskedError,
    RefusedSettingError,
    StudyError,
)
from arena.store.journal import line
from arena.types import BatchEndpoint, Model, Reply, Request

# So many calls of a batch must be refused, and no other answered, before its model is asked nothing
# more for reasons that one prompt may have.
FEWEST_REFUSED = 3
PLANNED = BatchState("planned")


class NeverSentError(ArenaError):
    """The batch of a call never came about, so that the call goes into another one."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run asks in batches.

    A run sends at most `max_rounds` rounds of batches, None: as many as it takes.  It looks after a
    batch at first after `first_wait_s` seconds, then ever less often, at least every
    `longest_wait_s`.  A batch that was sent, and whose id never arrived, may turn up at the
    provider for `settle_s` seconds.  A round is sent when nothing has changed for `quiet_s`, so
    that replies which wake episodes at one moment do not become rounds of their own.  Not `sends`:
    nothing new is asked in batches, and replies are taken from those that an earlier run has sent.
    """

    max_rounds: int | None = None
    first_wait_s: float = 5.0
    longest_wait_s: float = 60.0
    settle_s: float = 60.0
    quiet_s: float = 0.1
    sends: bool = True

    def __post_init__(self) -> None:
        if self.max_rounds is not None and self.max_rounds < 1:
            raise StudyError(f"--max-rounds must be at least 1, found {self.max_rounds}")


@dataclass(slots=True)
class BatchedCall:
    """A call that waits for a batch.

    `outcome` is the line of its result, or a ModelError.  `worst_usd` is what is reserved for it in
    the budget, None if nothing is.
    """

    entry: LedgerEntry
    endpoint: BatchEndpoint
    outcome: asyncio.Future[bytes]
    worst_usd: float | None = None

    @property
    def request(self) -> Request:
        """The request that is asked."""
        return self.entry.request

    def start_line(self, key: str) -> bytes:
        """Return the journal line that says that it is asked in the batch with this key."""
        return self.entry.start_line(key)

    async def read(self, outcome: bytes) -> tuple[Reply, bytes]:
        """Return the reply in the line of a result, and the journal line that ends the call.

        Raises ModelError if there is none; then the end of the call is written.
        """
        entry = self.entry
        try:
            reply = await read_line(self.endpoint, outcome, self.request)
        except ModelError as error:
            self.fail(error)
            raise
        entry.run.stats.replies += 1
        return reply, self.settle(entry.end(reply, {"status": "ok"}, reason_unbilled(entry)))

    def fail(self, error: BaseException, free: str | None = None) -> None:
        """Write down that the call has failed; `free` is why it cost nothing, if not the error."""
        entry = self.entry
        stats = entry.run.stats
        stats.failed_calls += 1
        if isinstance(error, RefusedSettingError) and error.note not in stats.notes:
            stats.notes.append(error.note)
        if not entry.row:
            entry.row = attempt_key(entry.run, entry.request, entry.number)
        reply = error.reply if isinstance(error, ModelError) else None
        free = free or reason_unbilled(entry, error)
        entry.run.journal.append(self.settle(entry.end(reply, failure_row(error), free=free)))

    def settle(self, call_end: bytes) -> bytes:
        """Book the cost of the ended call in the budget; return the line of its end."""
        budget = self.entry.run.budget
        if budget is not None and self.worst_usd is not None:
            budget.settle(self.worst_usd, self.entry.booked_usd)
            self.worst_usd = None
        return call_end


def new_call(
    run: RunContext, model: Model, endpoint: BatchEndpoint, request: Request, number: int
) -> BatchedCall:
    """Return a call that waits for the next round, as attempt `number` of its request."""
    price = price_of(model, run.prices)
    if price is not None:
        price = price_in_batch(price, endpoint.terms.price_factor)
    worst_usd = None if price is None else worst_case_usd(price, request)
    entry = LedgerEntry(run, model, request, number, price, worst_usd)
    return BatchedCall(entry, endpoint, asyncio.get_running_loop().create_future())


@dataclass(slots=True)
class Batch:
    """A batch that is on its way, or will be.

    `calls` wait for its results, by custom id.  `open_calls` are those of an earlier run that
    nobody has asked for yet, by place.  `results` are the lines of results that are left, by custom
    id, once it `has_results`.  `is_over`: nothing can be taken from it any more.  `is_resumed`: an
    earlier run has sent it.  `is_cancelled`: somebody has ended it during this run.
    `put_off` is why it is left to a later run, None if it is not.
    """

    key: str
    model: Model
    endpoint: BatchEndpoint
    lines: int
    planned_at: datetime
    provider_id: str | None = None
    state: BatchState = PLANNED
    calls: dict[str, BatchedCall] = field(default_factory=dict)
    open_calls: dict[CallPlace, OpenCall] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    has_results: bool = False
    is_over: bool = False
    is_resumed: bool = False
    is_cancelled: bool = False
    put_off: str | None = None

    def claim(self, run: RunContext, model: Model, request: Request) -> BatchedCall | None:
        """Return the call of an earlier run for a request, None if the batch has none."""
        stored = self.open_calls.pop(place_of(request.place), None)
        if stored is None or self.is_over:
            return None
        call = new_call(run, model, self.endpoint, request, stored.row["attempt"])
        call.entry.row = stored.row
        call.entry.worst_usd = stored.worst_usd
        call.entry.booked_usd = stored.worst_usd or 0.0
        if run.budget is not None and stored.worst_usd is not None:
            # The earlier run's spending holds its worst case.
            run.budget.reserve_spent(stored.worst_usd)
            call.worst_usd = stored.worst_usd
        self.calls[custom_id(self.key, request)] = call
        return call


def never_sent_line(call: OpenCall) -> bytes:
    """Return the journal line that ends a call of an earlier run that was never sent."""
    ending = {"status": "cancelled", "cost_usd": 0.0, "cost_source": "never sent"}
    return line("call_ends", {**call.row, **ending})


def give(call: BatchedCall, outcome: bytes | Exception) -> None:
    """Give a call its outcome, unless its run is being stopped."""
    if call.outcome.done():
        return
    if isinstance(outcome, bytes):
        call.outcome.set_result(outcome)
    else:
        call.outcome.set_exception(outcome)


def missing_error(batch: Batch) -> ModelError:
    """Return the error for a call that has no result in a batch."""
    name = f"the batch {batch.provider_id} of {batch.model.name}"
    if batch.state.partial:
        return NotAskedError(f"{name} ended ({batch.state.state}) before this call's turn")
    return BadReplyError(f"{name} has no result for this request")


async def read_line(endpoint: BatchEndpoint, line: bytes, request: Request | None) -> Reply:
    """Return the reply to a request in the line of its result; ModelError if there is none.

    A line that nobody has foreseen fails alone: those beside it are paid for too.
    """
    try:
        return await endpoint.read(line, request)
    except ModelError:
        raise
    except Exception as error:
        raise BadReplyError(
            f"a result in a batch cannot be read ({type(error).__name__})"
        ) from error


async def error_in(batch: Batch, id: str, result: bytes) -> ModelError | None:
    """Return the error in the result of this custom id, None if there is a reply in it."""
    call = batch.calls.get(id)
    try:
        await read_line(batch.endpoint, result, None if call is None else call.request)
    except ModelError as error:
        return error
    return None


async def common_refusal(batch: Batch) -> ModelError | None:
    """Return the error of a batch in which every call failed as all others would, else None."""
    found: ModelError | None = None
    for id, result in batch.results.items():
        error = await error_in(batch, id, result)
        if error is None or isinstance(error, NotAskedError) or not fails_always(error):
            return None
        found = found or error
    # A single prompt may be at fault.
    few = len(batch.results) < FEWEST_REFUSED
    return None if found is not None and few and may_be_the_prompt(found) else found


async def split_round(
    calls: Sequence[BatchedCall], keys: Iterator[str]
) -> AsyncIterator[tuple[str, dict[str, BatchedCall], list[bytes]]]:
    """Yield the calls of one model in batches that its provider takes: (key, calls, lines).

    A call that its model is known not to take fails at once.
    """
    endpoint = calls[0].endpoint
    key = next(keys)
    by_id: dict[str, BatchedCall] = {}
    lines: list[bytes] = []
    size = 0
    for call in calls:
        try:
            text = await endpoint.line(custom_id(key, call.request), call.request)
        except ModelError as error:
            call.outcome.set_exception(error)
            continue
        full = len(lines) >= endpoint.terms.most_lines
        if lines and (full or size + len(text) + 1 > endpoint.terms.most_bytes):
            yield key, by_id, lines
            key = next(keys)
            by_id = {}
            lines = []
            size = 0
            text = await endpoint.line(custom_id(key, call.request), call.request)
        by_id[custom_id(key, call.request)] = call
        lines.append(text)
        size += len(text) + 1
    if lines:
        yield key, by_id, lines
