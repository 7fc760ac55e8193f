"""Protocols: one file a paper, each one async function that reads like the paper's pseudocode.  Loaded when first used."""

from __future__ import annotations

import importlib

_HOME = {"debate": "protocols.debate", "PRESETS": "protocols.debate"}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'protocols' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
