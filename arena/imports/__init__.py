"""Import records that others have published: one module for each publication, one for its files.

Everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arena.imports.llms_overconfidence import import_llms_overconfidence, summary_lines

__all__ = ["import_llms_overconfidence", "summary_lines"]


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take every misspelt name for a name of this package.
    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module 'arena.imports' has no attribute {name!r}")
        return getattr(importlib.import_module("arena.imports.llms_overconfidence"), name)
