"""`arena view` and `arena publish`: the record as pages, served on this machine or written to files."""

from __future__ import annotations

import argparse
import secrets
import socket

from arena.commands import Command
from arena.errors import StudyError

FIRST_PORT = 8050
PORTS = 50


def add(command: Command) -> None:
    """The commands that show pages."""
    view = command("view", run_view, "look at studies, debates and calls in a browser, running ones included")
    view.add_argument("--port", type=int, metavar="N", help=f"of this machine alone (default: the first that is free from {FIRST_PORT})")
    view.add_argument("--open", action="store_true", help="open a browser")


def run_view(words: argparse.Namespace) -> int:
    """arena view"""
    from arena.store import version_of

    if not words.db.exists():
        raise StudyError(f"there is no store at {words.db}; run or import a study first, or name another file with --db")
    version_of(words.db)
    try:
        import uvicorn

        from arena.web.app import application
    except ModuleNotFoundError as error:
        raise StudyError(f"the viewer needs {error.name}: pip install '.[view]'") from error
    token = secrets.token_urlsafe(24)
    with listening(words.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={token}"
        print(f"{words.db} is shown at\n  {address}\nto this machine alone; Ctrl-C ends it", flush=True)
        if words.open:
            import webbrowser

            webbrowser.open(address)
        config = uvicorn.Config(application(words.db, token), log_level="warning", lifespan="off", ws="none", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def listening(port: int | None) -> socket.socket:
    """A socket on loopback: the port that was asked for, or the first that is free.  Raises StudyError where there is none."""
    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
            listener.listen()
        except (OSError, OverflowError) as error:
            listener.close()
            if port is not None:
                raise StudyError(f"port {port} cannot be used: {error}; leave --port out to take a free one") from error
            continue
        return listener
    raise StudyError(f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free; name another with --port")
