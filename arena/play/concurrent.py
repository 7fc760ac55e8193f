"""Play episodes concurrently: each an island, each failure a row."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from arena.calls.ledger import RunContext
from arena.calls.probes import Probes
from arena.errors import STOPPING, ModelStoppedError, ReplayError, RunStoppedError
from arena.play import records
from arena.play.episode import Episode
from arena.play.preflight import agents_of
from arena.store.replay import StudyState
from arena.studies.study import Play
from arena.types import Model

# So many new objects, those of some hundred calls, are looked at together.
NEW_OBJECTS = 20_000


async def play_concurrently(
    run: RunContext, todo: Sequence[Play], state: StudyState, at_once: int
) -> None:
    """Play episodes, `at_once` at a time, in order.

    An episode that waits for the first call to its model does not count, so that a slow first call
    holds up no other model.  Episodes of a model that is asked nothing more stay open.  A replay
    that asks for something else than is stored is raised when the others are through.
    """
    probes = run.stats.probes
    models = {model for play in todo for model in models_in(play)}
    waiting = deque(todo)
    wrong_replays: list[ReplayError] = []
    substitutes = 0

    async def play_next(play: Play | None) -> bool:
        """Play an episode; return whether another one can be played after it."""
        if play is None:
            return False
        if models_in(play) & probes.refused.keys():
            return True
        try:
            await play_one(run, play, state)
        except ReplayError as error:
            wrong_replays.append(error)
        except ModelStoppedError:
            # Episodes of other models are played.
            return True
        except RunStoppedError:
            # The other workers end at their next call: calls in flight are paid for, and kept.
            return False
        return True

    async def worker() -> None:
        """Play one episode after another until none is left."""
        while await play_next(take_ready(waiting, probes) or take_first(waiting)):
            pass

    async def substitute() -> None:
        """Play others as long as an episode waits for the first call to its model."""
        nonlocal substitutes
        substitutes += 1
        while substitutes <= probes.waiting_episodes and await play_next(
            take_ready(waiting, probes)
        ):
            pass
        substitutes -= 1

    def play_another() -> None:
        """Let a substitute look for an episode, unless every model is being tried."""
        if not all(map(probes.pending, models)):
            tasks.add(asyncio.create_task(substitute()))

    tasks = {asyncio.create_task(worker()) for _ in range(min(at_once, len(todo)))}
    probes.on_wait = play_another
    with collect_seldom():
        await wait_for_all(tasks)
    if wrong_replays:
        raise ReplayError(
            f"{wrong_replays[0]} ({len(wrong_replays)} of {len(todo)} episodes; they stay open)"
        )


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Let the garbage collector look at new objects more seldom meanwhile.

    Those of a call live until its reply, so that a look at them while it waits frees nothing.  A
    collector that is off, or more seldom already, is left as it is.
    """
    before = gc.get_threshold()
    # Whoever changed it sets it back: two runs in one process may overlap.
    changes = 0 < before[0] < NEW_OBJECTS
    if changes:
        gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        if changes:
            gc.set_threshold(*before)


async def wait_for_all(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until the tasks have ended, also those that are added meanwhile.

    The first error of one, or a cancellation, cancels the others, and is raised.
    """
    try:
        while tasks:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            tasks -= ended
            for task in ended:
                task.result()
    except BaseException:
        while tasks:
            stopping = list(tasks)
            for task in stopping:
                task.cancel()
            await asyncio.gather(*stopping, return_exceptions=True)
            tasks.difference_update(stopping)
        raise


def models_in(play: Play) -> set[str]:
    """Return the names of the models that sit in an episode."""
    return {agent.model.name for agent in play.lineup.values()}


def take_ready(waiting: deque[Play], probes: Probes) -> Play | None:
    """Take the first episode that need not wait for the first call to its models, if any."""
    for index, play in enumerate(waiting):
        if not any(probes.pending(model) for model in models_in(play)):
            del waiting[index]
            return play
    return None


def take_first(waiting: deque[Play]) -> Play | None:
    """Take the first episode, if any."""
    return waiting.popleft() if waiting else None


async def play_one(run: RunContext, play: Play, state: StudyState) -> None:
    """Play one episode to its end: done, or failed with the reason as a row.

    An error that stops the whole run leaves it open, and is raised.
    """
    if play.episode not in state.status:
        run.journal.append_later(*records.episode_start_lines(play))
    episode = Episode(
        play.episode,
        run,
        state.memo.get(play.episode),
        play.sample,
        play.lineup,
        play.subject,
    )
    if run.batches is not None:
        run.batches.waits.enter(episode)
    try:
        result = await play.start(episode, play.seats())
        await episode.settle()
        # The protocol may have caught the error that stops the run.
        if episode.stopped is not None:
            raise episode.stopped
        if episode.disclosure.leak is not None:
            raise episode.disclosure.leak
        ending = [
            *records.result_lines(play, await records.grade_result(play, result, episode.seats)),
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
        if run.batches is not None:
            run.batches.waits.leave(episode)
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
