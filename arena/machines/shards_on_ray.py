"""Play shares of a study in workers of a Ray cluster, with one record in this process.

Workers connect to it over TCP, and say a secret before they are heard; like all that Ray itself
sends, what they say is not encrypted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from arena.errors import StoreError, StudyError
from arena.machines.places import OnRay
from arena.machines.processes import play_with
from arena.machines.ray_cluster import Cluster, check_installed, connect
from arena.machines.record_workers import WorkedRecord
from arena.machines.shards import play_part
from arena.machines.study_source import StudySource
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.studies.study import Study


class RayRecord(WorkedRecord):
    """The record of a run that is played by workers of a Ray cluster."""

    def __init__(self, place: OnRay, source: StudySource, workers: int) -> None:
        super().__init__(workers, source.packed(), secrets.token_urlsafe(32))
        self.place = place
        self._cpus = 1.0

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Join the cluster, and listen at this node's address in it."""
        cluster = await join(self.place)
        import ray

        # With fewer cores than workers, these share them.
        self._cpus = min(1.0, cluster.cpus / self.workers)
        host = ray.util.get_node_ip_address()
        server = await asyncio.get_running_loop().create_server(self.accept, host, 0)
        try:
            yield f"{host}:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def work(self, address: str, number: int) -> str:
        """Play a share in a worker of the cluster."""
        import ray

        # Ray itself would begin again without knowing whether that is of use.
        task: Any = ray.remote(num_cpus=self._cpus, max_retries=0, scheduling_strategy="SPREAD")(
            play_in_worker
        )
        playing = task.remote(address, number, self.workers, self.secret, self.place.keys)
        try:
            why: str = await playing
        except ray.exceptions.RayError as error:
            return " ".join(str(error).split())[-500:]
        except asyncio.CancelledError:
            ray.cancel(playing, force=True)
            raise
        return why


async def join(place: OnRay) -> Cluster:
    """Join a cluster, on a thread that does not keep this process if Ray never answers."""
    loop = asyncio.get_running_loop()
    joined: asyncio.Future[Cluster] = loop.create_future()

    def on_thread() -> None:
        """Join, and say so if anybody still waits."""
        outcome: Cluster | StudyError
        try:
            outcome = connect(place)
        except StudyError as error:
            outcome = error
        with suppress(RuntimeError):  # the run has ended meanwhile
            loop.call_soon_threadsafe(note, outcome)

    def note(outcome: Cluster | StudyError) -> None:
        """End the wait, unless it has been given up."""
        if joined.done():
            return
        if isinstance(outcome, StudyError):
            joined.set_exception(outcome)
        else:
            joined.set_result(outcome)

    threading.Thread(target=on_thread, name="joining Ray", daemon=True).start()
    return await joined


def play_in_worker(address: str, number: int, of: int, secret: str, keys: Path | None) -> str:
    """Play a share in this process, a worker of Ray; return "" if it ended by itself."""
    from agents.providers.keys import load_keys

    if keys is not None:
        load_keys(keys)
    who = f"worker {number}/{of}, process {os.getpid()}"
    try:
        asyncio.run(play_part(address, number, of, who, secret=secret))
    except StoreError as error:
        return str(error)
    return ""


async def run_on_ray_workers(
    place: OnRay,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study in workers of a cluster; StudyError if that cannot be."""
    check_installed()
    assert place.shards is not None
    if place.source is None:
        raise StudyError(
            f"workers load the study by its file: arena run FILE --on ray --shards {place.shards}"
        )
    record = RayRecord(place, place.source, place.shards)
    return await play_with(record, arena, study, selection=selection, watch=watch)
