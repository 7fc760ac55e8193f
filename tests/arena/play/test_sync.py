"""Blocking code and event loops."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from arena.play.sync import run_blocking


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_it_returns_what_the_coroutine_returns() -> None:
    assert run_blocking(answer) == 42


async def test_it_works_beside_a_running_loop() -> None:
    assert run_blocking(answer) == 42


def test_it_raises_what_the_coroutine_raises() -> None:
    async def fails() -> None:
        raise ValueError("from inside")

    with pytest.raises(ValueError, match="from inside"):
        run_blocking(fails)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also in background jobs, which ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_cancels_waits_for_the_end_and_goes_on() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            ended.append("cleaned up")

    def interrupt() -> None:
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)

    began = time.monotonic()
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_blocking(long)
    assert time.monotonic() - began < 5
    assert ended == ["cleaned up"]
