"""The batch endpoints of providers on 127.0.0.1, with their single calls beside them, for tests.

A batch goes through the states of `stages`, one at each look.  Each line is asked once, when its
batch is created, and is answered as a single call with the same body would be.  `asked` counts how
often each request was asked, `tokens` what is billed, in batches and apart from them.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from tests.fake_server import ReceivedRequest, answer_body, repeatable_reply

Json = dict[str, Any]
# Stands in replies for half of an emoji, which no well-behaved JSON can hold.
HALF_EMOJI = "\x1a"
STAGES = ("validating", "in_progress", "completed")


def request_id(body: Json) -> str:
    """Return what tells a request from others, however its JSON is written."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass
class FakeBatch:
    """A batch at the provider: its lines, and how far it has come."""

    id: str
    lines: list[Json]
    metadata: Json
    stages: list[str]
    created_at: int = 0
    looks: int = 0
    answers: list[Json] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    refusal: list[Json] = field(default_factory=list)
    key: str = ""

    @property
    def state(self) -> str:
        """The state that the last look has found."""
        return self.stages[min(self.looks, len(self.stages) - 1)]


def always(line: Json) -> Json | None:
    """Return None: every line is answered well."""
    return None


@dataclass
class BatchServer:
    """A provider.

    `on_event` is called with the name of each thing that happens, before it is answered.  `fault`
    returns the error of a line, as it stands in a file of results, or None.  `refuse` returns why
    a whole batch is refused, or None.
    """

    answer: Callable[[ReceivedRequest], str] = repeatable_reply
    stages: tuple[str, ...] = STAGES
    on_event: Callable[[str], None] = lambda event: None
    fault: Callable[[Json], Json | None] = always
    refuse: Callable[[FakeBatch], list[Json] | None] = lambda batch: None
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, FakeBatch] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    events: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def note(self, event: str) -> None:
        """Note an event, and tell of it."""
        self.events.append(event)
        self.on_event(event)

    def reply(self, path: str, body: Json, *, batched: bool) -> Json:
        """Answer one request, count it and bill it."""
        name = request_id(body)
        self.asked[name] += 1
        received = ReceivedRequest(0, 0.0, body, {}, name, path)
        document = answer_body(self.answer(received), received)
        usage = document.get("usage") or document["usageMetadata"]
        counts = [value for key, value in usage.items() if "total" not in key.lower()]
        self.tokens["batched" if batched else "single"] += sum(counts)
        return document

    def app(self) -> web.Application:
        """Return the server's paths."""
        app = web.Application(client_max_size=300 * 2**20)
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
            app.router.add_post(path, self.single)
        app.router.add_post("/v1/batch/jobs", self.create_job)
        app.router.add_get("/v1/batch/jobs", self.list_jobs)
        app.router.add_get("/v1/batch/jobs/{id}", self.retrieve_job)
        app.router.add_post("/v1/batch/jobs/{id}/cancel", self.cancel_job)
        app.router.add_post("/v1beta/models/{model}", self.generate)
        app.router.add_get("/v1beta/batches", self.list_operations)
        app.router.add_get("/v1beta/batches/{id}", self.retrieve_operation)
        app.router.add_post("/v1beta/batches/{id}:cancel", self.cancel_operation)
        app.router.add_post("/v1/messages/batches", self.create_messages)
        app.router.add_get("/v1/messages/batches", self.list_messages)
        app.router.add_get("/v1/messages/batches/{id}", self.retrieve_messages)
        app.router.add_get("/v1/messages/batches/{id}/results", self.message_results)
        app.router.add_post("/v1/messages/batches/{id}/cancel", self.cancel_messages)
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.content)
        app.router.add_post("/v1/batches", self.create)
        app.router.add_get("/v1/batches", self.list)
        app.router.add_get("/v1/batches/{id}", self.retrieve)
        app.router.add_post("/v1/batches/{id}/cancel", self.cancel)
        return app

    async def single(self, request: web.Request) -> web.Response:
        """Answer a single call."""
        self.note("single")
        return json(self.reply(request.path, await request.json(), batched=False))

    async def upload(self, request: web.Request) -> web.Response:
        """Take a file."""
        form = await request.post()
        content = form["file"]
        assert isinstance(content, web.FileField)
        assert form["purpose"] == "batch"
        id = f"file-{next(self.numbers)}"
        self.files[id] = content.file.read()
        self.note("upload")
        return json({"id": id, "object": "file", "bytes": len(self.files[id])})

    async def content(self, request: web.Request) -> web.Response:
        """Give a file."""
        self.note("results")
        return web.Response(body=self.files[request.match_info["id"]])

    async def create(self, request: web.Request) -> web.Response:
        """Create a batch, and ask its lines."""
        body = await request.json()
        self.note("create")
        lines = [orjson.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert len({line["body"]["model"] for line in lines}) == 1
        assert {line["url"] for line in lines} == {body["endpoint"]}
        assert body["completion_window"] == "24h"
        batch = self.add(lines, body.get("metadata") or {})
        for line in [] if batch.refusal else lines:
            self.ask(batch, line)
        self.note("created")
        return json(self.document(batch))

    def add(self, lines: list[Json], metadata: Json) -> FakeBatch:
        """Add a batch, the newest first."""
        id = f"batch_{next(self.numbers)}"
        batch = FakeBatch(id, lines, metadata, [*self.stages], int(time.time()))
        self.batches = {id: batch, **self.batches}
        if refusal := self.refuse(batch):
            batch.refusal = refusal
            batch.stages = ["validating", "failed"]
        return batch

    def ask(self, batch: FakeBatch, line: Json) -> None:
        """Ask one line of a batch."""
        id = f"batch_req_{next(self.numbers)}"
        if error := self.fault(line):
            batch.errors.append({"id": id, "custom_id": line["custom_id"], **error})
            return
        response = {
            "status_code": 200,
            "request_id": id,
            "body": self.reply(line["url"], line["body"], batched=True),
        }
        batch.answers.append(
            {"id": id, "custom_id": line["custom_id"], "response": response, "error": None}
        )

    def document(self, batch: FakeBatch) -> Json:
        """Return a batch as OpenAI describes it; its results become files when it has ended."""
        ended = batch.state in ("completed", "failed", "expired", "cancelled")
        files: dict[str, str | None] = {"output_file_id": None, "error_file_id": None}
        for name, rows in zip(files, (batch.answers, batch.errors), strict=True):
            if ended and rows:
                files[name] = f"{name}-{batch.id}"
                # In any order: here from the last to the first.
                self.files[f"{name}-{batch.id}"] = b"".join(
                    dump(row) + b"\n" for row in reversed(rows)
                )
        done = {"completed": len(batch.answers), "failed": len(batch.errors)} if ended else {}
        return {
            "id": batch.id,
            "object": "batch",
            "status": batch.state,
            "metadata": batch.metadata,
            "created_at": batch.created_at,
            "request_counts": {"total": len(batch.lines), "completed": 0, "failed": 0, **done},
            "errors": {"object": "list", "data": batch.refusal} if batch.refusal else None,
            **files,
        }

    async def list(self, request: web.Request) -> web.Response:
        """List batches, the newest first."""
        self.note("list")
        ids = [*self.batches]
        first = ids.index(request.query["after"]) + 1 if "after" in request.query else 0
        last = first + int(request.query.get("limit", "20"))
        data = [self.document(self.batches[id]) for id in ids[first:last]]
        return json({"object": "list", "data": data, "has_more": last < len(ids)})

    async def retrieve(self, request: web.Request) -> web.Response:
        """Look after a batch, which goes on by that."""
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return json({"error": {"message": "No such batch", "code": None}}, status=404)
        batch.looks += 1
        self.note(f"look: {batch.state}")
        return json(self.document(batch))

    async def cancel(self, request: web.Request) -> web.Response:
        """End a batch: what was answered is kept."""
        batch = self.batches[request.match_info["id"]]
        batch.stages = [*batch.stages[: batch.looks], "cancelling", "cancelled"]
        self.note("cancel")
        return json(self.document(batch))

    # Anthropic's form.

    async def create_messages(self, request: web.Request) -> web.Response:
        """Create a batch of messages, and ask its lines."""
        lines = (await request.json())["requests"]
        self.note("create")
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"]) for line in lines)
        batch = self.add(lines, {})
        for line in lines:
            if error := self.fault(line):
                batch.errors.append({"custom_id": line["custom_id"], "result": error})
                continue
            message = self.reply("/v1/messages", line["params"], batched=True)
            result = {"type": "succeeded", "message": message}
            batch.answers.append({"custom_id": line["custom_id"], "result": result})
        self.note("created")
        return json(self.message_batch(batch))

    def message_batch(self, batch: FakeBatch) -> Json:
        """Return a batch as Anthropic describes it."""
        ended = batch.state in ("completed", "cancelled", "expired")
        status = "canceling" if batch.state == "cancelling" else "in_progress"
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if ended:
            kinds = Counter(row["result"]["type"] for row in (*batch.answers, *batch.errors))
            counts |= kinds
        else:
            counts["processing"] = len(batch.lines)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else status,
            "request_counts": counts,
            "created_at": f"{datetime.fromtimestamp(batch.created_at, UTC):%Y-%m-%dT%H:%M:%S}Z",
            "cancel_initiated_at": "2026-11-27T00:00:00Z" if "cancel" in batch.state else None,
            "results_url": f"{self.url}/messages/batches/{batch.id}/results" if ended else None,
        }

    async def list_messages(self, request: web.Request) -> web.Response:
        """List batches, the newest first."""
        self.note("list")
        # Time passes while a batch is looked for.
        for batch in self.batches.values():
            batch.looks += 1
        ids = [*self.batches]
        first = ids.index(request.query["after_id"]) + 1 if "after_id" in request.query else 0
        last = first + int(request.query.get("limit", "20"))
        data = [self.message_batch(self.batches[id]) for id in ids[first:last]]
        return json({"data": data, "has_more": last < len(ids)})

    async def retrieve_messages(self, request: web.Request) -> web.Response:
        """Look after a batch, which goes on by that."""
        batch = self.batches[request.match_info["id"]]
        batch.looks += 1
        self.note(f"look: {batch.state}")
        return json(self.message_batch(batch))

    async def message_results(self, request: web.Request) -> web.Response:
        """Give the results of a batch, the last first."""
        self.note("results")
        batch = self.batches[request.match_info["id"]]
        rows = [*batch.answers, *batch.errors][::-1]
        return web.Response(body=b"".join(dump(row) + b"\n" for row in rows))

    async def cancel_messages(self, request: web.Request) -> web.Response:
        """End a batch: what was answered is kept."""
        batch = self.batches[request.match_info["id"]]
        batch.stages = [*batch.stages[: batch.looks], "cancelling", "cancelled"]
        self.note("cancel")
        return json(self.message_batch(batch))

    # Mistral's form.

    async def create_job(self, request: web.Request) -> web.Response:
        """Create a job, and ask its lines."""
        body = await request.json()
        self.note("create")
        (file,) = body["input_files"]
        lines = [orjson.loads(line) for line in self.files[file].splitlines()]
        assert body["endpoint"] == "/v1/chat/completions"
        batch = self.add(lines, body["metadata"])
        for line in lines:
            self.ask(batch, {**line, "url": "/v1/chat/completions"})
        self.note("created")
        return json(self.job(batch))

    def job(self, batch: FakeBatch) -> Json:
        """Return a batch as Mistral describes it."""
        document = self.document(batch)
        words = {"validating": "QUEUED", "in_progress": "RUNNING", "completed": "SUCCESS"}
        words |= {"cancelling": "CANCELLATION_REQUESTED", "expired": "TIMEOUT_EXCEEDED"}
        return {
            "id": batch.id,
            "object": "batch",
            "status": words.get(batch.state, batch.state.upper()),
            "metadata": batch.metadata,
            "total_requests": len(batch.lines),
            "succeeded_requests": document["request_counts"]["completed"],
            "failed_requests": document["request_counts"]["failed"],
            "output_file": document["output_file_id"],
            "error_file": document["error_file_id"],
            "errors": [],
        }

    async def list_jobs(self, request: web.Request) -> web.Response:
        """List jobs by page."""
        self.note("list")
        size = int(request.query["page_size"])
        first = size * int(request.query["page"])
        jobs = [self.job(batch) for batch in self.batches.values()][first : first + size]
        return json({"data": jobs, "total": len(self.batches)})

    async def retrieve_job(self, request: web.Request) -> web.Response:
        """Look after a job, which goes on by that."""
        batch = self.batches[request.match_info["id"]]
        batch.looks += 1
        self.note(f"look: {batch.state}")
        return json(self.job(batch))

    async def cancel_job(self, request: web.Request) -> web.Response:
        """End a job: what was answered is kept."""
        batch = self.batches[request.match_info["id"]]
        batch.stages = [*batch.stages[: batch.looks], "cancelling", "cancelled"]
        self.note("cancel")
        return json(self.job(batch))

    # Gemini's form.

    async def generate(self, request: web.Request) -> web.Response:
        """Answer a single call, or create a batch."""
        body = await request.json()
        if request.path.endswith(":generateContent"):
            self.note("single")
            return json(self.reply(request.path, body, batched=False))
        assert request.path.endswith(":batchGenerateContent")
        self.note("create")
        lines = body["batch"]["input_config"]["requests"]["requests"]
        batch = self.add(lines, {"name": body["batch"]["display_name"]})
        batch.id = f"batches/{batch.id}"
        path = request.path.replace("batchGenerate", "generate")
        for line in lines:
            if error := self.fault({"custom_id": line["metadata"]["key"], **line}):
                batch.errors.append({"metadata": line["metadata"], **error})
                continue
            response = self.reply(path, line["request"], batched=True)
            batch.answers.append({"metadata": line["metadata"], "response": response})
        self.note("created")
        return json(self.operation(batch))

    def operation(self, batch: FakeBatch) -> Json:
        """Return a batch as the Gemini API describes it."""
        words = {"validating": "PENDING", "in_progress": "RUNNING", "completed": "SUCCEEDED"}
        state = words.get(batch.state, batch.state.upper())
        ended = batch.state in ("completed", "cancelled", "expired")
        done = {
            "done": True,
            "response": {"inlinedResponses": {"inlinedResponses": [*batch.answers, *batch.errors]}},
        }
        stats = {"requestCount": str(len(batch.lines))}
        if ended:
            stats["successfulRequestCount"] = str(len(batch.answers))
        return {
            "name": batch.id,
            "metadata": {
                "displayName": batch.metadata["name"],
                "state": f"BATCH_STATE_{state}",
                "batchStats": stats,
            },
            **(done if ended else {}),
        }

    async def list_operations(self, request: web.Request) -> web.Response:
        """List batches by page."""
        self.note("list")
        first = int(request.query.get("pageToken") or 0)
        last = first + int(request.query["pageSize"])
        listed = [self.operation(batch) for batch in [*self.batches.values()][first:last]]
        more = {"nextPageToken": str(last)} if last < len(self.batches) else {}
        return json({"operations": listed, **more})

    async def retrieve_operation(self, request: web.Request) -> web.Response:
        """Look after a batch, which goes on by that."""
        batch = self.batches[request.match_info["id"]]
        batch.looks += 1
        self.note(f"look: {batch.state}")
        return json(self.operation(batch))

    async def cancel_operation(self, request: web.Request) -> web.Response:
        """End a batch: what was answered is kept."""
        batch = self.batches[request.match_info["id"]]
        batch.stages = [*batch.stages[: batch.looks], "cancelling", "cancelled"]
        self.note("cancel")
        return json({})

    def answered(self) -> int:
        """Return how many lines were answered in batches."""
        return sum(len(batch.answers) for batch in self.batches.values())


def dump(document: Json) -> bytes:
    """Return a document as JSON, with halves of emojis as careless servers write them."""
    return orjson.dumps(document).replace(b"\\u001a", b"\\ud83d")


def json(document: Json, status: int = 200) -> web.Response:
    """Return a document as an answer."""
    return web.Response(body=dump(document), status=status, content_type="application/json")


@contextmanager
def serving(server: BatchServer) -> Iterator[BatchServer]:
    """Serve on a free port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def start() -> web.AppRunner:
        """Start to listen."""
        runner = web.AppRunner(server.app(), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}/v1"
        ready.set()
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
