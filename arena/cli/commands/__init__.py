"""The commands: each module adds its own to the parser, and imports heavy packages when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol


class Command(Protocol):
    """A function that adds a command with the common options, and returns its parser."""

    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], int], help: str
    ) -> argparse.ArgumentParser:
        """Add a command; `run` is given the parsed options and returns the exit status."""
        ...
