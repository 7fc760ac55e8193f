"""Hand other work than generating to the device thread of an engine, and its outcome back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.local.memory import out_of_memory
from agents.local.replies import device_is_lost
from arena.errors import ContextOverflowError, ModelError, RefusedError

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class Work(Generic[Result]):
    """Work that is done on the device thread, and the future that waits for its result."""

    call: Callable[[], Result]
    future: asyncio.Future[Result]

    def run(self) -> None:
        """Do the work, unless nobody waits for it any more.

        Raises its error if no further step on the device can succeed.
        """
        if self.future.cancelled():
            return
        try:
            self.deliver(self.call())
        except Exception as error:
            self.deliver(work_error(error))
            if device_is_lost(error):
                raise

    def deliver(self, outcome: Result | ModelError) -> None:
        """Hand the outcome over in the event loop of the caller, if that still runs."""

        def hand_over() -> None:
            if self.future.done():
                return
            if isinstance(outcome, ModelError):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)

        # Futures are not thread-safe: only their own loop may resolve them.  A closed loop raises.
        with suppress(RuntimeError):
            self.future.get_loop().call_soon_threadsafe(hand_over)


def work_error(cause: Exception) -> ModelError:
    """Return the error of work that failed."""
    if isinstance(cause, ModelError):
        return cause
    reason = str(cause).partition("\n")[0] or type(cause).__name__
    error: ModelError
    if out_of_memory(cause):
        error = ContextOverflowError(
            f"a reading does not fit the memory that the device has left ({reason}); read shorter"
            " replies, or leave more free (?slots=, ?context=)"
        )
    else:
        error = RefusedError(f"the local engine cannot read this: {type(cause).__name__}: {reason}")
    error.__cause__ = cause
    return error
