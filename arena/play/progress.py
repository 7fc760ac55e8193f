"""Show one live line while a run plays.

It is a bar on a terminal; elsewhere a plain line every few seconds, none for runs under two
seconds.  Sentences about a model that cannot be read, or refuses, stand above it at once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from arena.calls.estimate import describe_estimate
from arena.calls.run_stats import RunStats

Watch = Callable[[RunStats], None]
QUIET_S = 2.0
PLAIN_EVERY_S = 5.0


async def notify_watcher(stats: RunStats, watch: Watch) -> None:
    """Call `watch` ten times a second until cancelled, and once more at the end."""
    try:
        while True:
            watch(stats)
            await asyncio.sleep(0.1)
    finally:
        watch(stats)


def describe_progress(stats: RunStats, seconds: float) -> str:
    """Describe the state of a run in words.

    Episodes done, failed and open; calls that wait; replies per second; calls in flight; unreadable
    turns; money.
    """
    ended = stats.done + stats.failed
    words = [
        f"{stats.done} done, {stats.failed} failed, {stats.planned - ended} open",
        *describe_waits(stats),
        f"{stats.replies / max(seconds, 0.1):.1f} replies/s",
        f"{stats.in_flight} in flight",
    ]
    if stats.cached:
        words.append(f"{stats.cached} from earlier studies")
    if stats.unreadable:
        words.append(f"{stats.unreadable} unreadable")
    if stats.failed_calls:
        words.append(f"{stats.failed_calls} failed calls")
    if stats.budget:
        words.append(f"${stats.budget.spent_usd:.2f} of ${stats.budget.limit_usd:g}")
    elif stats.cost_usd:
        words.append(f"${stats.cost_usd:.2f}")
    return " · ".join(words)


def describe_waits(stats: RunStats) -> Iterator[str]:
    """Say which calls wait: for another attempt (by error and model), for limits, for budget."""
    until: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for reason, model, end in stats.waiting.values():
        until[reason, model].append(end)
    for (reason, model), ends in sorted(until.items()):
        next_s = max(0.0, min(ends) - time.monotonic())
        calls = "call waits" if len(ends) == 1 else "calls wait"
        yield f"{len(ends)} {calls} for {reason} of {model}, next in {next_s:.0f} s"
    if stats.batches:
        yield from stats.batches.describe()
    if stats.parts:
        yield from stats.parts.describe()
    yield from stats.probes.describe()
    yield from stats.prompt_caches.describe()
    if stats.rate_limiter:
        yield from stats.rate_limiter.describe()
    if stats.budget and stats.budget.waiting:
        yield f"{stats.budget.waiting} calls wait for room in the budget"


def estimate_line(stats: RunStats) -> str | None:
    """Return the line about the expected cost, None for simulated models."""
    if stats.expected is None:
        return None
    return f"{stats.planned} episodes to play, expected: {describe_estimate(stats.expected)}"


def new_notes(stats: RunStats, shown: set[str]) -> list[str]:
    """Return the sentences for the user that are not in `shown`, and add them to it."""
    said = (*stats.notes, *stats.probes.outages.notes, *stats.probes.refused.values())
    notes = [note for note in said if note not in shown]
    shown.update(notes)
    return notes


@contextmanager
def progress(label: str, stream: TextIO | None = None) -> Iterator[Watch]:
    """Yield the function to call with the state of a run; it draws to `stream`.

    The default stream is standard error.
    """
    out = stream or sys.stderr
    # A file or a pipe cannot redraw a line.
    with bar(label, out) if out.isatty() else plain_lines(label, out) as watch:
        yield watch


@contextmanager
def bar(label: str, out: TextIO) -> Iterator[Watch]:
    """Draw a bar that redraws itself on a terminal."""
    # Imported here: Rich takes a while to load, and scripts without a terminal do not need it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[words]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=out), transient=False) as display:
        task = display.add_task(label, total=None, words="")
        first = True
        shown: set[str] = set()

        def watch(stats: RunStats) -> None:
            """Redraw the bar; print the expected cost before the first time, and new sentences."""
            nonlocal first
            if first and (expected := estimate_line(stats)):
                display.console.print(f"{label}: {expected}", markup=False, highlight=False)
            first = False
            for note in new_notes(stats, shown):
                # Left to the terminal to wrap, so that the command in it can be copied.
                text = f"{label}: {note}"
                display.console.print(text, markup=False, highlight=False, soft_wrap=True)
            display.update(
                task,
                total=stats.planned,
                completed=stats.done + stats.failed,
                words=describe_progress(stats, time.monotonic() - began),
            )

        yield watch


@contextmanager
def plain_lines(label: str, out: TextIO) -> Iterator[Watch]:
    """Print a plain line after two seconds and every five seconds from then on."""
    began = time.monotonic()
    due = began + QUIET_S
    first = True
    shown: set[str] = set()

    def watch(stats: RunStats) -> None:
        """Print a line when one is due, new sentences, and the expected cost before the first."""
        nonlocal due, first
        now = time.monotonic()
        if first and (expected := estimate_line(stats)):
            print(f"{label}: {expected}", file=out, flush=True)
        first = False
        for note in new_notes(stats, shown):
            print(f"{label}: {note}", file=out, flush=True)
        if now >= due:
            due = now + PLAIN_EVERY_S
            print(f"{label}: {describe_progress(stats, now - began)}", file=out, flush=True)

    yield watch
