"""Who can speak in Peer Arena: models behind APIs, local, simulated or scripted, by reference.

    from agents import agent, model

    model("http/llama@http://127.0.0.1:8000/v1")

Everything is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Lets studies that were written for version 0.1.0 import modules that have moved.
import arena.former_names  # noqa: F401

if TYPE_CHECKING:
    from agents.adapter import adapt
    from agents.references import agent, model

_HOME = {
    "adapt": "agents.adapter",
    "agent": "agents.references",
    "model": "agents.references",
}
__all__ = ["adapt", "agent", "model"]


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take every misspelt name for a name of this package.
    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for (PEP 562)."""
        if name not in _HOME:
            raise AttributeError(f"module 'agents' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
