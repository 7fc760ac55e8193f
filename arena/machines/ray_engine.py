"""Hold models in a process of a Ray cluster, and answer for them: the class of the actors.

It knows no store, study or limit.  Models come pickled and are opened here; replies, and the errors
of models, go back as values.  It imports no Ray.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from dataclasses import dataclass, field

from arena.errors import ArenaError, ModelError
from arena.machines.code import code_hash
from arena.types import BaseModel, Model, Reply, Request


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """What an engine says of a model that it has opened.

    `digest` is that of its weights, None if it has none or they are not on that disk.
    """

    capabilities: frozenset[str]
    digest: str | None


@dataclass(frozen=True, slots=True)
class Home:
    """Where an engine is: the node's name, its process, and the hash of our code there."""

    node: str
    pid: int
    code_hash: str


@dataclass(slots=True)
class HeldModel:
    """A model in this process, and how many runs have opened it."""

    model: Model
    users: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Engine:
    """An actor that holds models by key; one a GPU."""

    def __init__(self) -> None:
        self._models: dict[str, HeldModel] = {}

    async def home(self) -> Home:
        """Return where it is."""
        return Home(socket.gethostname(), os.getpid(), await asyncio.to_thread(code_hash))

    async def open(self, key: str, pickled: bytes) -> OpenedModel | ArenaError:
        """Read a model unless it is in memory, and prepare it for calls."""
        try:
            if key not in self._models:
                self._models[key] = HeldModel(pickle.loads(pickled))
            held = self._models[key]
            async with held.opening:
                if not held.users:
                    await held.model.open()
                    held.users = 1
            model = held.model
            digest = None
            if isinstance(model, BaseModel):
                digest = await asyncio.to_thread(model.find_digest)
            return OpenedModel(model.capabilities, digest)
        except ArenaError as error:
            return error

    async def ask(self, key: str, pickled: bytes) -> bytes:
        """Return the pickled reply, or ModelError, of a model to a pickled request.

        None, pickled, if this process has not opened the model.
        """
        held = self._models.get(key)
        answer: Reply | ModelError | None = None
        if held is not None and held.users:
            request: Request = pickle.loads(pickled)
            try:
                answer = await held.model(request)
            except ModelError as error:
                answer = error
        return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)

    async def request_settings(self, key: str, pickled: bytes) -> dict[str, object] | None:
        """Return the settings with which a model answers a pickled request."""
        return self._models[key].model.request_settings(pickle.loads(pickled))

    async def end_episode(self, key: str, episode: str) -> None:
        """Tell a model that an episode asks nothing more."""
        if key in self._models:
            self._models[key].model.on_episode_end(episode)

    async def close(self, key: str) -> None:
        """Close a model, whose weights stay in memory for the next run."""
        held = self._models.get(key)
        if held is not None and held.users:
            held.users = 0
            await held.model.close()

    async def drop(self, keys: list[str]) -> None:
        """Forget models that are not open, with their weights."""
        for key in keys:
            if key in self._models and not self._models[key].users:
                del self._models[key]
