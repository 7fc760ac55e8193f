"""Play a share of a study with the record of another process: the other end of a connection.

`python -m arena.machines.shards ADDRESS I/N` is what the record starts; a share that a user begins
(`arena run FILE --shard I/N`) differs only in that it has its study already.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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
from arena.play.progress import Watch, notify_watcher, progress
from arena.play.run import Arena, RunSelection
from arena.play.shared_prefixes import plan_prefixes
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.store.locks import is_locked
from arena.store.study_lock import lock_file, record_file
from arena.studies.study import Study

# The loops of a part may lag when it begins, and the record's too.
CONNECT_S = 10.0
# How long a record may take to read a large store, from its lock on.
STARTING_S = 120.0


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
        return
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
    beating = asyncio.create_task(beat(client))
    try:
        await play_concurrently(run, todo, state_of(share), share.at_once)
        await run.journal.wait_until_durable()
    finally:
        beating.cancel()
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
    share: Share = pickle.loads(await client.welcome)
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
    if error is not None and study is not None:
        raise error
    return client.stats


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


def find_record(path: Path, study: str) -> str | None:
    """Return where the record of a study in a store listens for parts, None if there is none.

    One that was killed is waited for, since whoever starts it again is about to.  Raises StudyError
    if nobody does: without it, this share would not have its limits and its budget.
    """
    file = record_file(path, study)
    began = time.monotonic()
    is_told = False
    while file.exists():
        if (address := listening(file)) is not None:
            return address
        waited_s = time.monotonic() - began
        if waited_s > (STARTING_S if is_locked(lock_file(path, study)) else CONNECT_S):
            raise StudyError(
                f"the record is gone that kept {study!r} for its shares: start it again with"
                f" `arena run ... --on shards`, or remove {file} to play this share alone"
            )
        if waited_s > 1 and not is_told:
            is_told = True
            print(f"{study}: its record is gone, and waited for {CONNECT_S:g} s", file=sys.stderr)
        time.sleep(0.1)
    return None


def listening(file: Path) -> str | None:
    """Return the address that a record has announced in a file, if it listens there."""
    try:
        address = file.read_text()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(address)
    except OSError:
        return None
    return address


def run_with_record(
    address: str, arena: Arena, study: Study, shard: tuple[int, int], selection: RunSelection
) -> Summary:
    """Play a share with the record at an address, and say what came of it, blocking.

    Raises StudyError for what only the record can be told.
    """
    if arena.limits or arena.budget_usd is not None or arena.batches is not None or arena.cache:
        raise StudyError(
            "limits, budget, cache and batches are the record's: give --limits, --budget-usd and"
            " --cache to `arena run ... --on shards`, and leave them and --batch out here"
        )
    if selection.limit is not None or selection.retry_failed:
        raise StudyError("--limit and --retry-failed are the record's: leave them out here")
    began = time.monotonic()
    name = f"{study.name} {shard[0]}/{shard[1]}"
    who = f"{name}, process {os.getpid()}"
    with progress(name) as drawn:
        stats = run_blocking(lambda: play_part(address, *shard, who, study, drawn))
    return Summary(
        name,
        arena.path,
        stats.planned,
        done=stats.done,
        failed=stats.failed,
        replies=stats.replies,
        replayed=stats.replayed,
        unreadable=0,
        seconds=time.monotonic() - began,
        cached=stats.cached,
        stopped=stats.stopped,
        remedies=stats.remedies,
    )


async def connect(client: RecordClient, address: str) -> None:
    """Connect to a record at the path of its socket or at HOST:PORT; StoreError without one."""
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            if host:
                await loop.create_connection(lambda: client.wire, host, int(port))
            else:
                await loop.create_unix_connection(lambda: client.wire, address)
    except OSError as error:
        raise StoreError(f"no record answers at {address}: {error.strerror or error}") from error


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
