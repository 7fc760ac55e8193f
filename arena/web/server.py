"""Serve the viewer over HTTP, to a bounded number of connections that have to say what they want.

A connection has HEAD_S seconds to send the head of a request, however slowly it sends.  When there
are as many connections as may be open, a new one takes the place of the one that has waited longest
without a whole head; if all of them are being answered it is closed.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from arena.web.guard import Guard

try:
    import resource
except ImportError:  # Windows, where a process may open more than this anyway
    OPEN_FILES = 1024
else:
    OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

HEAD_S = 10.0
# Half of the files that this process may open: the store, queries and new connections need some.
MOST_CONNECTIONS = max(8, min(512, OPEN_FILES // 2))
# The event loop accepts as many connections in a row before it counts them; the system keeps more.
AT_ONCE = max(4, MOST_CONNECTIONS // 4)
BACKLOG = 2048


class BoundedProtocol(H11Protocol):
    """One HTTP connection, which is closed if no whole head of a request comes in time."""

    # Runs while a head is awaited.
    head_timer: asyncio.TimerHandle | None = None

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn's own
    ) -> None:
        """Count the connection; close the one that has waited longest if there are too many."""
        super().connection_made(transport)
        self.time_head()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [
                (other.head_timer.when(), id(other), other)
                for other in self.connections
                if isinstance(other, BoundedProtocol) and other.head_timer is not None
            ]
            # This one waits too, and is the only one where all others are being answered.
            oldest = min(waiting)[2]
            oldest.stop_timer()  # it is gone in a moment, and not to be chosen again
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read what has come; a head that has begun has to end in time."""
        super().data_received(data)
        self.time_head()

    def on_response_complete(self) -> None:
        """End an answer; the next head has its own time."""
        super().on_response_complete()
        self.time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the connection go."""
        self.stop_timer()
        super().connection_lost(exc)

    def time_head(self) -> None:
        """Start the time of a head if one is awaited, and stop it if a request is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.stop_timer()
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def stop_timer(self) -> None:
        """Stop the time of the head."""
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


class PatientServer(uvicorn.Server):
    """A server to which more connections may wait than it accepts at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)


def make_server(app: Guard) -> uvicorn.Server:
    """Return the server of a viewer."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        backlog=AT_ONCE,
    )
    return PatientServer(config)


def serve(app: Guard, listener: socket.socket) -> None:
    """Answer at this socket until Ctrl-C."""
    # Ctrl-C is the way to end the viewer: nothing was interrupted that could be continued.
    with suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[listener])
