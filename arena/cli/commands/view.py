"""`arena view` and `arena publish`: the record as pages, served on this machine or written to files."""

from __future__ import annotations

import argparse
import secrets
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from arena.cli.commands import Command
from arena.errors import StudyError

FIRST_PORT = 8050
PORTS = 50
QUIET_S = 2.0


def add(command: Command) -> None:
    """The commands that show pages."""
    view = command(
        "view", run_view, "look at studies, debates and calls in a browser, running ones included"
    )
    view.add_argument(
        "--port",
        type=int,
        metavar="N",
        help=f"of this machine alone (default: the first that is free from {FIRST_PORT})",
    )
    view.add_argument("--open", action="store_true", help="open a browser")

    publish = command(
        "publish",
        run_publish,
        "write the pages to a folder, for any web host; without what was private",
    )
    publish.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="a new folder, or one that was published before, whose pages are replaced",
    )
    publish.add_argument(
        "--study",
        action="append",
        default=[],
        metavar="STUDY",
        help="only this one; may be given several times",
    )
    publish.add_argument(
        "--private",
        action="store_true",
        help="with private thoughts, ratings, raw replies and reasoning",
    )
    calls = publish.add_mutually_exclusive_group()
    calls.add_argument(
        "--calls",
        dest="calls",
        action="store_true",
        default=None,
        help="a page for each turn (default: up to 5,000 turns)",
    )
    calls.add_argument("--no-calls", dest="calls", action="store_false", help="no such pages")


def run_view(words: argparse.Namespace) -> int:
    """arena view"""
    from arena.store.database import version_of

    if not words.db.exists():
        raise StudyError(
            f"there is no store at {words.db}; run or import a study first, or name another file with --db"
        )
    version_of(words.db)
    try:
        import uvicorn

        from arena.web.app import application
    except ModuleNotFoundError as error:
        raise StudyError(f"the viewer needs {error.name}: pip install '.[view]'") from error
    token = secrets.token_urlsafe(24)
    with open_listener(words.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={token}"
        print(
            f"{words.db} is shown at\n  {address}\nto this machine alone; Ctrl-C ends it",
            flush=True,
        )
        if words.open:
            import webbrowser

            webbrowser.open(address)
        config = uvicorn.Config(
            application(words.db, token),
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
        )
        # Ctrl-C is how it is meant to end: nothing was stopped that could be continued.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def run_publish(words: argparse.Namespace) -> int:
    """arena publish"""
    import shlex

    try:
        from arena.web.publish import publish
    except ModuleNotFoundError as error:
        raise StudyError(f"pages need {error.name}: pip install '.[view]'") from error
    if not words.db.exists():
        raise StudyError(
            f"there is no store at {words.db}; run or import a study first, or name another file with --db"
        )
    found = publish(
        words.db,
        words.folder,
        studies=words.study,
        private=words.private,
        calls=words.calls,
        watch=progress_printer(),
    )
    print(
        f"{found.pages:,} pages {'with' if words.private else 'without'} what was private are in {words.folder}"
    )
    if found.calls_left_out:
        print(f"the pages of {found.calls_left_out:,} turns were left out; --calls writes them too")
    if found.studies_with_omissions:
        print(
            f"numbers made of private ratings of too few debates or questions were left out, as the pages say: {', '.join(found.studies_with_omissions)}"
        )
    if found.speeches_with_private_tag and not words.private:
        speeches = (
            "1 speech holds"
            if found.speeches_with_private_tag == 1
            else f"{found.speeches_with_private_tag:,} speeches hold"
        )
        print(
            f"{speeches} a private tag: these are words that were said in public, and are published as they were said"
        )
    print(
        f"look at them with: python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(words.folder))}"
    )
    return 0


def progress_printer() -> Callable[[int, int], None]:
    """A watch that says how far it is, every two seconds."""
    told = time.monotonic()

    def watch(written: int, known: int) -> None:
        """Say it where two seconds have gone by."""
        nonlocal told
        if time.monotonic() - told >= QUIET_S:
            told = time.monotonic()
            print(
                f"{written:,} of {known:,} pages that are known so far", file=sys.stderr, flush=True
            )

    return watch


def open_listener(port: int | None) -> socket.socket:
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
                raise StudyError(
                    f"port {port} cannot be used: {error}; leave --port out to take a free one"
                ) from error
            continue
        return listener
    raise StudyError(
        f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free; name another with --port"
    )
