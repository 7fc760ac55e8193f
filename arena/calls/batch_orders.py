"""Look after the batches of a store from outside a run: ask how they stand, end or forget one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena.batches import BatchState
from arena.calls.batch_record import FORGOTTEN, OPEN_CALLS_OF_BATCH, open_call, state_line
from arena.errors import StudyError
from arena.store import database
from arena.store.journal import line, write_journal
from arena.store.study_lock import lock_study
from arena.text import utc_now
from arena.types import BatchEndpoint

BATCHES = """
    select batch, study, model, provider_id, state, lines, succeeded, failed, unread, planned_at,
           seen_at, cost_usd, worst_usd, error
    from batches order by planned_at, batch
"""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as the view `batches` of a store shows it."""

    batch: str
    study: str
    model: str
    provider_id: str | None
    state: str
    lines: int
    succeeded: int | None
    failed: int | None
    unread: int
    planned_at: datetime
    seen_at: datetime | None
    cost_usd: float | None
    worst_usd: float | None
    error: str | None

    @property
    def name(self) -> str:
        """The provider's id of it, or our key as long as none is known."""
        return self.provider_id or self.batch


def load_batches(path: Path) -> list[BatchRow]:
    """Return the batches of a store, oldest first."""
    return [BatchRow(*row) for row in database.select_rows(path, BATCHES).rows]


def find_row(path: Path, name: str) -> BatchRow:
    """Return the batch with this id at its provider, or this key of ours.

    Raises StudyError if there is none, or all its calls have been read.
    """
    rows = [row for row in load_batches(path) if name in (row.provider_id, row.batch)]
    if not rows:
        raise StudyError(f"{path} has no batch {name!r}; `arena batches --db {path}` lists them")
    if not rows[-1].unread:
        raise StudyError(f"the batch {name} is over: the outcomes of all its calls are in {path}")
    return rows[-1]


async def cancel(path: Path, row: BatchRow, endpoint: BatchEndpoint) -> BatchState:
    """Ask the provider to end a batch; return how it stands then.

    What it has answered by then is billed, and taken by the next run of its study.
    """
    id = known_id(row)
    await endpoint.cancel(id)
    return await update(path, row, endpoint)


async def update(path: Path, row: BatchRow, endpoint: BatchEndpoint) -> BatchState:
    """Ask the provider how a batch stands, and write it down."""
    state = await endpoint.poll(known_id(row))
    write(path, [state_line(row.batch, row.provider_id, state)])
    return state


def known_id(row: BatchRow) -> str:
    """Return the provider's id of a batch; StudyError if it is not known."""
    if row.provider_id is None:
        raise StudyError(
            f"it is not known whether {row.model} has the batch {row.batch}: the run that sent it"
            " died on the way; run its study again, which looks for it"
        )
    return row.provider_id


def forget(path: Path, row: BatchRow) -> int:
    """Give up a batch that its provider has lost; return how many of its calls are asked anew.

    They count with their worst case in budgets.  Raises StudyError while its study is played.
    """
    with lock_study(path, row.study):
        database.fold(path)
        calls = database.select_rows(path, OPEN_CALLS_OF_BATCH, [row.batch]).dicts()
        ending = {
            "status": "failed",
            "error_kind": "Unreachable",
            "error": f"its batch {row.name} was given up with --forget",
        }
        ends = [line("call_ends", {**open_call(call).row, **ending}) for call in calls]
        state = state_line(row.batch, row.provider_id, BatchState(FORGOTTEN))
        write(path, [*ends, state])
    return len(calls)


def write(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines into a journal of their own, and fold it."""
    name = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}-000.jsonl"
    write_journal(database.journal_folder(path) / name, lines)
    database.fold(path)


def describe_unread(path: Path) -> str | None:
    """Say which batches go on without a run; None if there is none."""
    rows = [row for row in load_batches(path) if row.unread]
    if not rows:
        return None
    calls = sum(row.unread for row in rows)
    names = ", ".join(row.name for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    return (
        f"{calls} calls go on in batches at their providers ({names}), and are paid for; the same"
        f" command takes their replies, `arena batches --db {path}` shows how they stand, and"
        " `--cancel ID` ends one"
    )
