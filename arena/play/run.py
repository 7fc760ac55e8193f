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
from arena.calls.estimate import CostEstimate
from arena.calls.ledger import RunContext, RunStats
from arena.calls.prices import price_of
from arena.calls.rate_limits import Limits, RateLimiter, limits_in_environment, merge_limits
from arena.calls.retry import Retry
from arena.calls.spending import load_spending
from arena.deprecated import former_parameters
from arena.errors import STOPPING, BudgetSpentError, ReplayError, StudyError
from arena.play import preflight
from arena.play.dry_run import REPLY_TOKENS, estimate_cost
from arena.play.episode import Episode
from arena.play.progress import Watch, progress
from arena.play.records import (
    episode_start_lines,
    failed_line,
    grade_result,
    result_lines,
    run_start_lines,
    status_line,
)
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.store import database, replay
from arena.store.database import FoldResult, QueryResult
from arena.store.journal import Journal
from arena.store.replay import StudyState
from arena.studies.source import is_same_code
from arena.studies.study import Play, Study, plays
from arena.text import utc_now
from arena.types import Price

QUICK_FOLD_BYTES = 16 * 2**20
QUICK_ESTIMATE = 12
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class RunSelection:
    """Which of a study's episodes a run plays: at most `limit`, those of shard (i, n) with 1 <= i <= n, and failed ones again or not."""

    limit: int | None = None
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    accept_code_change: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise StudyError(f"--limit must be at least 1, found {self.limit}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise StudyError(
                f"--shard takes i/n with 1 <= i <= n, found {self.shard[0]}/{self.shard[1]}"
            )


EVERYTHING_OPEN = RunSelection()
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
        self.spent_in_other_stages_usd = 0.0

    @former_parameters({"which": "selection"})
    async def play(
        self, study: Study, *, selection: RunSelection = EVERYTHING_OPEN, watch: Watch | None = None
    ) -> Summary:
        """Play what is open of a study and fold the record into the database.

        `watch` is called with the tally ten times a second.  A spent budget ends the run: what is in flight is kept, the summary's `stopped`
        says so, and a larger budget continues.  Raises StudyError before anything is started, StoreError where the disk or the database
        fails, ReplayError (after the other episodes are played) where a stored turn answered another request.
        """
        all_plays = self._prepare_plays(study)
        database.create(self.path)
        with lock_study(self.path, study.name):
            began = time.monotonic()
            leftovers = database.fold(self.path)
            known = self._load_state(study, all_plays, selection)
            todo = select_plays(all_plays, known, selection)
            tally = RunStats(planned=len(todo))
            folding = (
                await self._play_and_fold(study, todo, known, tally, len(all_plays), watch)
                if todo
                else FoldResult()
            )
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
                changed=sum(
                    not is_same_code(known.code_hashes.get(play.episode), play.protocol)
                    for play in all_plays
                ),
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

    def _prepare_plays(self, study: Study) -> list[Play]:
        """The plays of a study that may be played with this arena's limits, prices and budget; StudyError where it may not."""
        all_plays = plays(study)
        preflight.check_secrets(study, all_plays)
        limits_in_environment()
        preflight.check_model_names({**study.limits, **self.limits}, all_plays, "limit")
        preflight.check_model_names(self.prices, all_plays, "price")
        if self.budget_usd is not None:
            preflight.check_prices(all_plays, self.prices)
        return all_plays

    def _load_state(
        self, study: Study, all_plays: Sequence[Play], selection: RunSelection
    ) -> StudyState:
        """What the store holds of a study; StudyError where it cannot be played on."""
        known = replay.load_study_state(self.path, study.name)
        if known.origin not in (None, "played"):
            raise StudyError(
                f"{self.path} holds a study {study.name!r} that was {known.origin}; give yours another name"
            )
        if not selection.accept_code_change:
            preflight.check_code(all_plays, known)
        return known

    async def _play_and_fold(
        self,
        study: Study,
        todo: Sequence[Play],
        known: StudyState,
        tally: RunStats,
        planned: int,
        watch: Watch | None,
    ) -> FoldResult:
        """Play the chosen episodes with a journal of their own; fold at the end, however it comes."""
        await open_models(todo)
        run_id = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        models = {agent.model.name: agent.model for agent in preflight.agents_of(todo)}
        if not all(model.simulated for model in models.values()):
            tally.expected = await estimate_cost(todo, known, self.prices, at_most=QUICK_ESTIMATE)
        if self.budget_usd is not None:
            prices = {
                name: price
                for name, model in models.items()
                if (price := price_of(model, self.prices))
            }
            earlier = load_spending(self.path, study.name, prices)
            tally.budget = Budget(self.budget_usd, earlier.usd + self.spent_in_other_stages_usd)
            tally.uncounted = earlier.unpriced
        tally.rate_limiter = RateLimiter(
            self.concurrency, merge_limits(study.limits, limits_in_environment(), self.limits)
        )
        cache = replay.load_cached_replies(self.path, study.name, models) if self.cache else {}
        journal = Journal(database.journal_folder(self.path), run_id)
        run = RunContext(
            run_id, journal, tally.rate_limiter, self.retry, tally, self.prices, tally.budget, cache
        )
        watching = asyncio.create_task(notify_watcher(tally, watch)) if watch else None
        finished = False
        try:
            journal.append(*run_start_lines(study, todo, run_id, planned, tally))
            await play_concurrently(run, todo, known, self.concurrency)
            await journal.wait_until_durable()
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

    @former_parameters({"which": "selection"})
    def dry_run(
        self,
        study: Study,
        *,
        selection: RunSelection = EVERYTHING_OPEN,
        reply_tokens: int = REPLY_TOKENS,
    ) -> CostEstimate:
        """What is still to be played of a study would take, blocking; nothing is asked and nothing is written.

        `reply_tokens` is the assumed length of a reply.  Raises StudyError as `play` does.
        """
        if not 1 <= reply_tokens <= 1_000_000:
            raise StudyError(
                f"a reply has at least 1 token, and at most a million, found {reply_tokens}"
            )
        all_plays = self._prepare_plays(study)
        known = (
            self._load_state(study, all_plays, selection)
            if self.path.exists()
            else StudyState(None, {}, {}, {}, {})
        )
        todo = select_plays(all_plays, known, selection)
        if not todo:
            return CostEstimate(0, 0, ())
        return run_blocking(
            lambda: estimate_cost(todo, known, self.prices, reply_tokens=reply_tokens)
        )

    @former_parameters({"which": "selection"})
    def run(
        self, study: Study, *, selection: RunSelection = EVERYTHING_OPEN, watch: Watch | None = None
    ) -> Summary:
        """The same as `play`, blocking, on an event loop of its own: also inside a notebook.

        Draws progress to standard error unless `watch` takes the tally.  Ctrl-C stops it within two seconds, with what was said kept.
        """
        with progress(study.name) as shown:
            return run_blocking(lambda: self.play(study, selection=selection, watch=watch or shown))

    def sql(self, query: str) -> QueryResult:
        """Run one SQL query over everything that was said, a running study included; the file is let go at once.

        Raises StoreError where there is no store, or the query is wrong.
        """
        return database.query(self.path, query)


def select_plays(
    all_plays: Sequence[Play], known: StudyState, selection: RunSelection
) -> list[Play]:
    """The episodes that this run plays."""
    skipped = {"done"} if selection.retry_failed else {"done", "failed"}
    todo = [play for play in all_plays if known.status.get(play.episode) not in skipped]
    if selection.shard is not None:
        part, of = selection.shard
        todo = [play for play in todo if int(play.episode, 16) % of == part - 1]
    return todo[: selection.limit]


async def play_concurrently(
    run: RunContext, todo: Sequence[Play], known: StudyState, at_once: int
) -> None:
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
            except BudgetSpentError:
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
        raise ReplayError(
            f"{wrong_replays[0]} ({len(wrong_replays)} of {len(todo)} episodes; they stay open)"
        )


async def play_one(run: RunContext, play: Play, known: StudyState) -> None:
    """Play one episode to its end: done, or failed with the reason as a row.  What stops the whole run leaves it open."""
    if play.episode not in known.status:
        run.journal.append_later(*episode_start_lines(play))
    episode = Episode(play.episode, run, known.memo.get(play.episode), play.sample, play.lineup)
    try:
        result = await play.protocol(episode, play.subject, **play.seats(), **play.options)
        await episode.settle()
        if episode.stopped is not None:
            raise episode.stopped
        ending = [
            *result_lines(play, await grade_result(play, result)),
            status_line(run.id, play, known, {"status": "done"}),
        ]
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and is_run_cancelled():
            await episode.abandon()
            raise
        await episode.settle()
        if (stop := stopping_error(error)) is not None:
            raise stop from error
        run.stats.failed += 1
        ending = [failed_line(run.id, play, known, error)]
    else:
        run.stats.done += 1
    finally:
        for agent in play.lineup.values():
            agent.model.on_episode_end(play.episode)
    # Not waited for: where a kill takes this line, every turn is there, and the episode is replayed from them.
    run.journal.append_later(*ending)


def is_run_cancelled() -> bool:
    """Whether the run itself is being cancelled, rather than something that a protocol waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stopping_error(error: BaseException) -> BaseException | None:
    """The error that leaves an episode open, also where a task group wrapped it; None where the episode just failed."""
    if isinstance(error, STOPPING):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next(
            (found for part in error.exceptions if (found := stopping_error(part)) is not None),
            None,
        )
    return None


async def notify_watcher(tally: RunStats, watch: Watch) -> None:
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
            await model.open()
    except BaseException:
        await close_models(todo)
        raise


async def close_models(todo: Sequence[Play]) -> None:
    """Close the connections of every model that has some."""
    models = {id(agent.model): agent.model for play in todo for agent in play.lineup.values()}
    for model in models.values():
        await model.close()


@contextmanager
def lock_study(path: Path, study: str) -> Iterator[None]:
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
        file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC"
        )
        file.flush()
        yield
