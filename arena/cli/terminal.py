"""Print tables in a terminal, with model text made unable to control it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from arena.text import printable, table_lines

if TYPE_CHECKING:
    from arena.calls.estimate import CostEstimate, ModelEstimate
    from arena.play.summary import Summary
    from arena.store.result import QueryResult


QUIET_S = 2.0


def print_table(table: QueryResult, edge: str = "", between: str = "  ", after: str = "") -> None:
    """Print a table of rows: each cell cut to one line, numbers short, no control characters."""
    lines, cut = table_lines(table.columns, table.rows, edge=edge, between=between, after=after)
    print("\n".join(lines))
    if cut:
        print("long cells were cut; --format csv or json shows them whole", file=sys.stderr)


def print_stage_end(summary: Summary) -> None:
    """Print the summary of a study, and the errors of its failed episodes."""
    from arena.store.database import select_rows

    print(summary, flush=True)
    failed = """
        select error_kind, error, count(*) from episodes
        where study = ? and status = 'failed' group by all order by 3 desc limit 5"""
    if not summary.failed:
        return
    for kind, error, count in select_rows(summary.path, failed, [summary.study]):
        print(f"  failed: {count} x {kind}: {printable(error)}", flush=True)


def print_estimate(study: str, estimate: CostEstimate, reply_tokens: int | None) -> None:
    """Print the result of a dry run: a table by model, and its assumptions.

    `reply_tokens` is the length of every reply that the user gave, None: as far as stored.
    """
    from arena.calls.earlier_versions import describe_earlier, ways_on
    from arena.store.result import QueryResult

    marked = ", SIMULATED models only" if estimate.simulated else ""
    # What is counted is not all of the study then.
    but = f", but {estimate.failed} of {estimate.played} are not counted" if estimate.failed else ""
    print(
        f"{study}: {estimate.episodes} episodes to play{but}, {estimate.calls} calls, at most"
        f" {estimate.calls_at_most} with re-asks{marked}"
    )
    columns = (
        "model",
        "calls",
        "calls_at_most",
        "tokens_in",
        "tokens_out",
        "usd",
        "usd_if_longest",
    )
    lines: list[tuple[str, ModelEstimate | CostEstimate]]
    lines = [*((model.model, model) for model in estimate.models)]
    lines.append(("all that are counted" if estimate.failed else "all", estimate))
    rows = []
    for name, line in lines:
        dollars = (format_dollars(line.usd), format_dollars(line.usd_if_longest))
        rows.append(
            (name, line.calls, line.calls_at_most, line.tokens_in, line.tokens_out, *dollars)
        )
    if estimate.models:
        print_table(QueryResult(columns, tuple(rows)))
    if estimate.earlier:
        print(
            f"arena run stops before the first call: the store holds"
            f" {describe_earlier(estimate.earlier)}; {ways_on(estimate.earlier)}"
        )
    if estimate.failed:
        print(
            f"{estimate.failed} of {estimate.played} episodes could not be played with stand-ins,"
            f" and are missing here: {estimate.why}"
        )
    if estimate.played < estimate.episodes:
        print(
            f"{estimate.played} episodes, drawn at random, were played with stand-ins and scaled up"
        )
    for note in estimate.notes:
        print(f"note: {note}")
    print(
        f"assumed: {assumptions(estimate, reply_tokens)}, no"
        " retries; calls_at_most: all that may be asked once more is; usd_if_longest: that, and"
        " every reply as long as its model allows; unknown: no price (--price MODEL=IN,OUT), or no"
        " max_tokens"
    )


def assumptions(estimate: CostEstimate, reply_tokens: int | None) -> str:
    """Say which lengths of replies and tokens a dry run assumes."""
    cached = f"; caches serve {estimate.tokens_cached:,} tokens" if estimate.tokens_cached else ""
    rest = f"{reply_tokens or 500} tokens a reply (--reply-tokens), 4 characters a token"
    if estimate.lengths is None or reply_tokens is not None:
        return rest + cached
    return f"{estimate.lengths}; elsewhere {rest}{cached}"


def format_dollars(amount: float | None) -> str:
    """Return dollars for a cell of a table, "unknown" for None."""
    return "unknown" if amount is None else f"{amount:.4f}"


def progress_printer(parts: str) -> Callable[[int, int], None]:
    """Return a function that prints a forecast, and every two seconds the progress.

    `parts` are what is written one by one, such as pages.
    """
    began = last_time = time.monotonic()

    def watch(written: int, expected: int) -> None:
        """Print the forecast before the first part, and the progress if two seconds have passed."""
        nonlocal last_time
        now = time.monotonic()
        if not written:
            print(f"about {expected:,} {parts} to write", file=sys.stderr, flush=True)
        elif now - last_time >= QUIET_S:
            last_time = now
            words = f"{written:,} of about {expected:,} {parts} are written"
            # Of pages the first are those of studies, which take longer.
            if 10 * written > expected:
                words += f"; about {(now - began) / written * (expected - written):,.0f} s to go"
            print(words, file=sys.stderr, flush=True)

    return watch
