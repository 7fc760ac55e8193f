"""Add `arena batches`, which shows the batches of a store, ends one, or gives one up."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag
from arena.cli.terminal import print_table
from arena.errors import ModelError, StudyError
from arena.text import pluralize, printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from arena.batches import BatchState
    from arena.calls.batch_orders import BatchRow
    from arena.types import BatchEndpoint

COLUMNS = ("model", "id", "study", "state", "lines", "done", "unread", "since", "dollars")


def add(command: Command) -> None:
    """Add the command to the parser."""
    batches = command(
        "batches",
        show_batches,
        "list the batches of calls that runs with --batch have sent, as they were found last",
    )
    which = batches.add_mutually_exclusive_group()
    add_flag(which, "--update", "ask the providers how they stand now")
    cancel = "ask its provider to end a batch; replies that are there by then are kept, and billed"
    which.add_argument("--cancel", metavar="ID", help=cancel)
    forget = (
        "give up a batch that its provider has lost; its calls are asked, and paid, again by the"
        " next run"
    )
    which.add_argument("--forget", metavar="ID", help=forget)
    at = "the address of an http/ server whose batches --update or --cancel is about"
    batches.add_argument("--at", metavar="URL", help=at)
    keys = "read API keys from a file of NAME=value lines"
    batches.add_argument("--keys", type=Path, metavar="FILE", help=keys)


def show_batches(options: argparse.Namespace) -> int:
    """Run `arena batches`."""
    from arena.calls import batch_orders

    if options.keys is not None:
        from agents.providers.keys import load_keys

        load_keys(options.keys)
    if options.forget is not None:
        row = batch_orders.find_row(options.db, options.forget)
        calls = pluralize(batch_orders.forget(options.db, row), "call")
        print(f"gave up the batch {row.name}; {calls} of it are asked again by the next run")
        return 0
    if options.cancel is not None:
        row = batch_orders.find_row(options.db, options.cancel)
        state = ask_provider(options.db, row, options.at, batch_orders.cancel)
        print(f"the batch {row.name} of {row.model} is {state.state}; {WHAT_REMAINS}")
        return 0
    failed = False
    rows = batch_orders.load_batches(options.db)
    for row in rows if options.update else ():
        if row.unread:
            try:
                ask_provider(options.db, row, options.at, batch_orders.update)
            except (ModelError, StudyError) as error:
                failed = True
                print(f"the batch {row.name} of {row.model}: {printable(str(error))}")
    print_batches(options.db, batch_orders.load_batches(options.db) if options.update else rows)
    return 1 if failed else 0


WHAT_REMAINS = (
    "replies that are there are billed, and taken by the next run of its study, which asks the"
    " rest again"
)


def ask_provider(
    path: Path,
    row: BatchRow,
    address: str | None,
    order: Callable[[Path, BatchRow, BatchEndpoint], Awaitable[BatchState]],
) -> BatchState:
    """Give an order about a batch to its provider; return how it stands.

    Raises StudyError or ModelError.
    """
    from agents.references import model
    from arena.play.sync import run_blocking

    kind = row.model.partition("/")[0]
    if kind in ("http", "vllm") and address is None:
        raise StudyError(
            f"the record has no address of {row.model}: name it with --at http://..., as it stands"
            " behind the @ of its reference"
        )
    speaker = model(f"{row.model}@{address}" if kind in ("http", "vllm") else row.model)
    endpoint = speaker.batches
    if endpoint is None:
        raise StudyError(f"{row.model} has no batch endpoint")

    async def ask() -> BatchState:
        """Ask, and close the connection."""
        try:
            return await order(path, row, endpoint)
        finally:
            await speaker.close()

    return run_blocking(ask)


def print_batches(path: Path, rows: Sequence[BatchRow]) -> None:
    """Print batches as a table."""
    from arena.store.result import QueryResult

    if not rows:
        print(f"there are no batches in {path}; `arena run STUDY --batch` sends some")
        return
    table = [
        (
            row.model,
            row.name,
            row.study,
            row.state,
            row.lines,
            None if row.succeeded is None else row.succeeded + (row.failed or 0),
            row.unread,
            row.planned_at.replace(microsecond=0),
            row.cost_usd,
        )
        for row in rows
    ]
    print_table(QueryResult(COLUMNS, tuple(table)))
    for row in rows:
        if row.error is not None:
            print(f"{row.name}: {printable(row.error)}")
