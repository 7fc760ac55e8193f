"""Find what other packages add: models, protocols and hooks, by entry point.

A package states in its pyproject.toml which functions it adds:

    [project.entry-points."arena.models"]
    mylab = "mylab_arena:mylab_model"           # the references mylab/<model>

    [project.entry-points."arena.protocols"]
    panel = "mylab_arena:panel"                 # protocols.named("panel")

    [project.entry-points."arena.hooks"]
    mylab = "mylab_arena:on_event"              # told of every run (arena/events.py)

Plugins are listed without being imported; one is imported when its name is asked for.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from typing import Any, cast

from arena.errors import ArenaError, StudyError

MODELS = "arena.models"
PROTOCOLS = "arena.protocols"
HOOKS = "arena.hooks"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A function that a package adds: its name, where it is ("module:function"), and the package.

    `package` has the version, such as "mylab-arena 1.0".
    """

    group: str
    name: str
    value: str
    package: str

    def load(self) -> Callable[..., Any]:
        """Import the function.  Raises StudyError, which names the package, if that fails."""
        with self.blame():
            function = EntryPoint(self.name, self.value, self.group).load()
        if not callable(function):
            raise self.error(TypeError(f"{function!r:.80} is no function"))
        return cast(Callable[..., Any], function)

    @contextmanager
    def blame(self) -> Iterator[None]:
        """Turn whatever the package's own code raises into a StudyError that names the package."""
        try:
            yield
        except ArenaError:
            raise
        except (Exception, SystemExit) as error:
            raise self.error(error) from error

    def error(self, error: BaseException) -> StudyError:
        """Return the error for a function that cannot be imported, or that failed."""
        return StudyError(
            f"{self.name} comes from the package {self.package}, whose {self.value} failed with"
            f" {type(error).__name__}: {error}; mend or uninstall the package"
        )


def plugins(group: str) -> tuple[Plugin, ...]:
    """Return what the installed packages add to a group, by name; nothing is imported."""
    # Reading the metadata of 150 packages takes 10 to 40 ms, too long for every agent of a study.
    # A package that is installed meanwhile, as in a notebook, changes its folder.
    return read_plugins(group, tuple((path, modified_ns(path)) for path in sys.path))


@functools.lru_cache(maxsize=8)
def read_plugins(group: str, folders: tuple[tuple[str, int], ...]) -> tuple[Plugin, ...]:
    """Read the entry points of a group; `folders` only tells when to read again."""
    found = []
    names = set()
    for distribution in distributions():
        # A package with damaged metadata adds nothing, and must not stand in the way of others.
        with suppress(ValueError, TypeError, KeyError, AttributeError, OSError):
            points = distribution.entry_points.select(group=group)
            # Its name is in a long file, which is read only for those that add something.
            name = re.sub(r"[-_.]+", "-", distribution.name).lower() if points else None
            # The same package may lie in two folders of the path; the first is the one imported.
            if name is not None and name not in names:
                package = f"{distribution.name} {distribution.version}"
                found += [Plugin(group, point.name, point.value, package) for point in points]
                names.add(name)
    return tuple(sorted(found, key=lambda plugin: (plugin.name, plugin.package)))


def modified_ns(path: str) -> int:
    """Return when a folder or file of the import path was changed; -1 if it does not exist."""
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return -1


def find_plugin(group: str, name: str, *, ours: bool) -> Plugin | None:
    """Return the one plugin of this name, None if there is none.

    `ours` says that Peer Arena has the name itself.  Raises StudyError, which names the packages,
    if the name is taken twice: neither is preferred in silence.
    """
    found = [plugin for plugin in plugins(group) if plugin.name == name]
    claims = [plugin.package for plugin in found] + (["Peer Arena itself"] if ours else [])
    if found and len(claims) > 1:
        raise StudyError(
            f"{name} is the name of several things in {group}: {' and '.join(claims)} have it;"
            " uninstall all packages but one, or ask their authors for another name"
        )
    return found[0] if found else None
