"""Models whose words come from a Python function: for tests, dry runs and worked examples.

The function sees the whole request, its place in the play included, so a script can answer by seat, phase and step.  Not a paper's method,
and never a result: scripted models are marked as simulated.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from arena.text import writable
from arena.types import BaseModel, Model, Price, Reply, Request

Script = Callable[[Request], str | Reply | Awaitable[str | Reply]]


@dataclass(frozen=True)
class ScriptedModel(BaseModel):
    """A model that answers with what its function returns; made by `scripted`."""

    name: str
    reply: Script
    latency_s: Callable[[Request], float] | None = None
    price: Price | None = None
    capabilities: frozenset[str] = frozenset({"seed", "prefill"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Wait for as long as the script says, then answer; what the function raises is passed on."""
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
            f"the function of {self.name} must return text or a Reply; it returned {type(answer).__name__}"
        )


def scripted_model(
    reply: Script,
    name: str = "scripted",
    *,
    latency_s: Callable[[Request], float] | None = None,
    price: Price | None = None,
) -> Model:
    """A model that answers with the text that `reply(request)` returns.

    `reply` may be async, may return a whole `Reply` (to script token counts or costs), and may raise a ModelError to play a fault.
    `latency_s(request)` is the time in seconds, >= 0, that passes before each answer; `price` is what its tokens cost.  The model's name is
    "scripted/<name>", and it is marked as simulated.  A call raises TypeError where the function returns anything else than text or a Reply.
    """
    return ScriptedModel(f"scripted/{name}", reply, latency_s, price)
