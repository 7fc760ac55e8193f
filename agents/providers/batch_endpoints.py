"""Batch endpoints in OpenAI's form, of OpenAI itself and of servers that speak it.

A batch is a file of lines that is uploaded and then named; its results are two files, of
answers and of errors.  Our key stands in the metadata of the batch, by which it is found again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from agents.providers import wire
from agents.providers.faults import error_text, stated_status
from arena.batches import BatchState, BatchTerms
from arena.errors import (
    BadReplyError,
    BatchUnclearError,
    BatchUnnamedError,
    ModelError,
    NotAskedError,
)
from arena.types import Reply, Request

COMPLETION_WINDOW = "24h"
KEY_NAME = "arena"
# Codes of lines that were not asked since their batch ended first.
NOT_ASKED = ("batch_expired", "batch_cancelled")
ENDED = ("completed", "failed", "expired", "cancelled")
# A failed batch with this code would be taken later: too many tokens wait at the provider.
QUEUE_FULL = ("token_limit_exceeded", "rate_limit_exceeded", "batch_queue_full")
PAGE = 100
OPENAI_TERMS = BatchTerms(50_000, 200 * 10**6)


class AnswerReader(Protocol):
    """What reads the answers in lines of results."""

    @property
    def name(self) -> str:
        """The reference of the model."""

    async def read_body(self, body: bytes, http_status: int) -> Reply:
        """Return the reply in the body of a successful answer, or raise a ModelError."""

    def error_of(self, status: int, body: bytes) -> ModelError:
        """Return the error for an answer with another status."""

    def learn_from_line(
        self, fault: ModelError, status: int | None, answer: bytes, request: Request
    ) -> ModelError:
        """Return the error for the line of a request, after a look at what was not taken."""


def fault_of_line(
    model: AnswerReader, status: int, body: bytes, request: Request | None
) -> ModelError:
    """Return the error in the line of a request, from which its model learns what to leave out."""
    fault = model.error_of(status, body)
    return fault if request is None else model.learn_from_line(fault, status, body, request)


class BatchModel(AnswerReader, Protocol):
    """A model behind an API, as far as a batch endpoint needs it."""

    def check(self, request: Request) -> None:
        """Raise RefusedError if the model is known not to take a request."""

    def request_body(self, request: Request) -> dict[str, object]:
        """Return the JSON of a request as it is sent."""

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
    ) -> bytes:
        """Send another request to the same server and return its answer; ModelError if it fails.

        `file` has a name and content, beside which `body` holds the fields of a form.
        """


def document(model: BatchModel, answer: bytes, *fields: str) -> dict[str, Any]:
    """Return the JSON object in an answer; BadReplyError if it lacks one of the text fields."""
    found = wire.document_of(answer)
    if isinstance(found, dict) and all(isinstance(found.get(name), str) for name in fields):
        return found
    raise BadReplyError(f"{model.name} gave an answer about batches that is none: {answer[:80]!r}")


def entries_in(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the entries of a list of batches, in the field of this name."""
    listed = page.get(name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def id_in(entry: Mapping[str, Any], field: str = "id") -> str:
    """Return the id of a batch in a list.

    Raises BatchUnnamedError if it has none: the batch is there, and must not be created anew.
    """
    if isinstance(id := entry.get(field), str):
        return id
    raise BatchUnnamedError("the provider lists a batch without its id")


def last_id(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the last batch of a page, behind which the next page begins.

    Raises BatchUnclearError if it has none: what follows it cannot be seen.
    """
    if isinstance(id := entries[-1].get("id"), str):
        return id
    raise BatchUnclearError("the provider lists a batch without its id, and others behind it")


def whole_number(document: object, name: str) -> int | None:
    """Return a count in a document, None if it has none."""
    return wire.count(document, name)


@dataclass(frozen=True)
class OpenAIBatches:
    """The batch endpoint of OpenAI's form for a model.

    `url` is the endpoint of single calls, as lines name it; `root` stands before /files and
    /batches.
    """

    model: BatchModel
    url: str = "/v1/chat/completions"
    root: str = ""
    terms: BatchTerms = OPENAI_TERMS

    async def is_available(self) -> bool:
        """Return True: the provider has batches."""
        return True

    async def line(self, custom_id: str, request: Request) -> bytes:
        """Return a request as a line of a batch."""
        self.model.check(request)
        body = self.model.request_body(request)
        return orjson.dumps(
            {"custom_id": custom_id, "method": "POST", "url": self.url, "body": body}
        )

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        """Upload the lines, create a batch of them, and return its id."""
        content = b"\n".join((*lines, b""))
        uploaded = await self.model.exchange(
            "POST",
            f"{self.root}/files",
            body={"purpose": "batch"},
            file=(f"arena-{key}.jsonl", content),
        )
        created = await self.model.exchange(
            "POST",
            f"{self.root}/batches",
            body={
                "input_file_id": document(self.model, uploaded, "id")["id"],
                "endpoint": self.url,
                "completion_window": COMPLETION_WINDOW,
                "metadata": {KEY_NAME: key},
            },
        )
        return str(document(self.model, created, "id")["id"])

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        """Return the id of the batch that was created with this key, None if there is none."""
        after: dict[str, str] = {}
        while True:
            query = {"limit": str(PAGE), **after}
            answer = await self.model.exchange("GET", f"{self.root}/batches", query=query)
            page = document(self.model, answer)
            batches = entries_in(page, "data")
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(KEY_NAME) == key:
                    return id_in(batch)
            # The newest come first.
            oldest = whole_number(batches[-1], "created_at") if batches else None
            if not page.get("has_more") or oldest is None or oldest < seconds(since):
                return None
            after = {"after": last_id(batches)}

    async def poll(self, id: str) -> BatchState:
        """Return how a batch stands."""
        batch = await self._retrieve(id)
        counts = batch.get("request_counts")
        state = str(batch["status"])
        return BatchState(
            state,
            ended=state in ENDED,
            partial=state in ("expired", "cancelled"),
            cancelled=state in ("cancelling", "cancelled"),
            succeeded=whole_number(counts, "completed"),
            failed=whole_number(counts, "failed"),
            **refusal(batch) if state == "failed" else {},
        )

    async def _retrieve(self, id: str) -> dict[str, Any]:
        answer = await self.model.exchange("GET", f"{self.root}/batches/{id}")
        return document(self.model, answer, "id", "status")

    async def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the results of a batch that has ended: (custom id, line)."""
        batch = await self._retrieve(id)
        for name in ("output_file_id", "error_file_id"):
            if isinstance(file := batch.get(name), str):
                content = await self.model.exchange("GET", f"{self.root}/files/{file}/content")
                for custom_id, line in lines_by_id(content):
                    yield custom_id, line

    async def read(self, line: bytes, request: Request | None) -> Reply:
        """Return the reply to a request in the line of its result."""
        return await read_line(self.model, line, request)

    async def cancel(self, id: str) -> None:
        """Ask for the end of a batch."""
        await self.model.exchange("POST", f"{self.root}/batches/{id}/cancel")


def seconds(time: datetime) -> float:
    """Return a time in UTC in seconds since 1970."""
    return time.replace(tzinfo=UTC).timestamp()


def refusal(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return why a whole batch failed, as fields of its state."""
    errors = batch.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else None
    found = [error for error in data if isinstance(error, dict)] if isinstance(data, list) else []
    words = [
        " ".join(str(error[name]) for name in ("code", "message", "line") if error.get(name))
        for error in found[:3]
    ]
    return {
        "error": "; ".join(words) or "it failed without a reason",
        "queue_full": any(error.get("code") in QUEUE_FULL for error in found),
    }


def lines_by_id(content: bytes) -> list[tuple[str, bytes]]:
    """Return the lines of a file of results with their custom ids, without those that have none."""
    found = []
    for line in content.splitlines():
        fields = wire.document_of(line)
        if isinstance(fields, dict) and isinstance(id := fields.get("custom_id"), str):
            found.append((id, line))
    return found


async def read_line(model: AnswerReader, line: bytes, request: Request | None) -> Reply:
    """Return the reply to a request in its line of results in OpenAI's form.

    Raises NotAskedError for a line that was not its turn, and otherwise as a call does.
    """
    fields = wire.document_of(line)
    fields = fields if isinstance(fields, dict) else {}
    error = fields.get("error")
    if isinstance(error, dict) and error.get("code") in NOT_ASKED:
        raise NotAskedError(f"{model.name} was not asked: {error_text(fields)}")
    response = fields.get("response")
    if isinstance(response, dict):
        status = response.get("status_code")
        status = status if type(status) is int else 200
        body = wire.body_of(response.get("body"))
        if 200 <= status < 300 and not error:
            return await model.read_body(body, status)
        refused = status if status >= 400 else 500
        raise fault_of_line(model, refused, wire.body_of(fields) if error else body, request)
    raise fault_of_line(model, stated_status(fields) or 500, line, request)
