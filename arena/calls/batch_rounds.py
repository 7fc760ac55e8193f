"""Ask in batches: gather the calls of a run that wait, send them in rounds, and take the results.

A round is sent when no episode can go on but by the replies that it waits for, so that a debate of
three phases takes three rounds.  What a batch leaves open (errors of single lines, expiry, what
could not be read and is asked again) is in the next round.  Stopping a run leaves its batches
running; the next run finds them, and waits for them in the place of calls of its own.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from arena.batches import BatchState
from arena.calls.batch_calls import (
    Batch,
    BatchedCall,
    BatchSettings,
    NeverSentError,
    common_refusal,
    error_in,
    give,
    missing_error,
    never_sent_line,
    new_call,
    split_round,
)
from arena.calls.batch_exchange import (
    create_batch,
    describe_batches,
    find_batch,
    find_without_batches,
    read_results,
    watch_batch,
)
from arena.calls.batch_record import (
    NEVER_CREATED,
    CallPlace,
    StoredBatch,
    place_of,
    plan_line,
    state_line,
)
from arena.calls.batch_waits import Waits
from arena.calls.ledger import RunContext, call_until_answered
from arena.calls.retry import wait_before_next
from arena.calls.secrets import without_secrets
from arena.errors import (
    BatchStoppedError,
    BudgetSpentError,
    ModelError,
    ModelStoppedError,
    NotAskedError,
    UnreadableError,
)
from arena.text import pluralize, printable, utc_now
from arena.types import Model, Reply, Request


class BatchRounds:
    """The batches of one run.

    `open_batches` are those that earlier runs of the study have left.
    """

    def __init__(
        self, study: str, settings: BatchSettings, open_batches: Sequence[StoredBatch]
    ) -> None:
        self.settings = settings
        self.rounds = 0
        self.batches: list[Batch] = []
        self.waits = Waits()
        self._study = study
        self._stored = list(open_batches)
        self._by_place: dict[CallPlace, Batch] = {}
        self._queue: list[BatchedCall] = []
        self._without_batches: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # After a provider's queue was full: the lines of a batch at most, by model.
        self._most_lines: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def takes(self, model: Model, request: Request) -> bool:
        """Return whether a request is asked in a batch, or waits in one of an earlier run."""
        if model.batches is None or model.name in self._without_batches:
            return False
        return self.settings.sends or place_of(request.place) in self._by_place

    @asynccontextmanager
    async def playing(self, run: RunContext, models: Sequence[Model]) -> AsyncIterator[None]:
        """Send rounds and follow batches within; afterwards batches are left as they are."""
        by_name = {model.name: model for model in reversed(models)}
        if self.settings.sends:
            self._without_batches = await find_without_batches(run, by_name.values())
        for stored in self._stored:
            self._resume(run, stored, by_name.get(stored.model))
        self._start(self._send_rounds(run))
        try:
            yield
        finally:
            while self._tasks:
                tasks = list(self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._tasks.difference_update(tasks)

    async def call(self, run: RunContext, model: Model, request: Request) -> tuple[Reply, bytes]:
        """Ask a model in a batch; otherwise as `arena.calls.ledger.call`.

        The calls of later attempts wait for the next round.
        """
        failures: list[ModelError] = []
        number = 0
        # The deadline of a call bounds attempts of seconds; a round takes hours.
        retry = replace(run.retry, deadline_s=float("inf"))
        while True:
            call = await self._claim(run, model, request)
            if call is None and not self.settings.sends:
                return await call_until_answered(run, model, request)
            if call is None:
                call = self._enqueue(run, model, request, number)
                number += 1
            try:
                return await self._wait_for(call)
            except NeverSentError:
                continue
            except ModelError as error:
                failures.append(error)
                if wait_before_next(retry, failures, 0.0, random.Random(0)) is None:
                    raise

    def describe(self) -> Iterator[str]:
        """Yield sentences for the progress line: how the batches stand, and what waits."""
        yield from describe_batches(self.batches)
        if self._queue:
            yield f"{pluralize(len(self._queue), 'call')} for the next round of batches"

    async def _claim(self, run: RunContext, model: Model, request: Request) -> BatchedCall | None:
        """Return the call of an earlier run for a request, None if there is none."""
        batch = self._by_place.pop(place_of(request.place), None)
        if batch is not None and batch.put_off is not None:
            raise BatchStoppedError(batch.put_off)
        call = None if batch is None else batch.claim(run, model, request)
        if batch is not None and batch.has_results:
            await self._deliver(run, batch)
        return call

    def _enqueue(self, run: RunContext, model: Model, request: Request, number: int) -> BatchedCall:
        """Let a request wait for the next round."""
        if run.stats.too_many_unreadable is not None:
            raise UnreadableError(run.stats.too_many_unreadable)
        if (why := run.stats.probes.refused.get(model.name)) is not None:
            raise ModelStoppedError(why)
        assert model.batches is not None
        call = new_call(run, model, model.batches, request, number)
        self._queue.append(call)
        self.waits.note_change()
        return call

    async def _wait_for(self, call: BatchedCall) -> tuple[Reply, bytes]:
        """Return the reply to a call and the journal line that ends it, or raise why not."""
        self.waits.wait_for(call.request.place.episode, call.outcome)
        try:
            outcome = await call.outcome
        except ModelError as error:
            call.fail(error)
            raise
        except asyncio.CancelledError:
            if call in self._queue:
                self._queue.remove(call)
            raise
        return await call.read(outcome)

    def _start(self, work: Coroutine[object, object, None], batch: Batch | None = None) -> None:
        """Start a task; if it fails, those that wait for it get its error."""
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def end(ended: asyncio.Task[None]) -> None:
            """Pass the error of a task on."""
            self._tasks.discard(ended)
            self.waits.note_change()
            if ended.cancelled() or (error := ended.exception()) is None:
                return
            waiting = self._queue if batch is None else list(batch.calls.values())
            for call in waiting:
                if not call.outcome.done():
                    call.outcome.set_exception(error)

        task.add_done_callback(end)

    async def _send_rounds(self, run: RunContext) -> None:
        """Send a round whenever every episode waits."""
        while True:
            await self.waits.changed.wait()
            self.waits.changed.clear()
            while self._queue:
                changes = self.waits.changes
                await asyncio.sleep(self.settings.quiet_s)
                if changes == self.waits.changes and self.waits.is_quiet():
                    self.waits.changed.clear()
                    await self._send_round(run)
                    break

    async def _send_round(self, run: RunContext) -> None:
        """Send what waits, as far as the budget and the queues of providers allow."""
        calls, self._queue = self._queue, []
        if self.rounds == self.settings.max_rounds:
            why = (
                f"{pluralize(self.rounds, 'round')} of batches were sent, as --max-rounds allows;"
                f" {pluralize(len(calls), 'call')} more would be in the next one"
            )
            run.stats.batches_stopped = why
            for call in calls:
                give(call, BatchStoppedError(why))
            return
        by_model: defaultdict[str, list[BatchedCall]] = defaultdict(list)
        for number, call in enumerate(calls):
            model = call.entry.model.name
            if self._must_wait(model, len(by_model[model])):
                self._queue.append(call)
                continue
            try:
                fits = await self._reserve(run, call)
            except BudgetSpentError as error:
                for other in calls[number:]:
                    give(other, error)
                break
            if not fits:
                # It goes out when calls in flight have cost less than they might.
                self._queue += calls[number:]
                break
            by_model[model].append(call)
        chosen = [each for each in by_model.values() if each]
        for each in chosen:
            await self._send_split(run, each)
        self.rounds += bool(chosen)

    async def _send_split(self, run: RunContext, calls: Sequence[BatchedCall]) -> None:
        """Send calls of one model in as few batches as its provider takes."""
        keys = iter(lambda: secrets.token_hex(8), "")
        async for key, by_id, lines in split_round(calls, keys):
            first = next(iter(by_id.values()))
            batch = Batch(
                key, first.entry.model, first.endpoint, len(lines), utc_now(), calls=by_id
            )
            self.batches.append(batch)
            self._start(self._send(run, batch, lines), batch)

    async def _reserve(self, run: RunContext, call: BatchedCall) -> bool:
        """Reserve what a call may cost; return False if it has to wait for others to end.

        Raises BudgetSpentError if nothing is in flight that could make room.
        """
        if run.budget is None:
            return True
        worst_usd = call.entry.worst_usd or 0.0
        if not run.budget.try_reserve(worst_usd):
            if run.budget.has_calls_in_flight:
                return False
            await run.budget.reserve(worst_usd)
        call.worst_usd = worst_usd
        return True

    def _must_wait(self, model: str, chosen: int) -> bool:
        """Return whether a call has to wait for room in the queue of its model's provider."""
        most_lines = self._most_lines.get(model)
        if most_lines is None:
            return False
        in_flight = any(
            batch.model.name == model and not batch.is_over and not batch.has_results
            for batch in self.batches
        )
        return in_flight or chosen >= most_lines or time.monotonic() < self._not_before[model]

    async def _send(self, run: RunContext, batch: Batch, lines: list[bytes]) -> None:
        """Write a batch down, create it, and follow it to its end."""
        starts = [call.start_line(batch.key) for call in batch.calls.values()]
        plan = plan_line(batch.key, run.id, self._study, batch.model.name, lines)
        # The plan comes last: without it, after a kill, the calls before it were never sent.
        run.journal.append(*starts, plan)
        await run.journal.wait_until_durable()
        try:
            await create_batch(run, batch, lines, self._known_ids(), self.settings)
        except ModelError as error:
            await self._stop_model(run, batch, f"no batch could be created: {error}")
            return
        run.journal.append(state_line(batch.key, batch.provider_id, batch.state))
        await run.journal.wait_until_durable()
        await self._follow(run, batch, self.settings.first_wait_s)

    def _known_ids(self) -> frozenset[str]:
        return frozenset(batch.provider_id for batch in self.batches if batch.provider_id)

    def _resume(self, run: RunContext, stored: StoredBatch, model: Model | None) -> None:
        """Go on with a batch of an earlier run, as far as its model is in this one."""
        if stored.planned_at is None:
            # It was not written down whole, and so it was not sent.
            for call in stored.calls.values():
                run.journal.append_later(never_sent_line(call))
            return
        if model is None or model.batches is None:
            return
        batch = Batch(
            stored.key,
            model,
            model.batches,
            stored.lines,
            stored.planned_at,
            stored.provider_id,
            open_calls=dict(stored.calls),
            is_resumed=True,
        )
        self.batches.append(batch)
        self._by_place |= dict.fromkeys(stored.calls, batch)
        self._start(self._find_and_follow(run, batch), batch)

    async def _find_and_follow(self, run: RunContext, batch: Batch) -> None:
        """Follow a batch of an earlier run, whose id may have to be found first."""
        if batch.provider_id is None:
            id = await find_batch(batch, batch.planned_at, self._known_ids(), self.settings)
            if id is None:
                batch.state = BatchState(NEVER_CREATED)
                run.journal.append(state_line(batch.key, None, batch.state))
                self._dissolve(run, batch, NEVER_CREATED)
                return
            batch.provider_id = id
            run.journal.append(state_line(batch.key, id, BatchState("found")))
            await run.journal.wait_until_durable()
        await self._follow(run, batch, 0.0)

    async def _follow(self, run: RunContext, batch: Batch, wait_s: float) -> None:
        """Look after a batch until it has ended, and give its results to those that wait."""
        cancelled_before = batch.is_resumed
        try:
            async for _ in watch_batch(batch, wait_s, self.settings):
                # What was cancelled before this run is asked again, as its user wants it to go on.
                batch.is_cancelled = batch.state.cancelled and not cancelled_before
                cancelled_before = cancelled_before and batch.state.cancelled
                run.journal.append(state_line(batch.key, batch.provider_id, batch.state))
            if batch.state.error is None:
                batch.results = await read_results(batch, self.settings)
        except ModelError as error:
            self._put_off(run, batch, error)
            return
        if batch.state.error is not None:
            await self._note_refusal(run, batch, batch.state.error)
        elif (refusal := await common_refusal(batch)) is not None:
            await self._stop_model(run, batch, f"all calls of a batch failed: {refusal}")
        else:
            batch.has_results = True
            await self._deliver(run, batch)

    async def _deliver(self, run: RunContext, batch: Batch) -> None:
        """Give the results of a batch to the calls that wait for them."""
        while batch.calls:
            id = next(iter(batch.calls))
            call = batch.calls.pop(id)
            result = batch.results.pop(id, None)
            error: ModelError | None = None
            if result is None:
                error = missing_error(batch)
            elif batch.is_cancelled:
                error = await error_in(batch, id, result)
            if batch.is_cancelled and isinstance(error, NotAskedError):
                # Whoever cancels a batch does not want it asked in the next one.
                why = f"the batch {batch.provider_id} of {batch.model.name} was cancelled"
                run.stats.batches_stopped = why
                call.fail(error)
                give(call, BatchStoppedError(why))
            else:
                give(call, result or error or missing_error(batch))
        if not batch.open_calls:
            batch.is_over = True
            batch.results.clear()

    async def _note_refusal(self, run: RunContext, batch: Batch, error: str) -> None:
        """Go on after a whole batch was refused, so that none of its calls was asked."""
        model = batch.model.name
        if batch.state.queue_full and batch.lines > 1:
            # The provider's queue has room for less: smaller batches, one after the other.
            wait_s = self.settings.longest_wait_s
            self._most_lines[model] = max(1, batch.lines // 2)
            self._not_before[model] = time.monotonic() + wait_s
            asyncio.get_running_loop().call_later(wait_s, self.waits.note_change)
            self._dissolve(run, batch, "its provider's queue was full")
        elif batch.is_resumed:
            self._dissolve(run, batch, error)
        else:
            await self._stop_model(run, batch, f"a batch was refused: {error}")

    def _dissolve(self, run: RunContext, batch: Batch, why: str) -> None:
        """Let the calls of a batch that came to nothing go into the next round."""
        batch.is_over = True
        for place, stored in batch.open_calls.items():
            self._by_place.pop(place, None)
            run.journal.append(never_sent_line(stored))
        batch.open_calls.clear()
        for call in batch.calls.values():
            call.fail(NotAskedError(f"its batch was not asked: {why}"))
            give(call, NeverSentError(why))
        batch.calls.clear()

    async def _stop_model(self, run: RunContext, batch: Batch, why: str) -> None:
        """Ask a model nothing more, since nothing in a batch was answered."""
        model = batch.model.name
        sentence = f"{model} is asked nothing more: {printable(without_secrets(why))}"
        run.stats.probes.refused.setdefault(model, sentence)
        batch.is_over = True
        for id, call in batch.calls.items():
            result = batch.results.get(id)
            call.fail((result and await error_in(batch, id, result)) or NotAskedError(why))
            give(call, ModelStoppedError(sentence))
        batch.calls.clear()
        for call in [call for call in self._queue if call.entry.model.name == model]:
            self._queue.remove(call)
            give(call, ModelStoppedError(sentence))

    def _put_off(self, run: RunContext, batch: Batch, error: ModelError) -> None:
        """Leave a batch to a later run, since its provider does not tell of it now."""
        batch.is_over = True
        id = batch.provider_id or batch.key
        why = (
            f"the batch {id} of {batch.model.name} cannot be read, and stays as it is: {error}; if"
            f" it is lost, `arena batches --forget {id}` lets its calls be asked, and paid, again"
        )
        batch.put_off = run.stats.batches_stopped = printable(without_secrets(why))
        for call in batch.calls.values():
            give(call, BatchStoppedError(why))
        batch.calls.clear()
