"""Find out whether the names of our four import packages mean what they should.

`agents`, `analysis`, `arena` and `protocols` are common names: a file of the user's, or a package
of another distribution such as openai-agents, may be found in their place, or overwrite them.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("agents", "analysis", "arena", "protocols")
HOME = Path(__file__).resolve().parents[1]
# Words in the docstring of each package: two distributions may have installed the same file.
SIGNATURE = b"Peer Arena"


@functools.cache
def check_packages() -> None:
    """Raise ImportError where one of the four names means something else; say what, and a remedy.

    Done once in a process, when the first of our names is asked for.
    """
    for name in PACKAGES:
        if (why := foreign_package(name)) is not None:
            raise ImportError(why)


def foreign_package(name: str) -> str | None:
    """Return a sentence with the remedy if a name means a foreign package or file, None if ours."""
    ours = HOME / name / "__init__.py"
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:
        # A module that was made by hand, such as a stand-in of tests, has no spec.
        spec = None
    origin = spec.origin if spec is not None else None
    if origin is None:
        return (
            f"the package `{name}` of peer-arena is missing at {ours}: another distribution may"
            " have taken it along when it was removed; uninstall peer-arena and install it again"
        )
    if Path(origin).resolve() == ours:
        if SIGNATURE in ours.read_bytes()[:1000]:
            return None
        return (
            f"{ours} was overwritten by {another_distribution(name)}, which installs a package of"
            " that name too: use a new environment without it"
        )
    # To the nodes of a cluster each package travels by itself.
    if not ours.exists() and SIGNATURE in Path(origin).read_bytes()[:1000]:
        return None
    if {"site-packages", "dist-packages"} & set(Path(origin).parts):
        whose = f"belongs to {another_distribution(name)}: use a new environment without it"
    else:
        whose = "has the name of a package of peer-arena: rename it, or start elsewhere"
    return f"{origin} is found in place of peer-arena's package {ours.parent}, and {whose}"


def another_distribution(package: str) -> str:
    """Return the names of the other distributions that install a package of this name."""
    return ", ".join(other_distributions(package)) or "another distribution (openai-agents?)"


def other_distributions(package: str) -> list[str]:
    """Return the distributions beside ours that say that they install a package of this name."""
    return sorted(set(owners().get(package, ())) - {"peer-arena"})


@functools.cache
def owners() -> Mapping[str, list[str]]:
    """Return the distributions that say that they install a package, by its name.

    This reads the files of every distribution, half a second, and is asked only if it matters.
    """
    from importlib.metadata import packages_distributions

    return packages_distributions()


def neighbour_files(folder: Path) -> list[Path]:
    """Return the files and packages in a folder that have the name of one of our packages.

    Those of another copy of ours, such as a clone, are none.
    """
    places = (folder / form for name in PACKAGES for form in (f"{name}.py", f"{name}/__init__.py"))
    files = (place for place in places if place.is_file())
    return [place for place in files if SIGNATURE not in place.read_bytes()[:1000]]
