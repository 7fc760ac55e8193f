"""One live line while a run plays: a bar on a terminal; elsewhere a plain line every few seconds, none for a run under two."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from arena.calls.estimate import describe_estimate
from arena.calls.ledger import RunStats

Watch = Callable[[RunStats], None]
QUIET_S = 2.0
PLAIN_EVERY_S = 5.0


def describe_progress(tally: RunStats, seconds: float) -> str:
    """The tally in words: episodes done, failed and open, what waits for what, replies per second, what is in flight, unreadable, spent."""
    ended = tally.done + tally.failed
    words = [
        f"{tally.done} done, {tally.failed} failed, {tally.planned - ended} open",
        *waits(tally),
        f"{tally.replies / max(seconds, 0.1):.1f} replies/s",
        f"{tally.in_flight} in flight",
    ]
    if tally.cached:
        words.append(f"{tally.cached} from earlier studies")
    if tally.unreadable:
        words.append(f"{tally.unreadable} unreadable")
    if tally.failed_calls:
        words.append(f"{tally.failed_calls} failed calls")
    if tally.budget:
        words.append(f"${tally.budget.spent_usd:.2f} of ${tally.budget.limit_usd:g}")
    elif tally.cost_usd:
        words.append(f"${tally.cost_usd:.2f}")
    return " · ".join(words)


def waits(tally: RunStats) -> Iterator[str]:
    """What waits for what: calls to be tried again, by reason and model; calls that wait for limits; for the budget."""
    until: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for why, model, at in tally.waiting.values():
        until[why, model].append(at)
    for (why, model), times in sorted(until.items()):
        next_s = max(0.0, min(times) - time.monotonic())
        yield f"{len(times)} {'call waits' if len(times) == 1 else 'calls wait'} for {why} of {model}, next in {next_s:.0f} s"
    if tally.rate_limiter:
        yield from tally.rate_limiter.describe()
    if tally.budget and tally.budget.waiting:
        yield f"{tally.budget.waiting} calls wait for room in the budget"


def estimate_line(tally: RunStats) -> str | None:
    """What the run is expected to take, None where that was not estimated."""
    return (
        None
        if tally.expected is None
        else f"{tally.planned} episodes to play, expected: {describe_estimate(tally.expected)}"
    )


@contextmanager
def progress(label: str, stream: TextIO | None = None) -> Iterator[Watch]:
    """Yield the function to call with the tally; draws to `stream` (default: standard error)."""
    out = stream or sys.stderr
    with bar(label, out) if out.isatty() else plain_lines(label, out) as watch:
        yield watch


@contextmanager
def bar(label: str, out: TextIO) -> Iterator[Watch]:
    """A bar that redraws itself on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(file=out), transient=False
    ) as drawn:
        task = drawn.add_task(label, total=None, words="")
        said: list[bool] = []

        def watch(tally: RunStats) -> None:
            """Redraw the bar; before the first time, say what is expected."""
            if not said and (preflight := estimate_line(tally)):
                drawn.console.print(f"{label}: {preflight}", markup=False, highlight=False)
            said[:] = [True]
            seconds = time.monotonic() - began
            drawn.update(
                task,
                total=tally.planned,
                completed=tally.done + tally.failed,
                words=describe_progress(tally, seconds),
            )

        yield watch


@contextmanager
def plain_lines(label: str, out: TextIO) -> Iterator[Watch]:
    """A plain line after two seconds and every five from then on."""
    began = time.monotonic()
    due = [began + QUIET_S]
    said: list[bool] = []

    def watch(tally: RunStats) -> None:
        """Print a line when one is due; before the first, what is expected."""
        now = time.monotonic()
        if not said and (preflight := estimate_line(tally)):
            print(f"{label}: {preflight}", file=out, flush=True)
        said[:] = [True]
        if now >= due[0]:
            due[0] = now + PLAIN_EVERY_S
            print(f"{label}: {describe_progress(tally, now - began)}", file=out, flush=True)

    yield watch
