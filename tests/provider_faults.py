"""Shared by the tests of all API models: a planted key, a request, the error of each fault."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator

from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)
from arena.types import Message, Place, Request, Sampling
from tests.fake_server import ChatServer, Fault

KEY = "sk-planted-0123456789abcdef"
FAULTS: list[tuple[Fault, type[ModelError], int | None]] = [
    (Fault("429"), RateLimitedError, 429),
    (Fault("429-after"), RateLimitedError, 429),
    (Fault("429", "insufficient_quota: you have no money left"), RefusedError, 429),
    (Fault("500"), UnreachableError, 500),
    (Fault("503"), UnreachableError, 503),
    (Fault("408"), UnreachableError, 408),
    (Fault("307", "/v1/elsewhere"), BadReplyError, 307),
    (Fault("400"), RefusedError, 400),
    (Fault("401"), RefusedError, 401),
    (Fault("404"), RefusedError, 404),
    (Fault("400", "This model's maximum context length is 4096 tokens"), ContextOverflowError, 400),
    (Fault("reset"), UnreachableError, None),
    (Fault("truncated"), UnreachableError, 200),
    (Fault("hang"), UnreachableError, None),
    (Fault("slow body"), UnreachableError, 200),
    (Fault("bad json"), BadReplyError, 200),
    (Fault("wrong schema"), BadReplyError, 200),
    (Fault("invalid utf-8"), BadReplyError, 200),
    (Fault("huge"), BadReplyError, 200),
    (Fault("empty text"), EmptyReplyError, 200),
    (Fault("length"), EmptyReplyError, 200),
]
FAULT_NAMES = [f"{fault.kind} {kind.__name__}" for fault, kind, _ in FAULTS]


def ask(
    text: str = "motion", sampling: Sampling | None = None, *, prefill_text: str | None = None
) -> Request:
    """A request with a system message and, where `begun` is given, a prefill."""
    prefill = () if prefill_text is None else (Message("assistant", prefill_text),)
    messages = (Message("system", "be brief"), Message("user", text), *prefill)
    return Request(
        messages, sampling or Sampling(), 7, Place("episode", "proposition", 0, 0, "opening", 0)
    )


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
        yield from (
            str(error),
            repr(error),
            repr(error.args),
            "".join(traceback.format_exception(error)),
        )
        error = error.__cause__ or error.__context__
