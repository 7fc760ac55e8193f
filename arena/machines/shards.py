"""Play a share of a study with the record of another process: the other end of a connection.

`python -m arena.machines.shards ADDRESS I/N` is what the record starts; a share that a user begins
(`arena run FILE --on shards --shard I/N`) differs only in that it has its study already.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress

from arena.calls.ledger import RunContext
from arena.calls.probes import Probes
from arena.calls.prompt_caches import EpisodePrefixes
from arena.errors import ArenaError, ReplayError, StoreError, StudyError
from arena.machines.record_client import (
    BEAT_S,
    PartStats,
    RecordBudget,
    RecordClient,
    RecordJournal,
    RecordRateLimiter,
)
from arena.machines.record_share import Share, code_of, state_of
from arena.machines.record_wire import record_is_gone
from arena.machines.study_source import choose_plays
from arena.play.concurrent import close_models, open_models, play_concurrently
from arena.play.progress import Watch, notify_watcher
from arena.play.shared_prefixes import plan_prefixes
from arena.studies.study import Study

# The loops of a part may lag when it begins, and the record's too.
CONNECT_S = 10.0


class NotWelcomeError(StoreError):
    """A record ended before it gave a part its share, or does not answer."""


def run_of(
    client: RecordClient, share: Share, prefixes: Mapping[str, EpisodePrefixes]
) -> RunContext:
    """Return a run whose journal, limits and budget are those of the record."""
    stats = client.stats
    stats.planned = len(share.episodes)
    stats.max_unreadable = share.max_unreadable
    stats.probes = Probes(share.answered, share.retry.server_wait_s)
    stats.servings = share.servings
    if share.budget_usd is not None:
        stats.budget = RecordBudget(client, share.budget_usd)
    limiter = RecordRateLimiter(client, share.at_once, sends_sizes=share.sends_sizes)
    return RunContext(
        share.run,
        RecordJournal(client),
        limiter,
        share.retry,
        stats,
        share.prices,
        stats.budget,
        share.cache,
        prefixes=prefixes,
        attempts=share.attempts,
    )


async def play_share(client: RecordClient, share: Share, study: Study | None) -> None:
    """Play the episodes of a share; raises what ends it."""
    if not share.episodes:
        if study is not None and share.played_by:
            raise StudyError(
                f"this share is being played already, by {', '.join(share.played_by)}: end that"
                " process, if it does nothing, and begin the share again"
            )
        return
    beating = asyncio.create_task(beat(client))
    try:
        await play_episodes(client, share, study)
    finally:
        beating.cancel()


async def play_episodes(client: RecordClient, share: Share, study: Study | None) -> None:
    """Load the episodes of a share, and play them."""
    if study is not None:
        todo = choose_plays(study, share.episodes)
    else:
        # A record that starts its parts knows where they find the study.
        assert share.source is not None
        todo = share.source.load(share.study, share.store, share.episodes)
    if code_of(todo) != share.code:
        raise StudyError(
            "the code of a protocol or a scripted agent is another one here than where the record"
            " is kept: give the same file, and start all parts anew"
        )
    todo, prefixes = await plan_prefixes(todo, share.at_once, None)
    run = run_of(client, share, prefixes)
    await open_models(todo)
    try:
        await play_concurrently(run, todo, state_of(share), share.at_once)
        await run.journal.wait_until_durable()
    finally:
        await close_models(todo)


async def beat(client: RecordClient) -> None:
    """Tell the record twice a second what waits here."""
    while True:
        client.wire.say("state", client.stats.state())
        await asyncio.sleep(BEAT_S)


async def play_until_cancelled(
    client: RecordClient, share: Share, study: Study | None
) -> ArenaError | None:
    """Play a share until it is through, or the record stops it; return the error that ended it."""
    playing = asyncio.create_task(play_share(client, share, study))
    stop = asyncio.create_task(client.cancelled.wait())
    try:
        await asyncio.wait({playing, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    try:
        playing.result()
    except asyncio.CancelledError:
        return None
    except (ReplayError, StudyError, StoreError) as error:
        return error
    return None


async def play_part(
    address: str,
    number: int,
    of: int,
    who: str,
    study: Study | None = None,
    watch: Watch | None = None,
    secret: str = "",
) -> PartStats:
    """Join a record as share `number` of `of`, and play it; without a `study`, the record's.

    `watch` is called as that of `Arena.play`.  Raises what ended it where a `study` was given, and
    StoreError if the record is gone.
    """
    client = RecordClient()
    watching = asyncio.create_task(notify_watcher(client.stats, watch)) if watch else None
    if secret:
        client.wire.say("secret", secret)
    await connect(client, address)
    client.wire.say("hello", (number, of, who))
    try:
        share: Share = pickle.loads(await client.welcome)
    except StoreError as gone:
        raise NotWelcomeError(str(gone)) from gone
    client.stats.store = share.store
    try:
        error = await play_until_cancelled(client, share, study)
    finally:
        if watching is not None:
            watching.cancel()
        lost = client.wire.is_lost
        await leave(client, error if not lost else None)
    if lost:
        raise record_is_gone()
    if study is not None:
        if error is not None:
            raise error
        refuse_to_end_open(client)
    return client.stats


def refuse_to_end_open(client: RecordClient) -> None:
    """Raise StoreError if the record was stopped, and said so before it ended."""
    stats = client.stats
    if client.is_stopped and stats.done + stats.failed < stats.planned and not stats.stopped:
        raise StoreError(
            "the process that keeps the record was stopped: run the same commands again, what was"
            " said so far is kept"
        )


async def leave(client: RecordClient, error: ArenaError | None) -> None:
    """Say why a part ends, and close its connection when all has gone out."""
    kinds = {ReplayError: "replay", StudyError: "study", StoreError: "store"}
    client.wire.say(
        "end",
        {
            "kind": kinds.get(type(error), "") if error is not None else "",
            "error": str(error),
            "gone": [*client.stats.probes.outages.sentences()],
        },
    )
    client.wire.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(CONNECT_S):
            await client.lost.wait()


async def connect(client: RecordClient, address: str) -> None:
    """Connect to a record at a socket's path or at HOST:PORT; NotWelcomeError without one."""
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            if host:
                await loop.create_connection(lambda: client.wire, host, int(port))
            else:
                await loop.create_unix_connection(lambda: client.wire, address)
    except OSError as error:
        words = f"no record answers at {address}: {error.strerror or error}"
        raise NotWelcomeError(words) from error


def main() -> int:
    """Play the share that the command line names; 0 also where the record has been told why not."""
    address, share = sys.argv[1:]
    number, _, of = share.partition("/")
    try:
        asyncio.run(play_part(address, int(number), int(of), f"worker {share}, {os.getpid()}"))
    except StoreError:
        # Whoever started this process is gone, or stops.
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
