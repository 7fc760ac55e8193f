"""Keep names of version 0.1.0 working for one release, so that published studies keep running.

Modules that moved (`from agents.elicit import speech_and_confidence`), names that changed inside a
module (`agents.scripted.scripted`), parameters and fields (`Sampling(options=...)`).  Each use
warns with a DeprecationWarning that says the new name.  Covered is the code that users of 0.1.0
wrote after its README and its studies; the changelog lists every other move.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    # importlib.abc takes 10 ms to import, and the import system asks for methods, not for a class.
    Loader = object

# Former module -> name -> where it is now.  The new places are data and not imports: some lie in a
# higher layer than the former package (protocols above agents), and the layers forbid an import
# there.  They are loaded only when a study asks for a name.
FORMER_MODULES = {
    "agents.elicit": {"speech_and_confidence": "protocols.parsing.tags.speech_and_confidence"},
    "agents.simulated_questions": {
        "simulated_questions": "agents.simulated.questions.simulated_questions"
    },
    "agents.simulated_truth": {
        "expected_accuracy": "agents.simulated.truth.expected_accuracy",
        "expected_stated": "agents.simulated.truth.expected_stated",
    },
    "analysis.calibration": {
        "auroc": "analysis.statistics.calibration.auroc",
        "ece": "analysis.statistics.calibration.ece",
    },
    "analysis.report": {
        "print_report": "analysis.reports.tables.debates.print_report",
        "report": "analysis.reports.debates.report",
    },
    "analysis.tables": {"print_report": "analysis.reports.tables.debates.print_report"},
    "arena.questions": {"questions": "arena.studies.questions.questions"},
    "arena.study": {"plays": "arena.studies.study.plays"},
    "arena.studyfile": {"load_study": "arena.tournaments.study_file.load_study"},
}

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


def former_names(module: str, new_names: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562) that resolves its former names.

    A new name is one of the same module, or a dotted path to another.
    """

    def resolve(name: str) -> object:
        if name not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = new_names[name].rpartition(".")
        home = home or module
        warn_of_former_name(f"{module}.{name}", f"{home}.{new}")
        return getattr(import_module(home), new)

    return resolve


class FormerModuleFinder(Loader):
    """Find the modules of FORMER_MODULES; a finder and a loader of the import system (PEP 451)."""

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a former module, None for every other name."""
        return ModuleSpec(fullname, self) if fullname in FORMER_MODULES else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to create the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with nothing but a way to resolve its names."""
        resolve = former_names(module.__name__, FORMER_MODULES[module.__name__])
        vars(module)["__getattr__"] = resolve


# At the end of the path: it is asked only when no file was found, so that it costs nothing.
sys.meta_path.append(FormerModuleFinder())
