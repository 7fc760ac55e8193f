"""Keep the models that another one decodes with: they are open as long as that one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from arena.decoding import Decoding, SoftCot, SpeculativeThinking
from arena.errors import RefusedError, StudyError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from agents.local.engine import Engine
    from agents.local.engines import Engines
    from agents.local.prompts import ChatTokenizer

Result = TypeVar("Result")


class Partner(Protocol):
    """A model on this machine, as far as one that decodes with it needs it."""

    name: str
    engine: Engine | Engines | None

    async def open(self) -> None:
        """Read the weights and start the engine."""

    async def close(self) -> None:
        """Stop the engine."""

    def find_digest(self) -> str | None:
        """Return the digest of the files that decide its replies."""

    def folder(self) -> Path:
        """Return the folder of its files, which may not be on this disk yet."""

    async def running(self) -> tuple[Engine | Engines, ChatTokenizer]:
        """Return the engine, started if it is not alive, and the tokenizer."""

    async def run(self, work: Callable[[PreTrainedModel], Result], group: str) -> Result:
        """Return the result of work with its weights, done on the device thread."""


class Partners:
    """The models that one decodes with, by reference; `find` returns one without reading it."""

    def __init__(self, find: Callable[[str], Partner]) -> None:
        self._find = find
        self._models: dict[str, Partner] = {}

    async def opened(self, reference: str, me: Partner) -> Partner:
        """Return a model that is open, which may be the one that asks.

        Raises RefusedError if it cannot be read.
        """
        model = self._models.get(reference)
        if model is None:
            model = self._find(reference)
            if model is me:
                return me
            # Before it is open, so that calls at the same time do not open it again.
            self._models[reference] = model
            try:
                await model.open()
            except StudyError as error:
                del self._models[reference]
                raise RefusedError(f"{reference} cannot be had: {error}", sent=False) from error
        return model

    def settings(self, way: Decoding | None) -> dict[str, object]:
        """Return the digests of what a way of decoding takes beside this model, once it is open."""
        if isinstance(way, SpeculativeThinking):
            return self._digest("larger", way.model)
        if isinstance(way, SoftCot):
            from agents.local.decoding.soft_cot import weights_digest

            return {
                **self._digest("assistant", way.assistant),
                "projection": weights_digest(Path(way.weights).expanduser()),
            }
        return {}

    def _digest(self, name: str, reference: str) -> dict[str, object]:
        model = self._models.get(reference)
        digest = None if model is None else model.find_digest()
        return {} if digest is None else {name: digest}

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
