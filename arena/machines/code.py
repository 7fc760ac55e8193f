"""Tell by a hash whether two processes run the same code of ours."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import agents
from arena import machines

# Whatever a reply may depend on: models, and how they are held.  On a node, each of our packages
# may lie in another place.
HASHED = (Path(agents.__path__[0]), Path(machines.__path__[0]))


@cache
def code_hash() -> str:
    """Return a sha256 over all source by which models are called, as it lies on this disk."""
    whole = hashlib.sha256()
    for folder in HASHED:
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder.parent).as_posix().encode()
            whole.update(name + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()
