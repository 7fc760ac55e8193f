"""Keep former names of parameters and fields for one release, with a DeprecationWarning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Class = TypeVar("Class", bound=type)


def warn_of_former_name(former: str, name: str) -> None:
    """Warn that something has another name now, at the line that uses the former one."""
    words = f"{former} is called {name} now; the old name goes with the next release"
    warnings.warn(words, DeprecationWarning, stacklevel=3)


def former_parameters(names: Mapping[str, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments by former names too; `names` maps these to new ones."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for former in names.keys() & kwargs.keys():
                warn_of_former_name(f"the parameter {former}", names[former])
                # The former name wins: dataclasses.replace() gives the new one as well.
                kwargs[names[former]] = kwargs.pop(former)
            return function(*args, **kwargs)

        return call

    return decorate


def former_fields(names: Mapping[str, str]) -> Callable[[Class], Class]:
    """Let a dataclass be made with former names of its fields, and these be read from it."""

    def decorate(kind: Class) -> Class:
        members: dict[str, object]
        members = {former: former_property(former, name) for former, name in names.items()}
        members["__init__"] = former_parameters(names)(vars(kind)["__init__"])
        for member, value in members.items():
            setattr(kind, member, value)
        return kind

    return decorate


def former_property(former: str, name: str) -> property:
    """Make a property that reads a field by its former name."""

    def read(instance: object) -> object:
        warn_of_former_name(f"{type(instance).__name__}.{former}", name)
        return getattr(instance, name)

    return property(read)
