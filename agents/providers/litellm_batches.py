"""The batch endpoints of Mistral and Gemini, whose single calls go through LiteLLM.

LiteLLM writes each request as it would a single one, and reads each answer; its drafts also show
the address and the headers of the provider, which the requests about batches need.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from agents.providers import sdk, wire
from agents.providers.batch_endpoints import (
    KEY_NAME,
    entries_in,
    fault_of_line,
    id_in,
    lines_by_id,
    read_line,
    whole_number,
)
from arena.batches import BatchState, BatchTerms
from arena.errors import BadReplyError, ModelError, NotAskedError
from arena.types import BatchEndpoint, Message, Place, Reply, Request, Sampling

if TYPE_CHECKING:
    import httpx

# Codes of gRPC, in which the Gemini API states errors of single requests: cancelled and past its
# deadline, and what the others are in HTTP.
NOT_ASKED_CODES = (1, 4)
STATUS_OF_CODE = {3: 400, 5: 404, 7: 403, 8: 429, 9: 400, 14: 503, 16: 401}
TIMEOUT_S = 600.0
PAGE = 100
MISTRAL_TERMS = BatchTerms(1_000_000, 200 * 10**6)
# Requests that stand in the batch itself; a little room is left for what is around them.
GEMINI_TERMS = BatchTerms(100_000, 19 * 10**6)
DRAFT = Request((Message("user", "-"),), Sampling(max_tokens=1), 0, Place("", "", 0, 0, "", 0))


class DraftingModel(Protocol):
    """A model whose requests can be drafted, as far as a batch endpoint needs it."""

    name: str

    async def draft(self, request: Request) -> httpx.Request:
        """Return the request that would be sent, with its address and headers."""

    async def read_body(self, body: bytes, http_status: int) -> Reply:
        """Return the reply in the body of a successful answer, or raise a ModelError."""

    def error_of(self, status: int, body: bytes, headers: Mapping[str, str] = ...) -> ModelError:
        """Return the error for an answer with another status."""

    def learn_from_line(
        self, fault: ModelError, status: int | None, answer: bytes, request: Request
    ) -> ModelError:
        """Return the error for the line of a request, after a look at what was not taken."""


def litellm_batches(model: DraftingModel) -> BatchEndpoint | None:
    """Return the batch endpoint of a model, None if its provider has none that we speak."""
    if model.name.startswith("mistral/"):
        return MistralBatches(model)
    if model.name.startswith("gemini/"):
        return GeminiBatches(model)
    return None


async def exchange(
    model: DraftingModel,
    ending: str,
    method: str,
    path: str,
    *,
    body: Mapping[str, object] | None = None,
    query: Mapping[str, str] | None = None,
    file: tuple[str, bytes] | None = None,
) -> dict[str, Any] | bytes:
    """Send a request about batches, and return its answer: JSON, or what is none.

    `ending` is what a single call has behind the address of the API.  `body` is JSON, or the fields
    of a form beside a file.
    """
    import httpx

    drafted = await model.draft(DRAFT)
    root = str(drafted.url.copy_with(query=None)).partition(ending)[0]
    kept = ("authorization", "x-goog-api-key", "x-api-key")
    headers = {name: value for name, value in drafted.headers.items() if name in kept}
    query = {**dict(drafted.url.params), **(query or {})}
    content: dict[str, Any] = {} if body is None else {"json": body}
    if file is not None:
        content = {"data": body, "files": {"file": file}}
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            answer = await client.request(
                method, f"{root}{path}", headers=headers, params=query, **content
            )
    except (httpx.HTTPError, OSError) as error:
        fault = sdk.transport_error(
            model.name, error, timeout_s=TIMEOUT_S, key=None, http_status=None
        )
    else:
        if answer.is_success:
            found = wire.document_of(answer.content) if file or path.count("content") == 0 else None
            return found if isinstance(found, dict) else answer.content
        fault = model.error_of(
            answer.status_code, answer.content[: wire.READ_ERROR_BYTES], answer.headers
        )
    raise fault


def fields_of(model: DraftingModel, answer: dict[str, Any] | bytes, *names: str) -> dict[str, Any]:
    """Return the JSON object of an answer; BadReplyError if it lacks one of these texts."""
    if isinstance(answer, dict) and all(isinstance(answer.get(name), str) for name in names):
        return answer
    raise BadReplyError(f"{model.name} gave an answer about batches that is none")


@dataclass(frozen=True)
class MistralBatches:
    """The batch endpoint of Mistral for a model: a file of lines, and files of results."""

    model: DraftingModel
    terms: BatchTerms = MISTRAL_TERMS

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
    ) -> dict[str, Any] | bytes:
        return await exchange(
            self.model, "/chat/completions", method, path, body=body, query=query, file=file
        )

    async def is_available(self) -> bool:
        """Return True: the provider has batches."""
        return True

    async def line(self, custom_id: str, request: Request) -> bytes:
        """Return a request as a line of a batch."""
        drafted = await self.model.draft(request)
        return orjson.dumps({"custom_id": custom_id, "body": orjson.loads(drafted.content)})

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        """Upload the lines, create a batch of them, and return its id."""
        uploaded = await self._send(
            "POST",
            "/files",
            body={"purpose": "batch"},
            file=(f"arena-{key}.jsonl", b"\n".join((*lines, b""))),
        )
        job = {
            "input_files": [fields_of(self.model, uploaded, "id")["id"]],
            "endpoint": "/v1/chat/completions",
            "model": self.model.name.partition("/")[2],
            "metadata": {KEY_NAME: key},
        }
        created = await self._send("POST", "/batch/jobs", body=job)
        return str(fields_of(self.model, created, "id")["id"])

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        """Return the id of the batch that was created with this key, None if there is none."""
        page = 0
        while True:
            query = {
                "page": str(page),
                "page_size": str(PAGE),
                "created_after": f"{since.isoformat()}Z",
            }
            answer = fields_of(self.model, await self._send("GET", "/batch/jobs", query=query))
            for job in entries_in(answer, "data"):
                metadata = job.get("metadata")
                if isinstance(metadata, dict) and metadata.get(KEY_NAME) == key:
                    return id_in(job)
            if not isinstance(jobs := answer.get("data"), list) or len(jobs) < PAGE:
                return None
            page += 1

    async def poll(self, id: str) -> BatchState:
        """Return how a batch stands."""
        job = fields_of(self.model, await self._send("GET", f"/batch/jobs/{id}"), "status")
        state = job["status"]
        succeeded = whole_number(job, "succeeded_requests")
        refused = state == "FAILED" and not succeeded
        return BatchState(
            state,
            ended=state in ("SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"),
            partial=state in ("FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"),
            cancelled=state in ("CANCELLATION_REQUESTED", "CANCELLED"),
            succeeded=succeeded,
            failed=whole_number(job, "failed_requests"),
            error=first_error(job.get("errors")) if refused else None,
        )

    async def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the results of a batch that has ended: (custom id, line)."""
        job = fields_of(self.model, await self._send("GET", f"/batch/jobs/{id}"), "status")
        for name in ("output_file", "error_file"):
            if isinstance(file := job.get(name), str):
                content = await self._send("GET", f"/files/{file}/content")
                for custom_id, line in lines_by_id(content if isinstance(content, bytes) else b""):
                    yield custom_id, line

    async def read(self, line: bytes, request: Request | None) -> Reply:
        """Return the reply in the line of a result."""
        return await read_line(self.model, line, request)

    async def cancel(self, id: str) -> None:
        """Ask for the end of a batch."""
        await self._send("POST", f"/batch/jobs/{id}/cancel")


def first_error(errors: object) -> str:
    """Return the words of the first error in a list."""
    first = errors[0] if isinstance(errors, list) and errors else None
    words = first.get("message") if isinstance(first, dict) else None
    return words if isinstance(words, str) else "it failed without a reason"


@dataclass(frozen=True)
class GeminiBatches:
    """The batch endpoint of the Gemini API for a model: requests and results in the batch itself.

    Our key stands in its display name.
    """

    model: DraftingModel
    terms: BatchTerms = GEMINI_TERMS

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        answer = await exchange(self.model, "/models/", method, path, body=body, query=query)
        return fields_of(self.model, answer)

    async def is_available(self) -> bool:
        """Return True: the provider has batches."""
        return True

    async def line(self, custom_id: str, request: Request) -> bytes:
        """Return a request as an entry of a batch."""
        drafted = await self.model.draft(request)
        return orjson.dumps(
            {"request": orjson.loads(drafted.content), "metadata": {"key": custom_id}}
        )

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        """Create a batch and return its id."""
        requests = [orjson.loads(line) for line in lines]
        batch = {
            "display_name": f"{KEY_NAME}-{key}",
            "input_config": {"requests": {"requests": requests}},
        }
        path = f"/models/{self.model.name.partition('/')[2]}:batchGenerateContent"
        created = await self._send("POST", path, body={"batch": batch})
        return str(fields_of(self.model, created, "name")["name"])

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        """Return the id of the batch that was created with this key, None if there is none."""
        token: dict[str, str] = {}
        while True:
            page = await self._send("GET", "/batches", query={"pageSize": str(PAGE), **token})
            for operation in entries_in(page, "operations"):
                if metadata_of(operation).get("displayName") == f"{KEY_NAME}-{key}":
                    return id_in(operation, "name")
            if not isinstance(next_token := page.get("nextPageToken"), str) or not next_token:
                return None
            token = {"pageToken": next_token}

    async def poll(self, id: str) -> BatchState:
        """Return how a batch stands."""
        operation = await self._send("GET", f"/{id}")
        metadata = metadata_of(operation)
        word = str(metadata.get("state") or "unknown")
        state = word.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
        stats = metadata.get("batchStats")
        error = operation.get("error")
        refused = state == "FAILED" and not responses_in(operation)
        words = error.get("message") if isinstance(error, dict) else None
        return BatchState(
            state,
            ended=state in ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"),
            partial=state in ("FAILED", "CANCELLED", "EXPIRED"),
            cancelled=state in ("CANCELLING", "CANCELLED"),
            succeeded=number_in(stats, "successfulRequestCount"),
            failed=number_in(stats, "failedRequestCount"),
            error=str(words or "it failed without a reason") if refused else None,
        )

    async def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the results of a batch that has ended: (custom id, entry)."""
        for entry in responses_in(await self._send("GET", f"/{id}")):
            metadata = entry.get("metadata")
            if isinstance(metadata, dict) and isinstance(custom_id := metadata.get("key"), str):
                yield custom_id, wire.body_of(entry)

    async def read(self, line: bytes, request: Request | None) -> Reply:
        """Return the reply in an entry of the results."""
        found = wire.document_of(line)
        entry = found if isinstance(found, dict) else {}
        if isinstance(entry.get("response"), dict):
            return await self.model.read_body(wire.body_of(entry["response"]), 200)
        error = entry.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if code in NOT_ASKED_CODES:
            raise NotAskedError(f"{self.model.name} was not asked: its batch ended before")
        status = STATUS_OF_CODE.get(code, 500) if type(code) is int else 500
        raise fault_of_line(self.model, status, wire.body_of({"error": error}), request)

    async def cancel(self, id: str) -> None:
        """Ask for the end of a batch."""
        await self._send("POST", f"/{id}:cancel")


def metadata_of(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the Gemini API says of a batch."""
    metadata = operation.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def responses_in(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of the results of a batch of the Gemini API."""
    for place in (operation.get("response"), metadata_of(operation).get("output")):
        inlined = place.get("inlinedResponses") if isinstance(place, dict) else None
        entries = inlined.get("inlinedResponses") if isinstance(inlined, dict) else None
        if isinstance(entries, list):
            return [entry for entry in entries if isinstance(entry, dict)]
    return []


def number_in(stats: object, name: str) -> int | None:
    """Return a count, which the Gemini API writes as a text of digits."""
    value = stats.get(name) if isinstance(stats, dict) else None
    return int(value) if isinstance(value, str) and value.isdecimal() else whole_number(stats, name)
