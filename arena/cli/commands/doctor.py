"""Say, in `arena doctor`, what is there and what is missing."""

from __future__ import annotations

from arena.cli.commands import Command


def add(command: Command) -> None:
    """Add the command to the parser."""
