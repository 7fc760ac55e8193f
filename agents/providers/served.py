"""A model that a run serves by itself, by vLLM on a Ray cluster: `vllm/<folder or hub id>@ray`.

Behind a question mark stand the GPUs of each server, and further arguments of vLLM:
`vllm/Qwen/Qwen3-32B@ray?gpus=2&max-model-len=16384`.  Neither is part of any id, so that a study
that was begun at an address goes on so, and back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from agents.providers import wire
from agents.providers.http_server import HttpServer, HttpServers
from agents.providers.vllm import VllmModel
from arena.errors import StudyError

REFERENCE = re.compile(r"(.+)@ray(?:\?(.*))?", re.DOTALL)
ARGUMENT = re.compile(r"[a-z][a-z0-9-]{0,60}")
# What the run itself gives to the server.
GIVEN = {"model", "served-model-name", "host", "port", "api-key", "tensor-parallel-size"}
MOST_GPUS = 64
# Nobody listens there; it stands in for addresses until there are some.
NOWHERE = "http://127.0.0.1:9/v1"


class ServerHost(Protocol):
    """What serves a model during a run (arena/machines/ray_servers.py)."""

    async def open(self, model: ServedModel) -> None:
        """Start servers, and tell the model where they are."""

    async def close(self, model: ServedModel) -> None:
        """Note that a run is over."""


def served_model(rest: str) -> ServedModel | None:
    """Return the model of a reference without its "vllm/", None if it has an address.

    Raises StudyError for a wrong setting.
    """
    match = REFERENCE.fullmatch(rest)
    if match is None:
        return None
    where, settings = match[1], dict(parse_qsl(match[2] or "", keep_blank_values=True))
    gpus = settings.pop("gpus", "1")
    if not (gpus.isascii() and gpus.isdecimal() and 1 <= int(gpus[:9]) <= MOST_GPUS):
        raise StudyError(
            f"gpus of vllm/{where}@ray is a whole number from 1 to {MOST_GPUS}, not {gpus!r:.80}"
        )
    for name in settings:
        if not ARGUMENT.fullmatch(name) or name in GIVEN:
            raise StudyError(
                f"vllm/{where}@ray takes gpus=, and arguments of vLLM by their long names, such as"
                f" max-model-len=16384, not {name!r:.80}"
            )
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value) if part]
    folder = Path(where).expanduser()
    is_folder = folder.is_dir()
    name = folder.resolve().name if is_folder else where
    return ServedModel(
        name, str(folder.resolve()) if is_folder else where, int(gpus), tuple(arguments)
    )


class ServedModel(VllmModel):
    """A model behind vLLM servers that the run starts, on so many GPUs each.

    `weights` is a folder or hub id, `arguments` are further ones of vLLM.
    """

    def __init__(self, name: str, weights: str, gpus: int, arguments: tuple[str, ...]) -> None:
        super().__init__(name, NOWHERE)
        self.weights = weights
        self.gpus = gpus
        self.arguments = arguments
        self.batches = None
        self.host: ServerHost | None = None
        self._servers = HttpServers(())

    def __repr__(self) -> str:
        return f"<{self.name} on Ray>"

    def on(self, host: ServerHost) -> ServedModel:
        """Return the model with a host that serves it."""
        hosted = copy.copy(self)
        hosted.host = host
        hosted._servers = HttpServers(())
        return hosted

    def use(self, servers: Sequence[HttpServer]) -> None:
        """Ask these servers from now on."""
        self._servers.all = tuple(servers)

    def server_at(self, url: str, key: str) -> HttpServer:
        """Return a server of this model at an address, with a key of its own."""
        server = HttpServer(self.name, url, wire.TIMEOUT_S)
        server.key = key
        return server

    async def open(self) -> None:
        """Start the servers; StudyError without a place for them."""
        if self.host is None:
            raise StudyError(
                f"{self.name}@ray is served by Ray: run with --on ray, or give the address of a"
                " server that is there"
            )
        await self.host.open(self)

    async def close(self) -> None:
        """Close the connections; the servers stay for the next run of this process."""
        await super().close()
        if self.host is not None:
            await self.host.close(self)
