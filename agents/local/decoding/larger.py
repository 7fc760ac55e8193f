"""Keep the models that take over from another one: they are open as long as that one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from arena.decoding import Decoding, SpeculativeThinking
from arena.errors import RefusedError, StudyError

if TYPE_CHECKING:
    from agents.local.engine import Engine
    from agents.local.engines import Engines
    from agents.local.prompts import ChatTokenizer


class Larger(Protocol):
    """A model on this machine, as far as one that hands over to it needs it."""

    engine: Engine | Engines | None

    async def open(self) -> None:
        """Read the weights and start the engine."""

    async def close(self) -> None:
        """Stop the engine."""

    def find_digest(self) -> str | None:
        """Return the digest of the files that decide its replies."""

    async def running(self) -> tuple[Engine | Engines, ChatTokenizer]:
        """Return the engine, started if it is not alive, and the tokenizer."""


class LargerModels:
    """The models that take over from one, by reference; `find` returns one without reading it."""

    def __init__(self, find: Callable[[str], Larger]) -> None:
        self._find = find
        self._models: dict[str, Larger] = {}

    async def running(self, reference: str) -> tuple[Engine | Engines, ChatTokenizer]:
        """Return engine and tokenizer of a model; RefusedError if it cannot be read."""
        model = self._models.get(reference)
        if model is None:
            # Before it is open, so that calls at the same time do not open it again.
            model = self._models[reference] = self._find(reference)
            try:
                await model.open()
            except StudyError as error:
                del self._models[reference]
                raise RefusedError(
                    f"the larger model cannot be had: {error}", sent=False
                ) from error
        return await model.running()

    def digest(self, way: Decoding | None) -> str | None:
        """Return the digest of the larger model of a way of decoding, once it is open."""
        model = self._models.get(way.model) if isinstance(way, SpeculativeThinking) else None
        return None if model is None else model.find_digest()

    def end_group(self, episode: str) -> None:
        """Give the rows of an episode to others."""
        for model in self._models.values():
            if model.engine is not None:
                model.engine.end_group(episode)

    async def close(self) -> None:
        """Close them."""
        models = [*self._models.values()]
        self._models.clear()
        for model in models:
            await model.close()
