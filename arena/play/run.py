"""Play a study into a store: check it, play its open episodes, and fold the record.

A run writes its own journal and folds it into the database at its end.  A stop (Ctrl-C, kill -9, a
full disk) leaves open episodes, which the same command continues; no stored reply is asked for
again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arena.calls.batch_calls import BatchSettings
from arena.calls.budget import Budget
from arena.calls.estimate import CostEstimate
from arena.calls.ledger import RunContext
from arena.calls.prices import price_of
from arena.calls.probes import Probes
from arena.calls.prompt_tokens import PromptTokens
from arena.calls.rate_limits import Limits, RateLimiter, limits_in_environment, merge_limits
from arena.calls.retry import Retry
from arena.calls.run_stats import RunStats
from arena.calls.spending import load_spending
from arena.calls.stored_minute import count_last_minute
from arena.calls.stored_prompts import learn_from_store
from arena.errors import StoreError, StudyError
from arena.events import Hook, HookFunction
from arena.former_names import former_parameters
from arena.play import preflight
from arena.play.batched import PlayHere, check_batches, open_rounds
from arena.play.forecast import forecast, quick_forecast
from arena.play.hooks import check_hooks, open_journal
from arena.play.identity import check_models, describe_unknown, known_models, load_earlier
from arena.play.plans import is_other_plan, plan_change_lines
from arena.play.player import Player
from arena.play.progress import Watch, notify_watcher, progress
from arena.play.records import new_run_id, run_start_lines
from arena.play.registering import deviation_lines
from arena.play.rehearsal import rehearse
from arena.play.shared_prefixes import plan_prefixes
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.store import database, replay
from arena.store.damage import describe_damage
from arena.store.folding import FoldResult
from arena.store.journal import write_journal
from arena.store.paths import store_path
from arena.store.query import Parameters
from arena.store.replay import StudyState
from arena.store.result import QueryResult
from arena.store.speakers import load_stored_models
from arena.store.study_lock import lock_study
from arena.studies.source import is_same_code
from arena.studies.study import Play, Study, plays
from arena.types import Price

QUICK_FOLD_BYTES = 16 * 2**20
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class RunSelection:
    """The episodes of a study that a run plays.

    At most `limit`, those of shard (i, n) with 1 <= i <= n, and failed ones again or not.
    `accept_code_change` continues half-played episodes with a changed protocol.
    `ask_damaged_again` leaves damaged journal lines out, and asks again for the replies in them.
    `anew` plays a study that earlier versions of its protocols have played, which become leftovers.
    """

    limit: int | None = None
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    accept_code_change: bool = False
    ask_damaged_again: bool = False
    anew: bool = False

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

    `path` is the DuckDB file; journals lie beside it in `<path>.journal/`.  `concurrency` bounds
    the calls in flight.  `limits` bound those of a provider or model ({"openai": Limit(rpm=500)}),
    in addition to the study's own and those of ARENA_LIMITS.  `retry` says how often and how long a
    failed call is tried again.  `budget_usd` is the limit in dollars of a study in all its runs;
    `prices` are known by hand, by model.  `cache` uses replies to identical requests from earlier
    studies of the store.  A run stops when more than the share `max_unreadable`, in [0, 1], of the
    turns of a model cannot be read.  With `batches`, models whose providers have a batch endpoint
    are asked in batches, all others call by call.  `hooks` are told what happens in a run
    (arena/events.py).
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
        max_unreadable: float | None = None,
        batches: BatchSettings | None = None,
        hooks: Sequence[Hook | HookFunction] = (),
    ) -> None:
        if concurrency < 1:
            raise StudyError(f"concurrency must be at least 1, found {concurrency}")
        if budget_usd is not None:
            Budget(budget_usd)  # which checks the number
        if max_unreadable is not None and not 0 <= max_unreadable <= 1:
            raise StudyError(
                f"the largest share of unreadable turns lies in 0 to 1, found {max_unreadable}"
            )
        check_hooks(hooks)
        self.path = store_path(path)
        self.concurrency = concurrency
        self.limits = limits
        self.retry = retry
        self.budget_usd = budget_usd
        self.prices = prices
        self.cache = cache
        self.max_unreadable = max_unreadable
        self.batches = batches
        self.hooks = hooks
        # Models that have answered: a stage need not ask them anew whether they do.
        self.answered: set[str] = set()
        self._prompt_tokens = PromptTokens()
        # Dollars that other stages of the same tournament have spent of the budget (stages.py).
        self.spent_in_other_stages_usd = 0.0
        self.player: Player = PlayHere()

    @former_parameters({"which": "selection"})
    async def play(
        self, study: Study, *, selection: RunSelection = EVERYTHING_OPEN, watch: Watch | None = None
    ) -> Summary:
        """Play the open episodes of a study and fold the record into the database.

        `watch` is called with the state of the run ten times a second.  A spent budget, or too many
        unreadable turns, end the run: replies in flight are kept, the summary's `stopped` says so,
        and a larger budget or share continues.  A model whose first call fails as every other one
        would is asked nothing more.  Raises StudyError before anything is started, StoreError if
        the disk or the database fails, ReplayError (after the other episodes are played) if a
        stored turn answered another request.
        """
        all_plays = self._prepare_plays(study)
        if is_new := not self.path.exists():
            # A study that is refused leaves no file behind.
            await rehearse(select_plays(all_plays, StudyState(), selection))
        database.create(self.path)
        with lock_study(self.path, study.name):
            began = time.monotonic()
            folded_before = database.fold(self.path, leave_out_damaged=selection.ask_damaged_again)
            if folded_before.damaged and folded_before.put_off:
                raise StoreError(folded_before.put_off)
            state = await asyncio.to_thread(self._load_state, study, all_plays, selection)
            # Not folded, because a reader holds the database, and damaged as well.
            if damaged := database.find_damage(self.path):
                raise StoreError(describe_damage(damaged))
            todo = await self._choose_plays(all_plays, state, selection)
            stats = RunStats(
                planned=len(todo),
                max_unreadable=self.max_unreadable,
                probes=Probes(self.answered, self.retry.server_wait_s),
                store=self.path,
            )
            folding = FoldResult()
            if todo:
                await rehearse([] if is_new else todo)
                folding = await self._play_and_fold(study, todo, state, stats, all_plays, watch)
            elif is_other_plan(all_plays, state):
                folding = await self._record_plan(study, all_plays, state, stats)
            status = {play.episode: state.status.get(play.episode, "open") for play in all_plays}
            # Failed episodes that were played again count by their new end alone.
            again = sum(status[play.episode] == "failed" for play in todo)
            return Summary(
                study.name,
                self.path,
                len(all_plays),
                done=sum(word == "done" for word in status.values()) + stats.done,
                failed=sum(word == "failed" for word in status.values()) - again + stats.failed,
                replies=stats.replies,
                replayed=stats.replayed,
                unreadable=stats.unreadable,
                seconds=time.monotonic() - began,
                others=len(state.status.keys() - status.keys()),
                changed=sum(
                    not is_same_code(state.code_hashes.get(play.episode), play.protocol)
                    for play in all_plays
                ),
                torn=folded_before.skipped + folding.skipped - len(folded_before.damaged),
                damaged=len(folded_before.damaged),
                put_off=folding.put_off,
                cached=stats.cached,
                calls=stats.replies + stats.failed_calls,
                tokens_in=stats.tokens_in,
                tokens_out=stats.tokens_out,
                cost_usd=stats.cost_usd,
                unpriced=stats.unpriced,
                expected=stats.expected,
                stopped=stats.stopped,
                uncounted=stats.uncounted,
                alarms=stats.alarms,
                remedies=stats.remedies,
            )

    def _prepare_plays(self, study: Study) -> list[Play]:
        """Return the plays of a study after all checks that need no store.

        Raises StudyError if this arena's limits, prices or budget do not fit the study.
        """
        all_plays = plays(study)
        preflight.check_secrets(study, all_plays)
        limits_in_environment()
        preflight.check_model_names({**study.limits, **self.limits}, all_plays, "limit")
        preflight.check_model_names(self.prices, all_plays, "price")
        if self.budget_usd is not None:
            preflight.check_prices(all_plays, self.prices)
        if self.batches is not None:
            check_batches(all_plays)
        return all_plays

    def _load_state(
        self, study: Study, all_plays: Sequence[Play], selection: RunSelection
    ) -> StudyState:
        """Return the state of a study in the store; StudyError if it cannot be continued.

        Takes a while where the weights of local models have to be read.
        """
        state = replay.load_study_state(self.path, study.name)
        if state.origin not in (None, "played"):
            raise StudyError(
                f"{self.path} holds a study {study.name!r} that was {state.origin};"
                " give yours another name"
            )
        if not selection.accept_code_change:
            preflight.check_code(all_plays, state)
        check_models(load_stored_models(self.path, study.name), study.name, all_plays)
        return state

    async def _choose_plays(
        self, all_plays: Sequence[Play], state: StudyState, selection: RunSelection
    ) -> list[Play]:
        """Return the episodes that this run plays.

        Raises StudyError, with the cost, if earlier versions of their protocols have played them.
        """
        todo = select_plays(all_plays, state, selection)
        if (
            todo
            and not selection.anew
            and (earlier := await asyncio.to_thread(preflight.find_earlier, self.path, all_plays))
        ):
            cost = await forecast(self, todo, state)
            preflight.refuse_earlier(self.path, earlier, cost)
        return todo

    async def _play_and_fold(
        self,
        study: Study,
        todo: Sequence[Play],
        state: StudyState,
        stats: RunStats,
        all_plays: Sequence[Play],
        watch: Watch | None,
    ) -> FoldResult:
        """Play the chosen episodes with a journal of their own; fold it however the run ends."""
        await self.player.open(todo)
        stats.notes += describe_unknown(load_stored_models(self.path, study.name), todo)
        stats.notes += preflight.describe_left_out(todo)
        run_id = new_run_id()
        models = {agent.model.name: agent.model for agent in preflight.agents_of(todo)}
        todo, prefixes = await plan_prefixes(todo, self.concurrency, self.batches)
        if not all(model.simulated for model in models.values()):
            stats.servings = load_earlier(self.path, study.name)
            stats.expected = await quick_forecast(self, todo, state, prefixes)
        if self.budget_usd is not None:
            priced = {name: price_of(model, self.prices) for name, model in models.items()}
            prices = {name: price for name, price in priced.items() if price is not None}
            # Calls that an earlier run made without a price count with the price of today.
            earlier = load_spending(self.path, study.name, prices)
            stats.budget = Budget(self.budget_usd, earlier.usd + self.spent_in_other_stages_usd)
            stats.uncounted = earlier.unpriced
        limits = merge_limits(study.limits, limits_in_environment(), self.limits)
        late_s = self.player.late_s
        stats.rate_limiter = RateLimiter(self.concurrency, limits, self._prompt_tokens, late_s)
        learn_from_store(stats.rate_limiter, self.path, models)
        count_last_minute(stats.rate_limiter, self.path, models)
        cache = {}
        if self.cache:
            cache = replay.load_cached_replies(self.path, study.name, known_models(todo))
        departs = await deviation_lines(self.path, study.name, all_plays, run_id)
        folder = database.journal_folder(self.path)
        journal = open_journal(folder, self.hooks, study, run_id, todo, stats)
        stats.batches = batches = open_rounds(self.path, study.name, self.batches, state)
        run = RunContext(
            run_id,
            journal,
            stats.rate_limiter,
            self.retry,
            stats,
            self.prices,
            stats.budget,
            cache,
            batches=batches,
            prefixes=prefixes,
        )
        watching = asyncio.create_task(notify_watcher(stats, watch)) if watch else None
        finished = False
        try:
            start = run_start_lines(study, todo, run_id, len(all_plays), stats)
            journal.append(*start, *plan_change_lines(run_id, all_plays, state), *departs)
            await self.player.play(run, batches, todo, state, self.concurrency)
            await journal.wait_until_durable()
            finished = True
        finally:
            if watching:
                watching.cancel()
            try:
                await self.player.close(todo)
            finally:
                journal.close()
            # A stopped run must end within two seconds: a large journal is left to the next
            # command that opens the store.
            if not finished and journal.bytes_written < QUICK_FOLD_BYTES:
                database.fold(self.path, wait_s=0.5)
        return await asyncio.to_thread(database.fold, self.path)

    async def _record_plan(
        self, study: Study, all_plays: Sequence[Play], state: StudyState, stats: RunStats
    ) -> FoldResult:
        """Record another plan of which nothing is to be played, as a run that makes no call."""
        run_id = new_run_id()
        start = run_start_lines(study, all_plays, run_id, len(all_plays), stats)
        departs = await deviation_lines(self.path, study.name, all_plays, run_id)
        lines = [*start, *plan_change_lines(run_id, all_plays, state), *departs]
        journal = database.journal_folder(self.path) / f"{run_id}-000.jsonl"
        await asyncio.to_thread(write_journal, journal, lines)
        return await asyncio.to_thread(database.fold, self.path)

    @former_parameters({"which": "selection"})
    def dry_run(
        self,
        study: Study,
        *,
        selection: RunSelection = EVERYTHING_OPEN,
        reply_tokens: int | None = None,
    ) -> CostEstimate:
        """Estimate the cost of the open episodes of a study, blocking.

        Nothing is asked and nothing is written.  `reply_tokens` is the length of every reply; None:
        as long as in stored calls, or else 500.  Raises StudyError as `play` does.
        """
        if reply_tokens is not None and not 1 <= reply_tokens <= 1_000_000:
            raise StudyError(
                f"a reply has at least 1 token, and at most a million, found {reply_tokens}"
            )
        all_plays = self._prepare_plays(study)
        state = (
            self._load_state(study, all_plays, selection) if self.path.exists() else StudyState()
        )
        todo = select_plays(all_plays, state, selection)
        if not todo:
            return CostEstimate(0, 0, ())
        cost = run_blocking(lambda: forecast(self, todo, state, reply_tokens=reply_tokens))
        if selection.anew or not self.path.exists():
            return cost
        return replace(cost, earlier=preflight.find_earlier(self.path, all_plays))

    @former_parameters({"which": "selection"})
    def run(
        self, study: Study, *, selection: RunSelection = EVERYTHING_OPEN, watch: Watch | None = None
    ) -> Summary:
        """Do the same as `play`, blocking, on its own event loop: also inside a notebook.

        Draws progress to standard error, unless `watch` takes the state of the run.  Ctrl-C stops
        it within two seconds; all replies so far are kept.
        """
        with progress(study.name) as drawn:
            return run_blocking(lambda: self.play(study, selection=selection, watch=watch or drawn))

    def sql(self, query: str, parameters: Parameters = None) -> QueryResult:
        """Run one SQL query over the whole record, studies in progress included.

            arena.sql("from turns where study = $study", {"study": name}).df()

        `parameters` are a mapping for $name or a sequence for ?; they are bound, never pasted, and
        a list is asked for by `model in $models`.  The result shows itself as a table, iterates as
        records, and gives frames by `.df()`, `.pl()` and `.arrow()`.  The file is closed at once.
        Raises StoreError if there is no store, or the query or its parameters are wrong.
        """
        return database.query(self.path, query, parameters)


def select_plays(
    all_plays: Sequence[Play], state: StudyState, selection: RunSelection
) -> list[Play]:
    """Return the episodes that this run plays."""
    skipped = {"done"} if selection.retry_failed else {"done", "failed"}
    todo = [play for play in all_plays if state.status.get(play.episode) not in skipped]
    if selection.shard is not None:
        part, of = selection.shard
        # By the id's value: the shard of an episode depends on no other episode.
        todo = [play for play in todo if int(play.episode, 16) % of == part - 1]
    return todo[: selection.limit]
