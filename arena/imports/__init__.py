"""Records that others published, taken into our tables: one module each, and one for the files that it reads.

Everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib

_HOME = {
    "Imported": "arena.imports.llms_overconfidence",
    "import_llms_overconfidence": "arena.imports.llms_overconfidence",
    "summary_lines": "arena.imports.llms_overconfidence",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'arena.imports' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
