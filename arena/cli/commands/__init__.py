"""The commands behind the door: each module adds its own to the parser, and loads heavy parts when one of them runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol


class Command(Protocol):
    """Adds a command that all options of the door apply to, and returns its parser for options of its own."""

    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], int], help: str
    ) -> argparse.ArgumentParser:
        """`run` takes the parsed words and returns the exit status."""
        ...
