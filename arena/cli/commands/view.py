"""Add `arena view` and `arena publish`, which show the record as pages."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag, add_repeatable
from arena.cli.terminal import progress_printer
from arena.errors import StudyError

if TYPE_CHECKING:
    import socket

FIRST_PORT = 8050
PORTS = 50


def add(command: Command) -> None:
    """Add the commands to the parser."""
    view = command(
        "view", run_view, "show studies, debates and calls in a browser, also during a run"
    )
    view.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="port on this machine; other machines cannot connect"
        f" (default: the first free one from {FIRST_PORT})",
    )
    add_flag(view, "--open", "open a browser")

    publish = command(
        "publish",
        run_publish,
        "write the viewer's pages to a folder for any web host, without private words",
    )
    publish.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="a new folder, or one of an earlier publication, whose pages are replaced",
    )
    only = "publish only this study; repeatable"
    add_repeatable(publish, "--study", metavar="STUDY", help=only)
    add_flag(publish, "--private", "include private thoughts, ratings, raw replies and reasoning")
    calls = publish.add_mutually_exclusive_group()
    pages = "write a page for each turn (default: if there are at most 5,000 turns)"
    no_pages = "write no pages for turns"
    calls.add_argument("--calls", dest="calls", action="store_true", default=None, help=pages)
    calls.add_argument("--no-calls", dest="calls", action="store_false", help=no_pages)


def run_view(options: argparse.Namespace) -> int:
    """Run `arena view`: serve the pages to this machine until Ctrl-C."""
    import secrets

    from arena.store.connection import attach_store

    # A store that is missing or cannot be read is refused before the server starts.
    with attach_store(options.db):
        pass
    try:
        from arena.store.query_worker import missing_limits
        from arena.web.app import application
        from arena.web.server import serve
    except ModuleNotFoundError as error:
        raise missing_package("the viewer needs", error) from error
    token = secrets.token_urlsafe(24)
    with open_listener(options.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={token}"
        print(
            f"{options.db} is shown at\n  {address}\nto this machine alone; Ctrl-C ends it",
            flush=True,
        )
        if (limits := missing_limits()) is not None:
            print(limits, file=sys.stderr)
        if options.open:
            import webbrowser

            webbrowser.open(address)
        serve(application(options.db, token), listener)
    return 0


def run_publish(options: argparse.Namespace) -> int:
    """Run `arena publish`: write the pages, and print all that was left out."""
    try:
        from arena.web.publish import publish
    except ModuleNotFoundError as error:
        raise missing_package("pages need", error) from error
    result = publish(
        options.db,
        options.folder,
        studies=options.study,
        private=options.private,
        calls=options.calls,
        watch=progress_printer("pages"),
    )
    private = "with" if options.private else "without"
    print(f"{result.pages:,} pages {private} private words are in {options.folder}")
    if result.calls_left_out:
        print(
            f"the pages of {result.calls_left_out:,} turns were left out; --calls writes them too"
        )
    if result.studies_with_omissions:
        print(
            "numbers made of private ratings of too few debates or questions were left out, as the"
            f" pages say: {', '.join(result.studies_with_omissions)}"
        )
    tagged = result.speeches_with_private_tag
    if tagged and not options.private:
        speeches = "1 speech holds" if tagged == 1 else f"{tagged:,} speeches hold"
        print(
            f"{speeches} a private tag: these words were said in public, and are published as they"
            " were said"
        )
    folder = shlex.quote(str(options.folder))
    print(f"look at them with: python -m http.server --bind 127.0.0.1 --directory {folder}")
    return 0


def missing_package(what_needs: str, error: ModuleNotFoundError) -> StudyError:
    """Return the error for a package that is not installed, with the command that installs it."""
    return StudyError(f"{what_needs} {error.name}: pip install 'peer-arena[view]'")


def open_listener(port: int | None) -> socket.socket:
    """Return a socket that listens on loopback: at a port, or at the first free one.

    Raises StudyError if the port, or every port of the range, is in use.
    """
    import socket

    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Without it, the port of a viewer that has just ended stays in use for a minute; on Windows
        # it would let two viewers have one port.
        if os.name != "nt":
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
