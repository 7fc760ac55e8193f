"""Models whose words come from a Python function: for tests, dry runs and worked examples.

The function sees the whole request with its place in the play, so a script can answer by seat,
phase and step.  It is not a paper's method and never a result: scripted models are marked as
simulated.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from arena.former_names import former_names
from arena.text import writable
from arena.types import BaseModel, Model, Price, Reply, Request

Script = Callable[[Request], str | Reply | Awaitable[str | Reply]]


@dataclass(frozen=True)
class ScriptedModel(BaseModel):
    """A model that answers with the result of a function; made by `scripted_model`."""

    name: str
    reply: Script
    latency_s: Callable[[Request], float] | None = None
    price: Price | None = None
    capabilities: frozenset[str] = frozenset({"seed", "prefill"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Wait for the script's latency, then answer; errors of the function are passed on."""
        if self.latency_s is not None:
            await asyncio.sleep(self.latency_s(request))
        answer = self.reply(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str):
            return Reply(writable(answer))
        if isinstance(answer, Reply):
            return replace(answer, text=writable(answer.text))
        raise TypeError(
            f"the function of {self.name} must return text or a Reply;"
            f" it returned {type(answer).__name__}"
        )


def scripted_model(
    reply: Script,
    name: str = "scripted",
    *,
    latency_s: Callable[[Request], float] | None = None,
    price: Price | None = None,
) -> Model:
    """Return a model that answers with the text that `reply(request)` returns.

    `reply` may be async, may return a whole `Reply` (to script token counts or costs), and may
    raise a ModelError to play a fault.  `latency_s(request)` is the time in seconds, >= 0, that
    passes before each answer; `price` is the price of its tokens.  The model's name is
    "scripted/<name>", and it is marked as simulated.  A call raises TypeError if the function
    returns anything but text or a Reply.
    """
    return ScriptedModel(f"scripted/{name}", reply, latency_s, price)


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take every misspelt name of this module for a name.
    __getattr__ = former_names(__name__, {"scripted": "scripted_model"})
