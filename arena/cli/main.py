"""The command line: the door of the house.  It may import everything and is imported by nothing; heavy parts are loaded when needed.

The commands stand in `arena/commands/`.  Exit status: 0 done; 1 an episode failed, or a file was refused; 2 bad input or a store that
cannot be used; 130 stopped by hand.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from arena.cli.commands import compare, exchange, play, power, report, sql, status, view
from arena.errors import ArenaError
from arena.text import printable


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="arena",
        description="Play debates and peer reasoning between models; every word goes to DuckDB.",
    )
    top.add_argument("--version", action="store_true", help="print the version")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str
    ) -> argparse.ArgumentParser:
        """A command with the options that all have."""
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        added.add_argument(
            "--db",
            type=Path,
            default=Path("arena.duckdb"),
            metavar="FILE",
            help="the store (default: arena.duckdb)",
        )
        return added

    for module in (play, status, sql, report, compare, power, exchange, view):
        module.add(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; errors that have a known cause become one sentence and exit status 2."""
    words = parser().parse_args(arguments)
    if words.version:
        from importlib.metadata import version

        print(version("peer-arena"))
        return 0
    if words.command is None:
        parser().error("a command is needed; `arena --help` lists them")
    signal.signal(signal.SIGTERM, stop)
    try:
        return int(words.run(words))
    except ArenaError as error:
        print(f"arena {words.command}: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        given = list(sys.argv[1:] if arguments is None else arguments)
        kept = (
            f"; what was said is kept. Continue with\n  {shlex.join(['arena', *given])}"
            if words.command in ("run", "demo")
            else ""
        )
        print(f"\nstopped{kept}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say, and nothing may be said at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, UnicodeError) as error:
        print(f"arena {words.command}: {printable(str(error))}", file=sys.stderr)
        return 2


def stop(signal_number: int, frame: object) -> NoReturn:
    """End as with Ctrl-C when the system asks us to go."""
    raise KeyboardInterrupt
