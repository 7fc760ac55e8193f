"""Write batches of calls down, and read from the store which of them still have to be read.

The order is safe: a batch is written down with its calls, under a key of ours, before it is sent
with that key, and its id at the provider is written down when it is known.  Whatever moment a
process dies at, the next one finds each batch by its id or its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from arena.batches import BatchState
from arena.calls.secrets import without_secrets
from arena.store.database import open_live
from arena.store.journal import line
from arena.store.query import read_result
from arena.text import printable, utc_now, writable
from arena.types import Place, Request

# The episode, seat, step and ask that a request is for.
CallPlace = tuple[str, str, int, int]
# States of ours, for batches that the provider knows nothing of any more.
NEVER_CREATED = "never created"
FORGOTTEN = "forgotten"
MAX_STATE_CHARACTERS = 64
COLUMNS = """
    select c.batch, c.episode, c.seat, c.step, c.ask, c.run, c.attempt, c.started_at,
           c.sent::varchar as sent, c.worst_usd
"""
WITHOUT_END = """
    from call_starts c anti join call_ends using (episode, seat, step, ask, run, attempt)
"""
OPEN_CALLS = f"""
    {COLUMNS} {WITHOUT_END} join plays p using (episode) where p.study = ? and c.batch is not null
"""
OPEN_CALLS_OF_BATCH = f"{COLUMNS} {WITHOUT_END} where c.batch = ?"
KNOWN_BATCHES = "select batch, model, lines, planned_at, provider_id, state from batches"


def place_of(place: Place) -> CallPlace:
    """Return the place of a request by which its call is found again."""
    return place.episode, place.seat, place.step, place.ask


def custom_id(key: str, request: Request) -> str:
    """Return the id of a request in the batch with this key: 16 hex digits, a dash, and 24.

    The second part is a hash of the request's place and content, so that a changed request takes no
    reply to another one.  The key stands in it because Anthropic's batches have no other room.
    """
    messages = [message.identity() for message in request.messages]
    content = (place_of(request.place), messages, request.sampling.content(), request.seed)
    return f"{key}-{hashlib.sha256(orjson.dumps(content)).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call of an earlier run that was written down in a batch, and whose outcome is not.

    `row` holds its columns in the ledger.
    """

    place: CallPlace
    row: dict[str, Any]
    worst_usd: float | None


@dataclass(slots=True)
class StoredBatch:
    """A batch of an earlier run with calls whose outcomes are not in the record.

    `provider_id` is None if it is not known whether the provider has it.  `planned_at` is None if
    it was not even written down whole, so that it was never sent.
    """

    key: str
    model: str
    lines: int
    planned_at: datetime | None
    provider_id: str | None
    calls: dict[CallPlace, OpenCall] = field(default_factory=dict)


def load_open_batches(path: Path, study: str) -> list[StoredBatch]:
    """Return the batches of a study that have calls without an outcome, oldest first."""
    with open_live(path, ("batches", "calls")) as con:
        rows = read_result(con, OPEN_CALLS, [study]).dicts()
        if not rows:
            return []
        known = {row["batch"]: row for row in read_result(con, KNOWN_BATCHES).dicts()}
    batches: dict[str, StoredBatch] = {}
    for row in rows:
        key = row["batch"]
        if key not in batches:
            plan = known.get(key, {})
            batches[key] = StoredBatch(
                key,
                plan.get("model", ""),
                plan.get("lines", 0),
                plan.get("planned_at"),
                plan.get("provider_id"),
            )
        call = open_call(row)
        batches[key].calls[call.place] = call
    return sorted(batches.values(), key=lambda batch: (batch.planned_at or datetime.min, batch.key))


def open_call(row: Mapping[str, Any]) -> OpenCall:
    """Return the call in a row of these queries."""
    columns = {name: value for name, value in row.items() if value is not None}
    if "sent" in columns:
        columns["sent"] = orjson.loads(columns["sent"])
    place = row["episode"], row["seat"], row["step"], row["ask"]
    return OpenCall(place, columns, row["worst_usd"])


def plan_line(key: str, run: str, study: str, model: str, lines: list[bytes]) -> bytes:
    """Return the journal line of a batch that is about to be sent."""
    content = b"\n".join(lines)
    row = {
        "batch": key,
        "run": run,
        "study": study,
        "model": model,
        "lines": len(lines),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "planned_at": utc_now(),
    }
    return line("batch_plans", row)


def state_line(key: str, provider_id: str | None, state: BatchState) -> bytes:
    """Return the journal line of a state in which a batch was found.

    Whatever of it a provider has written may hold a key, as a header that it repeats does.
    """
    row = {
        "batch": key,
        "provider_id": None if provider_id is None else writable(without_secrets(provider_id)),
        "state": state_label(state),
        "succeeded": state.succeeded,
        "failed": state.failed,
        "error": None if state.error is None else writable(without_secrets(state.error)),
        "seen_at": utc_now(),
    }
    return line("batch_states", {name: value for name, value in row.items() if value is not None})


def state_label(state: BatchState) -> str:
    """Return a provider's word for a state, short and without keys."""
    return printable(without_secrets(state.state))[:MAX_STATE_CHARACTERS]
