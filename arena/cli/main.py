"""Parse the command line and run a command.

The commands are in `arena/cli/commands/`; each imports heavy packages only when it runs, so that
`arena --help` is fast.  Exit status: 0 done; 1 an episode failed, or a file was refused; 2 bad
input, or a store that cannot be used; 3 the budget is spent; 130 interrupted by the user.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

from arena.cli.commands import (
    batches,
    compare,
    completion,
    doctor,
    exchange,
    forget,
    new,
    play,
    power,
    recheck,
    register,
    report,
    reread,
    sql,
    status,
    tidy,
    view,
)
from arena.errors import ArenaError, QuestionsWarning, StoreWarning
from arena.packages import check_packages
from arena.store.paths import store_path
from arena.text import printable, shorten_words

# Warnings that are sentences for users, printed without a place in the source.
PLAIN_WARNINGS = (StoreWarning, QuestionsWarning)


class Parser(argparse.ArgumentParser):
    """A parser that refuses an argument in one sentence, without the lines of its usage."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with status 2."""
        words = printable(shorten_words(message))
        self.exit(2, f"{self.prog}: {words}; see {self.prog} --help\n")


class AppendStore(argparse.Action):
    """Collect the stores of a command that takes several, in `stores`; `db` is the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add one store."""
        namespace.stores = [*getattr(namespace, "stores", []), values]
        namespace.db = namespace.stores[0]


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their options."""
    top = Parser(
        prog="arena",
        description="Run debates and peer reasoning between language models, and keep every word in"
        " DuckDB.",
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        help: str,
        *,
        add_help: bool = True,
        several: bool = False,
    ) -> argparse.ArgumentParser:
        """Add a command with the options that all commands have."""
        sentence = f"{help[0].upper()}{help[1:]}."
        added = commands.add_parser(name, help=help, description=sentence, add_help=add_help)
        added.set_defaults(run=run)
        more = "; repeatable, also with folders of exported tables" if several else ""
        added.add_argument(
            "--db",
            type=Path,
            action=AppendStore if several else "store",
            default=Path("arena.duckdb"),
            metavar="FILE",
            help=f"the store, a DuckDB file (default: arena.duckdb){more}",
        )
        return added

    modules = (
        play,
        new,
        status,
        sql,
        report,
        compare,
        power,
        register,
        exchange,
        reread,
        recheck,
        batches,
        forget,
        tidy,
        view,
        doctor,
        completion,
    )
    for module in modules:
        module.add(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status; a known error becomes one sentence and 2."""
    top = parser()
    # Set by a shell that asks for completions; this call answers it, and does not return.
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(top)
    options = top.parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        print(version("peer-arena"))
        return 0
    if options.command is None:
        top.error("a command is needed")
    try:
        # The doctor says the same of every name, beside everything else.
        if options.command != "doctor":
            check_packages()
    except ImportError as error:
        print(f"arena {options.command}: {error}", file=sys.stderr)
        return 2
    # Job schedulers end a job with SIGTERM.
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with plain_warnings(options.command):
            store_path(options.db)
            return int(options.run(options))
    except BrokenPipeError:
        # The reader of our output is gone (`| head`).  With standard output closed, Python would
        # complain once more at exit, so it goes to the null device.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ArenaError, OSError, UnicodeError) as error:
        sentence = printable(shorten_words(str(error)))
        print(f"arena {options.command}: {sentence}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        words = list(sys.argv[1:] if arguments is None else arguments)
        again = (
            f"; finished turns are kept. Continue with\n  {shlex.join(['arena', *words])}"
            if options.command in ("run", "demo")
            else ""
        )
        print(f"\nstopped{again}", file=sys.stderr)
        if options.command == "run":
            print_unread_batches(options.db)
        return 130


def print_unread_batches(path: Path) -> None:
    """Say which batches go on at their providers after a run was stopped."""
    from arena.calls.batch_orders import describe_unread

    # A second Ctrl-C, or a store that cannot be read, leaves the first sentence.
    with suppress(ArenaError, KeyboardInterrupt):
        if path.exists() and (left := describe_unread(path)):
            print(left, file=sys.stderr)


@contextmanager
def plain_warnings(command: str) -> Iterator[None]:
    """Print what is left out of a store or of questions as a sentence, with no place in source."""
    with warnings.catch_warnings():
        for plain in PLAIN_WARNINGS:
            warnings.filterwarnings("default", category=plain)
        show_other = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, PLAIN_WARNINGS):
                print(f"arena {command}: {printable(str(message))}", file=sys.stderr)
            else:
                show_other(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def interrupt(signal_number: int, frame: object) -> NoReturn:
    """Treat SIGTERM as Ctrl-C, so that a run ends with its journal closed."""
    raise KeyboardInterrupt
