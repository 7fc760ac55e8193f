"""Carry messages between a record and the parts that play: each a dictionary and bytes.

A message is the lengths of both (four bytes each, big-endian), the dictionary as JSON, and the
bytes.  What is to be said within one turn of the event loop goes as one message, so that a busy
process says more with each of them, and an idle one waits for nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import struct
from collections.abc import Callable
from typing import Any

import orjson

from arena.errors import StoreError

LENGTHS = struct.Struct(">II")
# More is no message of ours, whoever sent it; before it is known who speaks, little is read.
MOST_BYTES = 2**31
MOST_BYTES_OF_STRANGERS = 4096
Words = dict[str, Any]


class Wire(asyncio.Protocol):
    """One end of a connection.

    `on_message` gets each message in order, `on_lost` is called once when the connection is gone.
    With a `secret`, nothing is heard before the other end has said it.
    """

    def __init__(
        self,
        on_message: Callable[[Words, bytes], None],
        on_lost: Callable[[], None],
        secret: str = "",
    ) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._secret = secret
        self._read = bytearray()
        self._words: Words = {}
        self._lines: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._is_due = False
        # Asked for what else is to be said, just before a message goes.
        self.on_flush: Callable[[Words], None] | None = None
        self.is_lost = False
        # How many messages with bytes have gone, and how many have come.
        self.sent = 0
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._words or self._lines:
            self._schedule()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the other end is gone."""
        self.is_lost = True
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are whole."""
        self._read += data
        start = 0
        while len(self._read) - start >= LENGTHS.size and not self.is_lost:
            words, rest = LENGTHS.unpack_from(self._read, start)
            if words + rest > (MOST_BYTES_OF_STRANGERS if self._secret else MOST_BYTES):
                self.close()
                return
            middle = start + LENGTHS.size + words
            if len(self._read) < middle + rest:
                break
            message = orjson.loads(self._read[start + LENGTHS.size : middle])
            body = bytes(self._read[middle : middle + rest])
            start = middle + rest
            self._hear(message, body)
        del self._read[:start]

    def _hear(self, message: Words, body: bytes) -> None:
        if self._secret:
            said = message.pop("secret", "")
            if not (isinstance(said, str) and hmac.compare_digest(said, self._secret)):
                self.close()
                return
            self._secret = ""
        self.received += bool(body)
        self._on_message(message, body)

    @property
    def has_lines(self) -> bool:
        """Return whether bytes wait to be sent."""
        return bool(self._lines)

    def say(self, name: str, value: object) -> None:
        """Say something once in the next message; the latest value of a name counts."""
        self._words[name] = value
        self._schedule()

    def add(self, name: str, item: object) -> None:
        """Add an item to a list of the next message."""
        self._words.setdefault(name, []).append(item)
        self._schedule()

    def carry(self, *pieces: bytes, now: bool = True) -> None:
        """Send bytes with the next message; unless `now`, whenever that goes."""
        self._lines += pieces
        if now:
            self._schedule()

    def _schedule(self) -> None:
        if not self._is_due and self._transport is not None:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Send at once what waits."""
        self._is_due = False
        if self.is_lost or self._transport is None:
            return
        if self.on_flush is not None:
            self.on_flush(self._words)
        if not self._words and not self._lines:
            return
        words, body = orjson.dumps(self._words), b"".join(self._lines)
        self._words, self._lines = {}, []
        self.sent += bool(body)
        self._transport.write(b"".join((LENGTHS.pack(len(words), len(body)), words, body)))

    def close(self) -> None:
        """Send what waits, and end the connection."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once, as if the other end were gone, which may hear nothing."""
        if self._transport is not None:
            self._transport.abort()

    def check(self) -> None:
        """Raise StoreError if the other end is gone."""
        if self.is_lost:
            raise record_is_gone()


def record_is_gone() -> StoreError:
    """Return the error for a part whose record has ended."""
    return StoreError(
        "the process that keeps the record is gone: run the same command again, what was said so"
        " far is kept"
    )
