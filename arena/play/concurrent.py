"""Play episodes concurrently: each an island, each failure a row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from arena.calls.ledger import RunContext
from arena.errors import STOPPING, BudgetSpentError, ReplayError
from arena.play import records
from arena.play.episode import Episode
from arena.play.preflight import agents_of
from arena.store.replay import StudyState
from arena.studies.study import Play
from arena.types import Model


async def play_concurrently(
    run: RunContext, todo: Sequence[Play], state: StudyState, at_once: int
) -> None:
    """Play episodes, `at_once` at a time, in order.

    A replay that asks for something else than is stored is raised when the others are through.
    """
    # One iterator for all workers: each takes the next episode when it is through with one.
    waiting = iter(todo)
    wrong_replays: list[ReplayError] = []

    async def worker() -> None:
        """Play one episode after another until none is left."""
        for play in waiting:
            try:
                await play_one(run, play, state)
            except ReplayError as error:
                wrong_replays.append(error)
            except BudgetSpentError:
                # The other workers end at their next call: calls in flight are paid for, and kept.
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


async def play_one(run: RunContext, play: Play, state: StudyState) -> None:
    """Play one episode to its end: done, or failed with the reason as a row.

    An error that stops the whole run leaves it open, and is raised.
    """
    if play.episode not in state.status:
        run.journal.append_later(*records.episode_start_lines(play))
    episode = Episode(play.episode, run, state.memo.get(play.episode), play.sample, play.lineup)
    try:
        result = await play.start(episode, play.seats())
        await episode.settle()
        # The protocol may have caught the error that stops the run.
        if episode.stopped is not None:
            raise episode.stopped
        ending = [
            *records.result_lines(play, await records.grade_result(play, result)),
            records.status_line(run.id, play, state, {"status": "done"}),
        ]
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        # A protocol is code of users: whatever it raises fails this episode and no other.
        if isinstance(error, asyncio.CancelledError) and is_run_cancelled():
            await episode.abandon()
            raise
        await episode.settle()
        if (stop := stopping_error(error)) is not None:
            raise stop from error
        run.stats.failed += 1
        ending = [records.failed_line(run.id, play, state, error)]
    else:
        run.stats.done += 1
    finally:
        # Also after a failure: models may hold memory for an episode.
        for agent in play.lineup.values():
            agent.model.on_episode_end(play.episode)
    # Not waited for: if a kill takes this line, the episode is replayed from its stored turns.
    run.journal.append_later(*ending)


def is_run_cancelled() -> bool:
    """Return whether the run itself is being cancelled.

    A protocol may also wait for something that is cancelled for reasons of its own.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stopping_error(error: BaseException) -> BaseException | None:
    """Return the error that leaves an episode open, also inside that of a task group.

    None if the episode just failed.
    """
    if isinstance(error, STOPPING):
        return error
    if isinstance(error, BaseExceptionGroup):
        inner = [stopping_error(part) for part in error.exceptions]
        return next((stop for stop in inner if stop is not None), None)
    return None


async def open_models(todo: Sequence[Play]) -> None:
    """Let every model prepare for calls, such as read its weights.

    Raises StudyError if one cannot, before the first call.
    """
    try:
        for model in models_of(todo):
            await model.open()
    except BaseException:
        await close_models(todo)
        raise


async def close_models(todo: Sequence[Play]) -> None:
    """Close the connections of every model."""
    for model in models_of(todo):
        await model.close()


def models_of(plays: Sequence[Play]) -> list[Model]:
    """Return the models of these plays, each object once: two may have one name."""
    return list({id(agent.model): agent.model for agent in agents_of(plays)}.values())
