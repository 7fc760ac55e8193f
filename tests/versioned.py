"""A package of somebody else whose protocol is at version 4, and keeps version 3."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

POLL = '''VERSION = "{0}"


async def poll(episode, motion, speaker):
    """Ask one seat for its vote."""
    await episode.ask(speaker, ["Version {0}: ", motion.text], phase="vote")
'''


@contextlib.contextmanager
def polls(folder: Path) -> Iterator[ModuleType]:
    """Write the package into a folder, and import its module `poll` while this lasts."""
    package = folder / "acme_polls"
    for file, version in (("poll.py", 4), ("version_3/poll.py", 3), ("version_2/other.py", 2)):
        path = package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(POLL.format(version))
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("acme_polls.poll")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("acme_polls")]:
            del sys.modules[name]
