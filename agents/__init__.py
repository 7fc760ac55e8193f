"""Who can speak: API models, simulated and scripted ones, by reference (`agents.model("http/llama@http://127.0.0.1:8000/v1")`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.references import agent, model

__all__ = ["agent", "model"]


def __getattr__(name: str) -> object:
    """Import `agent` and `model` when they are first asked for, so that importing the package costs nothing (PEP 562)."""
    if name in __all__:
        return getattr(import_module("agents.references"), name)
    raise AttributeError(f"module 'agents' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names that can be imported from here, for completion."""
    return __all__
