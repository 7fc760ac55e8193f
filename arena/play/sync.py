"""Run a coroutine from blocking code, also inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run_blocking(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `make()` on its own event loop in its own thread, and return or raise its outcome.

    An exception that reaches the waiting thread (Ctrl-C) cancels the coroutine, waits until it has
    cleaned up, and is raised again.
    """
    loop = asyncio.new_event_loop()
    # Not Thread.join: in Python 3.11 an interrupted join takes the thread for ended (bpo-46726).
    done = threading.Event()
    tasks: list[asyncio.Task[T]] = []
    outcome: list[T | BaseException] = []

    async def main() -> T:
        """Note the task, so that it can be cancelled from outside."""
        tasks.append(asyncio.ensure_future(make()))
        return await tasks[0]

    def on_thread() -> None:
        """Run the loop, and keep its outcome for the waiting thread."""
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                outcome.append(runner.run(main()))
        except BaseException as error:
            outcome.append(error)
        finally:
            done.set()

    def cancel() -> None:
        """Cancel the task; if it has not begun yet, as soon as it has."""
        if tasks:
            tasks[0].cancel()
        else:
            loop.call_soon(cancel)

    thread = threading.Thread(target=on_thread, name="arena", daemon=True)
    try:
        thread.start()
        # In short waits: a signal that another thread receives does not wake this one.
        while not done.wait(0.2):
            pass
    except BaseException:
        with suppress(RuntimeError):  # the loop has ended by itself in the meantime
            loop.call_soon_threadsafe(cancel)
        if thread.ident is not None:
            done.wait()
        raise
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
