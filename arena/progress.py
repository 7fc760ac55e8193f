"""One live line while a run plays: a bar on a terminal; elsewhere a plain line every few seconds, none for a run under two."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from arena.calls import Tally

Watch = Callable[[Tally], None]
QUIET_S = 2.0
PLAIN_EVERY_S = 5.0


def state(tally: Tally, seconds: float) -> str:
    """The tally in words: episodes done, failed and open, replies per second, what is in flight, and what was unreadable."""
    ended = tally.done + tally.failed
    words = f"{tally.done} done, {tally.failed} failed, {tally.planned - ended} open · {tally.replies / max(seconds, 0.1):.1f} replies/s"
    words += f" · {tally.in_flight} in flight"
    if tally.unreadable:
        words += f" · {tally.unreadable} unreadable"
    if tally.failed_calls:
        words += f" · {tally.failed_calls} failed calls"
    if tally.waiting:
        why, until = min(tally.waiting.values(), key=lambda waits: waits[1])
        words += f" · {len(tally.waiting)} wait to try again ({why}), next in {max(0, until - time.monotonic()):.0f} s"
    return words


@contextmanager
def progress(label: str, stream: TextIO | None = None) -> Iterator[Watch]:
    """Yield the function to call with the tally; draws to `stream` (default: standard error)."""
    out = stream or sys.stderr
    with bar(label, out) if out.isatty() else plain(label, out) as watch:
        yield watch


@contextmanager
def bar(label: str, out: TextIO) -> Iterator[Watch]:
    """A bar that redraws itself on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TextColumn("{task.fields[words]}", markup=False))
    with Progress(*columns, TimeElapsedColumn(), console=Console(file=out), transient=False) as drawn:
        task = drawn.add_task(label, total=None, words="")

        def watch(tally: Tally) -> None:
            """Redraw the bar."""
            seconds = time.monotonic() - began
            drawn.update(task, total=tally.planned, completed=tally.done + tally.failed, words=state(tally, seconds))

        yield watch


@contextmanager
def plain(label: str, out: TextIO) -> Iterator[Watch]:
    """A plain line after two seconds and every five from then on."""
    began = time.monotonic()
    due = [began + QUIET_S]

    def watch(tally: Tally) -> None:
        """Print a line when one is due."""
        now = time.monotonic()
        if now >= due[0]:
            due[0] = now + PLAIN_EVERY_S
            print(f"{label}: {state(tally, now - began)}", file=out, flush=True)

    yield watch
