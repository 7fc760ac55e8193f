"""The batch endpoint of Anthropic: one request that holds all others, and results line by line.

A batch has no metadata.  Our key is the beginning of every custom id, so that a batch is known by
the first line of its results; one that still runs cannot be told from others by more than its age
and the number of its requests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from agents.providers import wire
from agents.providers.batch_endpoints import (
    BatchModel,
    document,
    entries_in,
    fault_of_line,
    last_id,
    lines_by_id,
    whole_number,
)
from agents.providers.faults import error_text, stated_status
from arena.batches import BatchState, BatchTerms
from arena.errors import BatchUnclearError, NotAskedError
from arena.types import Reply, Request

PATH = "/v1/messages/batches"
PAGE = 1000
# Requests are joined to one document, which has a little more than their bytes.
TERMS = BatchTerms(100_000, 255 * 10**6)
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True)
class AnthropicBatches:
    """The batch endpoint of Anthropic for a model."""

    model: BatchModel
    terms: BatchTerms = TERMS

    async def is_available(self) -> bool:
        """Return True: the provider has batches."""
        return True

    async def line(self, custom_id: str, request: Request) -> bytes:
        """Return a request as an entry of a batch."""
        self.model.check(request)
        return orjson.dumps({"custom_id": custom_id, "params": self.model.request_body(request)})

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        """Create a batch and return its id."""
        requests = [orjson.loads(line) for line in lines]
        created = await self.model.exchange("POST", PATH, body={"requests": requests})
        return str(document(self.model, created, "id")["id"])

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        """Return the id of the batch whose requests have this key, None if there is none.

        Raises BatchUnclearError while one of its age and size runs or cannot be read.
        """
        unclear: list[str] = []
        after: dict[str, str] = {}
        while True:
            query = {"limit": str(PAGE), **after}
            page = document(self.model, await self.model.exchange("GET", PATH, query=query))
            batches = entries_in(page, "data")
            for batch in batches:
                id = batch.get("id")
                if not isinstance(id, str) or id in known_ids or size_of(batch) != lines:
                    continue
                if created_at(batch) < since:
                    continue
                has_key = None
                if batch.get("processing_status") == "ended":
                    has_key = await self._has_key(id, key)
                if has_key:
                    return id
                if has_key is None:
                    unclear.append(id)
            # The newest come first.
            if not page.get("has_more") or not batches or created_at(batches[-1]) < since:
                break
            after = {"after_id": last_id(batches)}
        if unclear:
            raise BatchUnclearError(
                f"{self.model.name} may be asked in {' or '.join(unclear)}, whose results cannot be"
                " read yet"
            )
        return None

    async def _has_key(self, id: str, key: str) -> bool | None:
        """Return whether the requests of a batch that has ended have this key.

        None while no result of it can be read: it may be ours.
        """
        async for custom_id, _ in self.results(id):
            return custom_id.startswith(f"{key}-")
        return None

    async def poll(self, id: str) -> BatchState:
        """Return how a batch stands."""
        answer = await self.model.exchange("GET", f"{PATH}/{id}")
        batch = document(self.model, answer, "id", "processing_status")
        counts = batch.get("request_counts")
        state = str(batch["processing_status"])
        failed = [whole_number(counts, name) or 0 for name in ("errored", "canceled", "expired")]
        return BatchState(
            state,
            ended=state == "ended",
            partial=failed[1] + failed[2] > 0,
            cancelled=isinstance(batch.get("cancel_initiated_at"), str),
            succeeded=whole_number(counts, "succeeded"),
            failed=sum(failed),
        )

    async def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the results of a batch that has ended: (custom id, line)."""
        content = await self.model.exchange("GET", f"{PATH}/{id}/results")
        for custom_id, line in lines_by_id(content):
            yield custom_id, line

    async def read(self, line: bytes, request: Request | None) -> Reply:
        """Return the reply to a request in the line of its result.

        Raises NotAskedError for a request whose turn did not come, and otherwise as a call does.
        """
        fields = wire.document_of(line)
        result = fields.get("result") if isinstance(fields, dict) else None
        result = result if isinstance(result, dict) else {}
        kind = result.get("type")
        if kind in ("canceled", "expired"):
            raise NotAskedError(f"{self.model.name} was not asked: its batch {kind} before")
        if kind == "succeeded":
            return await self.model.read_body(wire.body_of(result.get("message")), 200)
        error = result.get("error")
        # The error stands in a document of errors, as that of a single call does.
        found = error if isinstance(error, dict) and error_text(error) else result
        raise fault_of_line(self.model, stated_status(found) or 500, wire.body_of(found), request)

    async def cancel(self, id: str) -> None:
        """Ask for the end of a batch."""
        await self.model.exchange("POST", f"{PATH}/{id}/cancel")


def size_of(batch: Mapping[str, Any]) -> int:
    """Return the number of requests in a batch."""
    counts = batch.get("request_counts")
    return sum(whole_number(counts, name) or 0 for name in COUNTS)


def created_at(batch: Mapping[str, Any]) -> datetime:
    """Return when a batch was created, in UTC without a zone; long ago if it does not say."""
    try:
        return (
            datetime.fromisoformat(str(batch.get("created_at")))
            .astimezone(UTC)
            .replace(tzinfo=None)
        )
    except ValueError:
        return datetime.min
