"""The batch endpoint of a server at an address of the user's own, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import orjson

from agents.providers.batch_endpoints import OpenAIBatches
from agents.providers.completions import read_reply
from agents.providers.faults import read_fault
from agents.providers.http_server import HttpServer
from arena.batches import BatchTerms
from arena.errors import ModelError, RefusedError
from arena.types import Reply, Request, Sampling

# What such a server charges is not known; prices by hand hold as they are.
TERMS = BatchTerms(50_000, 200 * 10**6, price_factor=1.0)
NO_HEADERS: Mapping[str, str] = {}


class HttpSpeaker(Protocol):
    """A model behind such a server, as far as its batches need it."""

    name: str

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why it cannot sample this way; None if it can."""

    def request_body(self, request: Request) -> dict[str, object]:
        """Return the JSON of a request as it is sent."""

    def learn_from_line(
        self, fault: ModelError, status: int | None, answer: bytes, request: Request
    ) -> ModelError:
        """Return the error for the line of a request, after a look at what was not taken."""


@dataclass(frozen=True)
class HttpExchange:
    """A model and the address at which its batches are."""

    model: HttpSpeaker
    server: HttpServer

    @property
    def name(self) -> str:
        """The reference of the model."""
        return self.model.name

    def check(self, request: Request) -> None:
        """Raise RefusedError if the model is known not to take a request."""
        if (why := self.model.unsupported_reason(request.sampling)) is not None:
            raise RefusedError(f"{self.name} was not asked: {why}", sent=False)

    def request_body(self, request: Request) -> dict[str, object]:
        """Return the JSON of a request as it is sent."""
        return self.model.request_body(request)

    async def read_body(self, body: bytes, http_status: int) -> Reply:
        """Return the reply in the body of a successful answer, or raise a ModelError."""
        server = self.server
        return read_reply(body, endpoint=server.endpoint, key=server.key, http_status=http_status)

    def error_of(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> ModelError:
        """Return the error for an answer with another status."""
        return read_fault(status, headers, body, endpoint=self.server.endpoint, key=self.server.key)

    def learn_from_line(
        self, fault: ModelError, status: int | None, answer: bytes, request: Request
    ) -> ModelError:
        """Return the error for the line of a request, after a look at what was not taken."""
        return self.model.learn_from_line(fault, status, answer, request)

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
    ) -> bytes:
        """Send a request about batches or files, and return its answer; ModelError if it fails."""
        data: bytes | aiohttp.FormData | None = None if body is None else orjson.dumps(body)
        if file is not None:
            data = aiohttp.FormData({name: str(value) for name, value in (body or {}).items()})
            data.add_field("file", file[1], filename=file[0])
        status, headers, content = await self.server.send(method, path, data, query or {})
        if 200 <= status < 300:
            return content
        raise self.error_of(status, content, headers)


class HttpBatches(OpenAIBatches):
    """The batch endpoint of such a server, which it may lack."""

    async def is_available(self) -> bool:
        """Return whether the server has batches."""
        try:
            await self.model.exchange("GET", f"{self.root}/batches", query={"limit": "1"})
        except ModelError as error:
            # Without an answer nothing is known: to ask call by call may cost twice as much.
            if error.http_status is None:
                raise
            return False
        return True


def http_batches(model: HttpSpeaker, server: HttpServer) -> HttpBatches:
    """Return the batch endpoint of a model at an address."""
    return HttpBatches(HttpExchange(model, server), terms=TERMS)
