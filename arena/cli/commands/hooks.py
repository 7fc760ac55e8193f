"""Options that say who is told what a run does: hooks (arena/events.py), and a log."""

from __future__ import annotations

import argparse
import importlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arena.cli.commands import Options, add_repeatable
from arena.errors import StudyError

if TYPE_CHECKING:
    from arena.events import Hook, HookFunction

LEVELS = ("debug", "info", "warning")
OURS = {
    "otel": "arena.exports.open_telemetry:open_telemetry",
    "mlflow": "arena.exports.mlflow_runs:mlflow_runs",
}


def add_hooks(group: Options) -> None:
    """Add the options to a group of a command."""
    what = (
        f"tell a hook what the run does: {', '.join(OURS)}, or a function as MODULE:FUNCTION;"
        " repeatable"
    )
    add_repeatable(group, "--hook", metavar="NAME", help=what)
    level = "print the run's log to standard error: debug has every call"
    group.add_argument("--log-level", choices=LEVELS, help=level)


def hooks_of(options: argparse.Namespace) -> list[Hook | HookFunction]:
    """Return the hooks of the options, and start the log if they ask for one.

    Raises StudyError for a hook that cannot be made.
    """
    if options.log_level is not None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("arena").setLevel(options.log_level.upper())
    return [make_hook(name) for name in options.hook]


def make_hook(name: str) -> Hook | HookFunction:
    """Return the hook of a name, ours or MODULE:FUNCTION."""
    module, colon, function = OURS.get(name, name).partition(":")
    if not colon:
        raise StudyError(
            f"there is no hook {name!r}; there are {', '.join(OURS)}, and MODULE:FUNCTION"
        )
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise StudyError(f"the hook {name!r} cannot be imported: {error}") from error
    hook: Hook | HookFunction = found() if name in OURS else found
    return hook
