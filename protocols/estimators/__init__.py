"""The estimators: ways to find out how sure a model was of a stored reply, one file a family.

An estimator is a protocol whose subject is `StoredSamples`, all stored replies of an agent to one
question, and whose seats say what it needs: none (stored numbers alone, no call), `scorer` (a
model, by default the one that answered), `entailment` or `similarity` (a model of pairs of texts).
It returns a `Score` for every reply, also where its number is missing.  A new estimator takes a
file and its rows here.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from arena.errors import StudyError

if TYPE_CHECKING:
    from arena.studies.study import Protocol

STORED = "protocols.estimators.stored_numbers"
# Where each estimator is: its module and function.  A function may give several, in one pass.
HOME: dict[str, tuple[str, str]] = {
    "length": (STORED, "length"),
    "stated_confidence": (STORED, "stated_confidence"),
}
# As protocols they have the names of their functions, which stand in ids.
FUNCTIONS = {function: module for module, function in HOME.values()}


def estimator(name: str) -> Protocol:
    """Return the function that gives an estimator.  Raises StudyError if there is no such name."""
    if name not in HOME:
        near = difflib.get_close_matches(name, HOME, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise StudyError(
            f"there is no estimator {name!r}; {hint}there are {', '.join(sorted(HOME))}"
        )
    module, function = HOME[name]
    found: Protocol = getattr(import_module(module), function)
    return found
