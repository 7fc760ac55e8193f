"""The commands: each module adds its own to the parser, and imports heavy packages when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol

from arena.errors import StudyError


class Command(Protocol):
    """A function that adds a command with the common options, and returns its parser."""

    def __call__(
        self,
        name: str,
        run: Callable[[argparse.Namespace], int],
        help: str,
        *,
        add_help: bool = True,
        several: bool = False,
    ) -> argparse.ArgumentParser:
        """Add a command; `run` is given the parsed options and returns the exit status.

        Without `add_help`, the command adds an option `--help` of its own.  With `several`, --db
        may be given several times: `options.stores` has them all, `options.db` the first.
        """
        ...


RULES = "say at the end by which rule each number is made"
SPREADSHEET = (
    "with csv: put ' before texts that a spreadsheet would run as formulas (=, +, -, @); without it"
    " they are written as they are"
)
# A parser, or one of its groups of options.
Options = argparse._ActionsContainer


def margin_share(points: float) -> float:
    """Return the value of an option --margin, in points of percent, as a share: 0.05 for 5.

    Raises StudyError for one that is out of range, such as a share.
    """
    if not 1 <= points < 50:
        raise StudyError(
            "--margin is in points of percent, from 1 to below 50 (5 for 5 points), found"
            f" {points:g}"
        )
    return points / 100


def add_flag(options: Options, name: str, help: str) -> None:
    """Add an option without a value, which is false unless it is given."""
    options.add_argument(name, action="store_true", help=help)


def add_repeatable(options: Options, *names: str, metavar: str, help: str) -> None:
    """Add an option that may be given several times, and collects its values in a list."""
    options.add_argument(*names, action="append", default=[], metavar=metavar, help=help)
