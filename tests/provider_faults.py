"""What the tests of all lanes to API models share: a planted key, a request, and what each fault of a server must become."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator

from arena.errors import BadReply, ContextOverflow, EmptyReply, ModelError, RateLimited, Refused, Unreachable
from arena.types import Message, Place, Request, Sampling
from tests.fake_server import ChatServer, Fault

KEY = "sk-planted-0123456789abcdef"
FAULTS: list[tuple[Fault, type[ModelError], int | None]] = [
    (Fault("429"), RateLimited, 429),
    (Fault("429-after"), RateLimited, 429),
    (Fault("429", "insufficient_quota: you have no money left"), Refused, 429),
    (Fault("500"), Unreachable, 500),
    (Fault("503"), Unreachable, 503),
    (Fault("408"), Unreachable, 408),
    (Fault("307", "/v1/elsewhere"), BadReply, 307),
    (Fault("400"), Refused, 400),
    (Fault("401"), Refused, 401),
    (Fault("404"), Refused, 404),
    (Fault("400", "This model's maximum context length is 4096 tokens"), ContextOverflow, 400),
    (Fault("reset"), Unreachable, None),
    (Fault("truncated"), Unreachable, 200),
    (Fault("hang"), Unreachable, None),
    (Fault("slow body"), Unreachable, 200),
    (Fault("bad json"), BadReply, 200),
    (Fault("wrong schema"), BadReply, 200),
    (Fault("invalid utf-8"), BadReply, 200),
    (Fault("huge"), BadReply, 200),
    (Fault("empty text"), EmptyReply, 200),
    (Fault("length"), EmptyReply, 200),
]
FAULT_NAMES = [f"{fault.kind} {kind.__name__}" for fault, kind, _ in FAULTS]


def ask(text: str = "motion", sampling: Sampling | None = None, *, begun: str | None = None) -> Request:
    """A request with a system message and, where `begun` is given, a prefill."""
    prefill = () if begun is None else (Message("assistant", begun),)
    messages = (Message("system", "be brief"), Message("user", text), *prefill)
    return Request(messages, sampling or Sampling(), 7, Place("episode", "proposition", 0, 0, "opening", 0))


async def no_connection_left(server: ChatServer) -> bool:
    """Whether all connections are closed within a second."""
    for _ in range(200):
        if not server.open:
            return True
        await asyncio.sleep(0.005)
    return False


def everything_said(error: BaseException | None) -> Iterator[str]:
    """All that anybody could print of an error and of those it came from."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error)))
        error = error.__cause__ or error.__context__
