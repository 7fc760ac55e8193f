"""Serve a model by vLLM on the nodes of a cluster, and tell it where its servers are.

Requests go from this process to the servers over HTTP, as to any address: stickiness, failover and
waiting are those of a model with several addresses (agents/providers/http_server.py).  Here a
server that ends, or whose node is lost, is started again.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agents.providers.http_server import HttpServer
from agents.providers.served import ServedModel
from arena.errors import StudyError
from arena.machines.places import OnRay
from arena.machines.ray_cluster import Cluster, connect
from arena.machines.ray_server import Served, ServerKeeper, ServerTerms
from arena.machines.waiting import say_while
from arena.text import pluralize

AGAIN_S = 1.0
LONGEST_AGAIN_S = 30.0
LOOPBACK = "127.0.0.1"


@dataclass(eq=False, slots=True)
class Replica:
    """One of the servers of a model: its actor, its own key, and where it was last."""

    number: int
    actor: Any
    key: str
    served: Served | None = None


class Servers:
    """The servers of one model at one place, for all studies that this process plays there.

    `share` is the number of models among which the GPUs of the cluster are divided.
    """

    def __init__(self, place: OnRay, model: ServedModel, share: int) -> None:
        self.place = place
        self._gpus = model.gpus
        self._share = share
        name = model.name.partition("/")[2]
        parallel = ("--tensor-parallel-size", str(model.gpus)) if model.gpus > 1 else ()
        self._terms = ServerTerms(model.weights, name, (*parallel, *model.arguments))
        self._replicas: list[Replica] = []
        self._job: object = None
        self._host: str | None = None
        self._words = ""
        self._starting = threading.Lock()
        self._watching: dict[ServedModel, list[asyncio.Task[None]]] = {}

    async def open(self, model: ServedModel) -> None:
        """Start the servers unless they run; StudyError if they cannot be had.

        Takes as long as the weights need.
        """
        await asyncio.to_thread(self._start)
        work = asyncio.gather(*(self._serve(replica) for replica in self._replicas))
        await say_while(work, f"{model.name}: {self._words} get ready")
        servers = [
            model.server_at(each.served.url, each.key) for each in self._replicas if each.served
        ]
        model.use(servers)
        loop = asyncio.get_running_loop()
        self._watching[model] = [
            loop.create_task(self._watch(model, replica, servers)) for replica in self._replicas
        ]

    async def close(self, model: ServedModel) -> None:
        """Stop watching; the servers keep their weights for the next run."""
        for task in self._watching.pop(model, ()):
            task.cancel()

    def release(self) -> None:
        """End the servers, unless a study is being played with them."""
        if self._watching or self._job is None:
            return
        import ray

        for replica in self._replicas if ray.is_initialized() else ():
            ray.kill(replica.actor)
        self._job = None

    def _start(self) -> None:
        """Start the actors, unless they are there."""
        with self._starting:
            cluster = connect(self.place)
            import ray

            if self._job == (job := ray.get_runtime_context().get_job_id()):
                return
            count, needs = self._size(cluster)
            actor = ray.remote(ServerKeeper).options(max_restarts=-1, max_task_retries=0, **needs)
            self._replicas = [
                Replica(number, actor.remote(), secrets.token_urlsafe(24))
                for number in range(count)
            ]
            # Nobody else on the network needs a server of our own machine.
            self._host = LOOPBACK if cluster.own else None
            self._words = f"{pluralize(count, 'server')} on Ray ({cluster})"
            self._job = job

    def _size(self, cluster: Cluster) -> tuple[int, dict[str, float]]:
        """Return the number of servers, and what each needs of the cluster."""
        asked = self.place.engines
        if not cluster.gpus:
            count = asked or 1
            return count, {"num_cpus": max(cluster.cpus / count / self._share, 0.01)}
        room = cluster.gpus // (self._gpus * self._share)
        if (asked or 1) > room:
            raise StudyError(
                f"{pluralize(asked or 1, 'server')} of {self._terms.name} with"
                f" {pluralize(self._gpus, 'GPU')} each do not fit: the Ray cluster has"
                f" {pluralize(cluster.gpus, 'GPU')} for {pluralize(self._share, 'model')}"
            )
        return asked or room, {"num_gpus": self._gpus, "num_cpus": 1}

    async def _serve(self, replica: Replica) -> None:
        """Let a replica serve, and note where; StudyError if its server does not start."""
        import ray

        port = replica.served.port if replica.served else None
        wait_s = AGAIN_S
        while True:
            try:
                served: Served | StudyError = await replica.actor.start.remote(
                    self._terms, self._host, replica.key, port
                )
            except ray.exceptions.ActorUnavailableError:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
                continue
            except ray.exceptions.RayError as error:
                raise StudyError(
                    f"server {replica.number + 1} of {self._terms.name} cannot be kept on Ray:"
                    f" {str(error)[:300]}"
                ) from error
            if isinstance(served, StudyError):
                raise served
            replica.served = served
            return

    async def _watch(self, model: ServedModel, replica: Replica, servers: list[HttpServer]) -> None:
        """Start a server again whenever it has ended, and tell the model of a new address.

        Its calls find it gone meanwhile, and go to others, or wait.
        """
        import ray

        wait_s = AGAIN_S
        while True:
            # An actor that dies takes its server along, and Ray starts it anew.
            with suppress(ray.exceptions.RayError):
                await replica.actor.wait_for_end.remote()
            before = replica.served
            try:
                await self._serve(replica)
            except StudyError:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
                continue
            wait_s = AGAIN_S
            if before is not None and replica.served and replica.served.url != before.url:
                moved = model.server_at(replica.served.url, replica.key)
                old = servers[replica.number]
                if old.absence is not None:
                    old.absence.end()
                servers[replica.number] = moved
                model.use(servers)


def share_of(models: Sequence[ServedModel]) -> int:
    """Return among how many different models the GPUs of a study are divided."""
    return len({(model.name, model.weights, model.gpus, model.arguments) for model in models})
