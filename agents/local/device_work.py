"""Hand work to the device thread of an engine, and its outcome back to the loop that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from agents.local.faults import device_is_lost, work_error
from arena.errors import ModelError

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class Work(Generic[Result]):
    """Work other than generating, and the future that waits for its result."""

    call: Callable[[], Result]
    future: asyncio.Future[Result]

    def run(self) -> None:
        """Do the work, unless nobody waits for it any more.

        Raises its error if no further step on the device can succeed.
        """
        if self.future.cancelled():
            return
        try:
            deliver(self.future, self.call())
        except Exception as error:
            deliver(self.future, work_error(error))
            if device_is_lost(error):
                raise


def deliver(future: asyncio.Future[Result], outcome: Result | ModelError) -> None:
    """Hand an outcome over in the event loop of the caller, from the device thread.

    Nothing happens if that loop is closed or the request was cancelled: nobody waits then.
    """

    def hand_over() -> None:
        if future.done():
            return
        if isinstance(outcome, ModelError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    # Futures are not thread-safe: only their own loop may resolve them.  A closed loop raises.
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(hand_over)


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which a device is the current one, as graphs and kernels need."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
