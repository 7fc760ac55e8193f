"""Playing a study: episodes side by side, each an island, each failure a row.

A run writes its own journal and folds it into the database at its end.  Stopping it (Ctrl-C, kill -9, a full disk) leaves open episodes,
which the same command continues; nothing that was said is asked again.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.calls.budget import Budget
from arena.calls.estimate import Estimate
from arena.calls.ledger import Run, Tally
from arena.calls.prices import Price, price_of
from arena.calls.rate_limits import Limits, Pace, limits_in_environment, merged
from arena.calls.retry import Retry
from arena.calls.spending import spent
from arena.errors import STOPPING, BudgetSpent, ReplayError, StudyError
from arena.play import preflight
from arena.play.dry_run import REPLY_TOKENS, estimated
from arena.play.episode import Episode
from arena.play.progress import Watch, progress
from arena.play.records import entry_lines, failed_line, graded, opening_lines, result_lines, status_line
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.store import database, replay
from arena.store.database import Folding, Table
from arena.store.journal import Journal
from arena.store.replay import Known
from arena.studies.study import Play, Study, code_hash, plays
from arena.text import utc_now

QUICK_FOLD_BYTES = 16 * 2**20
QUICK_ESTIMATE = 12
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Which:
    """Which of a study's episodes a run plays: at most `limit`, those of shard (i, n) with 1 <= i <= n, and failed ones again or not."""

    limit: int | None = None
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    accept_code_change: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise StudyError(f"--limit must be at least 1, found {self.limit}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise StudyError(f"--shard takes i/n with 1 <= i <= n, found {self.shard[0]}/{self.shard[1]}")


EVERYTHING_OPEN = Which()
DEFAULT_RETRY = Retry()


class Arena:
    """A store and the means to play studies into it.

    `path` is the DuckDB file; journals lie beside it in `<path>.journal/`.  `concurrency` bounds the calls in flight, `limits` those of a
    provider or model ({"openai": Limit(rpm=500)}), beside the study's own and those of ARENA_LIMITS; `retry` says how often and how long a
    failed call is tried again.  `budget_usd` is what a study may cost in all its runs; `prices` are those that are known by hand, by model.
    `cache` takes replies to identical requests from earlier studies of the store.
    """

    def __init__(
        self,
        path: str | Path = "arena.duckdb",
        *,
        concurrency: int = 32,
        limits: Limits = NOTHING,
        retry: Retry = DEFAULT_RETRY,
        budget_usd: float | None = None,
        prices: Mapping[str, Price] = NOTHING,
        cache: bool = False,
    ) -> None:
        if concurrency < 1:
            raise StudyError(f"concurrency must be at least 1, found {concurrency}")
        if not Path(path).name:
            raise StudyError("a store needs a file name, such as arena.duckdb")
        if budget_usd is not None:
            Budget(budget_usd)
        self.path = Path(path)
        self.concurrency = concurrency
        self.limits = limits
        self.retry = retry
        self.budget_usd = budget_usd
        self.prices = prices
        self.cache = cache
        # What stages of the same tournament have spent of the budget (stages.py).
        self.elsewhere_usd = 0.0

    async def play(self, study: Study, *, which: Which = EVERYTHING_OPEN, watch: Watch | None = None) -> Summary:
        """Play what is open of a study and fold the record into the database.

        `watch` is called with the tally ten times a second.  A spent budget ends the run: what is in flight is kept, the summary's `stopped`
        says so, and a larger budget continues.  Raises StudyError before anything is started, StoreError where the disk or the database
        fails, ReplayError (after the other episodes are played) where a stored turn answered another request.
        """
        all_plays = self._checked(study)
        database.create(self.path)
        with studying(self.path, study.name):
            began = time.monotonic()
            leftovers = database.fold(self.path)
            known = self._known(study, all_plays, which)
            todo = chosen(all_plays, known, which)
            tally = Tally(planned=len(todo))
            folding = await self._play_out(study, todo, known, tally, len(all_plays), watch) if todo else Folding()
            status = {play.episode: known.status.get(play.episode, "open") for play in all_plays}
            again = sum(status[play.episode] == "failed" for play in todo)
            return Summary(
                study.name,
                self.path,
                len(all_plays),
                done=sum(s == "done" for s in status.values()) + tally.done,
                failed=sum(s == "failed" for s in status.values()) - again + tally.failed,
                replies=tally.replies,
                replayed=tally.replayed,
                unreadable=tally.unreadable,
                seconds=time.monotonic() - began,
                others=len(known.status.keys() - status.keys()),
                changed=sum(known.code.get(play.episode) not in (None, code_hash(play.protocol)) for play in all_plays),
                torn=leftovers.skipped + folding.skipped,
                put_off=folding.put_off,
                cached=tally.cached,
                calls=tally.replies + tally.failed_calls,
                tokens_in=tally.tokens_in,
                tokens_out=tally.tokens_out,
                cost_usd=tally.cost_usd,
                unpriced=tally.unpriced,
                expected=tally.expected,
                stopped=tally.budget.closed if tally.budget else None,
                uncounted=tally.uncounted,
            )

    def _checked(self, study: Study) -> list[Play]:
        """The plays of a study that may be played with this arena's limits, prices and budget; StudyError where it may not."""
        all_plays = plays(study)
        preflight.check_secrets(study, all_plays)
        limits_in_environment()
        preflight.check_names({**study.limits, **self.limits}, all_plays, "limit")
        preflight.check_names(self.prices, all_plays, "price")
        if self.budget_usd is not None:
            preflight.check_prices(all_plays, self.prices)
        return all_plays

    def _known(self, study: Study, all_plays: Sequence[Play], which: Which) -> Known:
        """What the store holds of a study; StudyError where it cannot be played on."""
        known = replay.known(self.path, study.name)
        if known.origin not in (None, "played"):
            raise StudyError(f"{self.path} holds a study {study.name!r} that was {known.origin}; give yours another name")
        if not which.accept_code_change:
            preflight.check_code(all_plays, known)
        return known

    async def _play_out(self, study: Study, todo: Sequence[Play], known: Known, tally: Tally, planned: int, watch: Watch | None) -> Folding:
        """Play the chosen episodes with a journal of their own; fold at the end, however it comes."""
        await open_models(todo)
        run_id = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        models = {agent.model.name: agent.model for agent in preflight.agents_of(todo)}
        if not all(model.simulated for model in models.values()):
            tally.expected = await estimated(todo, known, self.prices, at_most=QUICK_ESTIMATE)
        if self.budget_usd is not None:
            prices = {name: price for name, model in models.items() if (price := price_of(model, self.prices))}
            earlier = spent(self.path, study.name, prices)
            tally.budget = Budget(self.budget_usd, earlier.usd + self.elsewhere_usd)
            tally.uncounted = earlier.unpriced
        tally.pace = Pace(self.concurrency, merged(study.limits, limits_in_environment(), self.limits))
        cache = replay.cached(self.path, study.name, models) if self.cache else {}
        journal = Journal(database.journal_folder(self.path), run_id)
        run = Run(run_id, journal, tally.pace, self.retry, tally, self.prices, tally.budget, cache)
        watching = asyncio.create_task(watched(tally, watch)) if watch else None
        finished = False
        try:
            journal.append(*opening_lines(study, todo, run_id, planned, tally))
            await play_side_by_side(run, todo, known, self.concurrency)
            await journal.durable()
            finished = True
        finally:
            if watching:
                watching.cancel()
            try:
                await close_models(todo)
            finally:
                journal.close()
            # A stopped run must let go within two seconds: a large journal is left to whoever opens the store next.
            if not finished and journal.bytes_written < QUICK_FOLD_BYTES:
                database.fold(self.path, wait_s=0.5)
        return await asyncio.to_thread(database.fold, self.path)

    def dry_run(self, study: Study, *, which: Which = EVERYTHING_OPEN, reply_tokens: int = REPLY_TOKENS) -> Estimate:
        """What is still to be played of a study would take, blocking; nothing is asked and nothing is written.

        `reply_tokens` is the assumed length of a reply.  Raises StudyError as `play` does.
        """
        if not 1 <= reply_tokens <= 1_000_000:
            raise StudyError(f"a reply has at least 1 token, and at most a million, found {reply_tokens}")
        all_plays = self._checked(study)
        known = self._known(study, all_plays, which) if self.path.exists() else Known(None, {}, {}, {}, {})
        todo = chosen(all_plays, known, which)
        if not todo:
            return Estimate(0, 0, ())
        return run_blocking(lambda: estimated(todo, known, self.prices, reply_tokens=reply_tokens))

    def run(self, study: Study, *, which: Which = EVERYTHING_OPEN, watch: Watch | None = None) -> Summary:
        """The same as `play`, blocking, on an event loop of its own: also inside a notebook.

        Draws progress to standard error unless `watch` takes the tally.  Ctrl-C stops it within two seconds, with what was said kept.
        """
        with progress(study.name) as shown:
            return run_blocking(lambda: self.play(study, which=which, watch=watch or shown))

    def sql(self, query: str) -> Table:
        """Run one SQL query over everything that was said, a running study included; the file is let go at once.

        Raises StoreError where there is no store, or the query is wrong.
        """
        return database.query(self.path, query)


def chosen(all_plays: Sequence[Play], known: Known, which: Which) -> list[Play]:
    """The episodes that this run plays."""
    skipped = {"done"} if which.retry_failed else {"done", "failed"}
    todo = [play for play in all_plays if known.status.get(play.episode) not in skipped]
    if which.shard is not None:
        part, of = which.shard
        todo = [play for play in todo if int(play.episode, 16) % of == part - 1]
    return todo[: which.limit]


async def play_side_by_side(run: Run, todo: Sequence[Play], known: Known, at_once: int) -> None:
    """Play episodes, `at_once` at a time, oldest first; a replay that went wrong is raised when the others are through."""
    waiting = iter(todo)
    wrong_replays: list[ReplayError] = []

    async def worker() -> None:
        """Play one episode after another until none is left."""
        for play in waiting:
            try:
                await play_one(run, play, known)
            except ReplayError as error:
                wrong_replays.append(error)
            except BudgetSpent:
                # The others end by themselves at their next call: what is in flight is paid for, and kept.
                return

    workers = [asyncio.create_task(worker()) for _ in range(min(at_once, len(todo)))]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    if wrong_replays:
        raise ReplayError(f"{wrong_replays[0]} ({len(wrong_replays)} of {len(todo)} episodes; they stay open)")


async def play_one(run: Run, play: Play, known: Known) -> None:
    """Play one episode to its end: done, or failed with the reason as a row.  What stops the whole run leaves it open."""
    if play.episode not in known.status:
        run.journal.later(*entry_lines(play))
    episode = Episode(play.episode, run, known.memo.get(play.episode), play.sample, play.lineup)
    try:
        result = await play.protocol(episode, play.subject, **play.seats(), **play.options)
        await episode.settle()
        if episode.stopped is not None:
            raise episode.stopped
        ending = [*result_lines(play, await graded(play, result)), status_line(run.id, play, known, {"status": "done"})]
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and being_stopped():
            await episode.abandon()
            raise
        await episode.settle()
        if (stop := stopping(error)) is not None:
            raise stop from error
        run.tally.failed += 1
        ending = [failed_line(run.id, play, known, error)]
    else:
        run.tally.done += 1
    finally:
        for agent in play.lineup.values():
            if (over := getattr(agent.model, "ended", None)) is not None:
                over(play.episode)
    # Not waited for: where a kill takes this line, every turn is there, and the episode is replayed from them.
    run.journal.later(*ending)


def being_stopped() -> bool:
    """Whether the run itself is being cancelled, rather than something that a protocol waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stopping(error: BaseException) -> BaseException | None:
    """The error that leaves an episode open, also where a task group wrapped it; None where the episode just failed."""
    if isinstance(error, STOPPING):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for part in error.exceptions if (found := stopping(part)) is not None), None)
    return None


async def watched(tally: Tally, watch: Watch) -> None:
    """Call `watch` with the tally ten times a second, until cancelled; once more at the end."""
    try:
        while True:
            watch(tally)
            await asyncio.sleep(0.1)
    finally:
        watch(tally)


async def open_models(todo: Sequence[Play]) -> None:
    """Let every model get ready that needs to, such as reading its weights; StudyError where one cannot, before the first call."""
    try:
        for model in {id(agent.model): agent.model for agent in preflight.agents_of(todo)}.values():
            if (opening := getattr(model, "open", None)) is not None:
                await opening()
    except BaseException:
        await close_models(todo)
        raise


async def close_models(todo: Sequence[Play]) -> None:
    """Close the connections of every model that has some."""
    models = {id(agent.model): agent.model for play in todo for agent in play.lineup.values()}
    for model in models.values():
        close = getattr(model, "close", None)
        if close is not None:
            await close()


@contextmanager
def studying(path: Path, study: str) -> Iterator[None]:
    """Hold a study for this process: two processes never play the same one into one store.  Raises StudyError naming the holder."""
    lock = database.journal_folder(path) / f"{hashlib.sha256(study.encode()).hexdigest()[:16]}.lock"
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise StudyError(
                f"study {study!r} is being played into {path} already, by {file.read().strip() or 'another process'};"
                f" follow it with `arena status --db {path}`"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield
