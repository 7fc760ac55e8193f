"""Import LiteLLM and watch the traffic of its calls, which may be drafts that never leave."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from arena.errors import StudyError

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class Exchange:
    """The traffic of one call: requests that left, and the last answer.

    `status`, `headers` and `body` are those of the last answer.  With `replay`, status and body,
    nothing is sent: these are the answer, and `drafted` is the request that would have left.
    """

    requests: list[str] = field(default_factory=list)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    replay: tuple[int, bytes] | None = None
    drafted: httpx.Request | None = None


# The exchange of the running call: each task sees its own, also inside LiteLLM.
EXCHANGE: ContextVar[Exchange | None] = ContextVar("EXCHANGE", default=None)


@cache
def litellm_library() -> ModuleType:
    """Import LiteLLM, silence and watch it, and return it.

    Raises StudyError if its version lacks the place at which requests are watched.
    """
    # LiteLLM reads these while it is imported; without them it asks the network for lists.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    litellm.suppress_debug_info = True
    litellm.drop_params = False
    litellm.num_retries = 0
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).disabled = True
    if not hasattr(AsyncHTTPHandler, "create_async_transport") or not hasattr(
        GLOBAL_LOGGING_WORKER, "ensure_initialized_and_enqueue"
    ):
        raise StudyError(
            "this version of litellm is not known here, and might send requests twice:"
            " run `pip install litellm==1.106.2`"
        )

    def skip_logging(async_coroutine: Coroutine[object, object, object]) -> None:
        """Close the coroutine, so that it is not reported as never awaited."""
        async_coroutine.close()

    GLOBAL_LOGGING_WORKER.ensure_initialized_and_enqueue = skip_logging
    create_transport = AsyncHTTPHandler.create_async_transport
    # Its arguments differ from version to version.
    AsyncHTTPHandler.create_async_transport = staticmethod(
        lambda *args, **kwargs: watch_transport(create_transport(*args, **kwargs))
    )
    # Some clients are created by the import itself, before they could be watched.
    litellm.in_memory_llm_clients_cache.flush_cache()
    library: ModuleType = litellm
    return library


def watch_transport(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncBaseTransport:
    """Return an HTTP transport that records its traffic and sends nothing a second time."""
    import httpx

    watched = transport or httpx.AsyncHTTPTransport()
    send: Callable[[httpx.Request], Awaitable[httpx.Response]] = watched.handle_async_request

    async def handle_async_request(request: httpx.Request) -> httpx.Response:
        """Send a request and record it in the exchange of the running call."""
        exchange = EXCHANGE.get()
        if exchange is None:
            return await send(request)
        line = f"{request.method} {request.url}"
        repeated = request.method == "POST" and line in exchange.requests
        redirected = exchange.status is not None and 300 <= exchange.status < 400
        if repeated or redirected:
            raise httpx.ReadError("a second request for the same call was not sent")
        exchange.requests.append(line)
        if exchange.replay is not None:
            await request.aread()
            exchange.drafted = request
            response = replayed(*exchange.replay, request)
        else:
            response = await send(request)
        exchange.status = response.status_code
        exchange.headers = {name.title(): value for name, value in response.headers.items()}
        exchange.body = await response.aread()
        return response

    vars(watched)["handle_async_request"] = handle_async_request
    return watched


def replayed(status: int, body: bytes, request: httpx.Request) -> httpx.Response:
    """Return an answer that did not come from the wire."""
    import httpx

    headers = {"Content-Type": "application/json"}
    return httpx.Response(status, headers=headers, content=body, request=request)
