"""What people read in a terminal: tables of rows, and text of models without anything that could steer it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from arena.text import printable

if TYPE_CHECKING:
    from arena.calls.estimate import CostEstimate

CELL = 72


def print_table(table: object, edge: str = "", between: str = "  ", after: str = "") -> None:
    """A table of rows for people: cells cut to one line, numbers short, nothing that could steer the terminal."""
    from arena.store.database import QueryResult

    assert isinstance(table, QueryResult)
    rows = [[cell(value) for value in row] for row in (table.columns, *table)]
    cut = any(text.endswith("…") and len(text) == CELL for row in rows for text in row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    for number, row in enumerate(rows):
        print(
            (
                edge
                + between.join(text.ljust(width) for text, width in zip(row, widths, strict=True))
                + after
            ).rstrip()
        )
        if number == 0:
            print(edge + between.join("-" * width for width in widths) + after)
    if cut:
        print("long cells were cut; --format csv or json shows them whole", file=sys.stderr)


def cell(value: object) -> str:
    """One value as a short piece of a line."""
    if value is None:
        return "NULL"
    text = f"{value:.6g}" if isinstance(value, float) else printable(str(value)).replace("\n", "⏎")
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def print_estimate(study: str, estimate: CostEstimate, reply_tokens: int) -> None:
    """What a dry run found, as a table by model, with what it assumes."""
    from arena.store.database import QueryResult

    print(
        f"{study}: {estimate.episodes} episodes to play, {estimate.calls} calls{', SIMULATED models only' if estimate.simulated else ''}"
    )
    columns = ("model", "calls", "tokens_in", "tokens_out", "usd", "usd_if_longest")
    dollars = [(dollar(model.usd), dollar(model.usd_if_longest)) for model in estimate.models]
    rows = [
        (m.model, m.calls, m.tokens_in, m.tokens_out, *usd)
        for m, usd in zip(estimate.models, dollars, strict=True)
    ]
    if rows:
        total = (
            "all",
            estimate.calls,
            estimate.tokens_in,
            estimate.tokens_out,
            dollar(estimate.usd),
            dollar(estimate.usd_if_longest),
        )
        print_table(QueryResult(columns, (*rows, total)))
    if estimate.failed:
        print(
            f"{estimate.failed} of {estimate.played} episodes could not be played with stand-ins, and are missing here: {estimate.why}"
        )
    if estimate.played < estimate.episodes:
        print(
            f"{estimate.played} episodes, drawn at random, were played with stand-ins and scaled up"
        )
    print(
        f"assumed: {reply_tokens} tokens a reply (--reply-tokens), 4 characters a token, no retries, nothing asked again; usd_if_longest: every"
        " reply as long as its model may make it; unknown: no price (--price MODEL=IN,OUT), or no max_tokens"
    )


def dollar(amount: float | None) -> str:
    """Dollars as they stand in a table."""
    return "unknown" if amount is None else f"{amount:.4f}"
