"""Load a study file, and call its `study` with arguments from the command line."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from arena.errors import ArenaError, StudyError
from arena.packages import PACKAGES, neighbour_files
from arena.studies.study import Study
from arena.tournaments.shipped import find_study
from arena.tournaments.stages import Stage, Stages, rename_stages, stages_in_version


def load_study(file: str | Path, options: Sequence[str] = ()) -> Study:
    """Return the one study that a file describes.

    Raises StudyError as `load_stages` does, and if there are several.
    """
    stages = load_stages(file, options)
    if len(stages) != 1 or not isinstance(stages[0], Study):
        raise StudyError(
            f"{file} describes {len(stages)} stages, where one study was expected;"
            " run them by run_stages(arena, load_stages(...))"
        )
    return stages[0]


def load_stages(file: str | Path, options: Sequence[str] = ()) -> Stages:
    """Return the study, or the studies in stages, that a file describes.

    `file` is a path, or the name of a study that comes with the package.  `options` like
    "models=a,b" are arguments of its function; "name=..." gives the study another name, unless the
    function has such an argument of its own.  "version=1" plays its protocols in that version, and
    is an argument of the function too if it has one.  Raises StudyError with one sentence for a
    missing file, a file without a function `study`, an unknown option or version, or a wrong type.
    """
    path = find_study(file)
    make = study_function(path)
    takes = inspect.signature(make).parameters
    name, options = split_option("name", options, keep="name" in takes)
    version, options = split_option("version", options, keep="version" in takes)
    try:
        result = make(**study_arguments(make, options, path))
    except ArenaError:
        raise
    except (Exception, SystemExit) as error:
        raise StudyError(f"{path}: study() failed with {type(error).__name__}: {error}") from error
    stages = [result] if isinstance(result, Study) else result
    if (
        not isinstance(stages, list | tuple)
        or not stages
        or not all(isinstance(stage, Study | Stage) for stage in stages)
    ):
        raise StudyError(
            f"{path}: study() must return a Study, or a list of studies and stages;"
            f" it returned {result!r:.80}"
        )
    # A function with a name of its own has used it.
    if name is not None and "name" not in takes:
        stages = rename_stages(stages, name)
    return stages if version is None else stages_in_version(stages, version)


def split_option(
    key: str, options: Sequence[str], *, keep: bool
) -> tuple[str | None, Sequence[str]]:
    """Return the value of the last "key=..." among options, None without one, and the options.

    `keep` keeps them among these, for a function that has such an argument.
    """
    given = [option for option in options if option.startswith(f"{key}=")]
    values = [option.partition("=")[2].strip() for option in given]
    if "" in values and not keep:
        raise StudyError(
            f"a study's {key} has at least one letter, found none: -o {key}={key.upper()}"
        )
    others = options if keep else [option for option in options if option not in given]
    return (values[-1] if values else None), others


def study_function(path: Path) -> typing.Callable[..., object]:
    """Run the file as a module (not as a program) and return its function `study`."""
    name = f"arena_study_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # As Python does with a program: known under its name, and its neighbours can be imported.
    sys.modules[name] = module
    # Our packages first: a neighbour of the same name would hide them.
    for package in PACKAGES:
        importlib.import_module(package)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except ArenaError:
        raise
    except (Exception, SystemExit) as error:
        hint = neighbour_hint(path) if isinstance(error, ImportError) else ""
        raise StudyError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}{hint}"
        ) from error
    make: typing.Callable[..., object] | None = getattr(module, "study", None)
    if not callable(make):
        raise StudyError(
            f"{path} has no function `study`; a study file holds `def study(...) -> Study`"
        )
    return make


def describe_options(file: str | Path) -> str:
    """Describe a study file: what its `study` returns, and a line for each of its options.

    Raises StudyError as `load_stages` does; `study` is not called.
    """
    path = find_study(file)
    make = study_function(path)
    hints = typing.get_type_hints(make)
    lines = [f"options of {path.stem}, with their defaults:"]
    for name, option in inspect.signature(make).parameters.items():
        form = f"-o {name}={value_form(hints.get(name, str))}"
        default = "needed" if option.default is option.empty else plain_value(option.default)
        lines.append(f"  {form:<36}  {default}")
    for key, default in (
        ("name", "(the study's own name)"),
        ("version", "(of each protocol its latest)"),
    ):
        if key not in inspect.signature(make).parameters:
            lines.append(f"  {f'-o {key}=TEXT':<36}  {default}")
    return "\n".join([inspect.getdoc(make) or "", "", *lines]).lstrip()


def value_form(kind: object) -> str:
    """Return how a value of a type is written: N, a|b, TEXT,..."""
    parts = [part for part in typing.get_args(kind) if part is not type(None)]
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return "|".join(map(str, parts))
    if origin in (list, tuple) and parts:
        return f"{value_form(parts[0])},..."
    if origin is not None and parts:
        return "|".join(map(value_form, parts))
    forms: dict[object, str] = {int: "N", float: "X", bool: "true|false"}
    return forms.get(kind, "TEXT")


def plain_value(value: object) -> str:
    """Return a default as a command line would write it; of None, that there is none."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "(none)" if value is None else str(value)


def neighbour_hint(path: Path) -> str:
    """Return what to do about files beside a study that have the names of our packages, or ""."""
    files = neighbour_files(path.parent.resolve())
    if not files:
        return ""
    return (
        f"; {files[0]} has the name of a package of peer-arena, which is imported in its place:"
        " rename it"
    )


def study_arguments(
    make: typing.Callable[..., object], options: Sequence[str], path: Path
) -> dict[str, object]:
    """Return the arguments for `study`, read from "key=value" by its annotations.

    A list takes values between commas.
    """
    declared = inspect.signature(make).parameters
    hints = typing.get_type_hints(make)
    values: dict[str, object] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise StudyError(f"an option is written key=value, found {option!r}")
        if key not in declared:
            known = ", ".join(dict.fromkeys([*declared, "name", "version"]))
            raise StudyError(f"{path} has no option {key!r}; it has {known}")
        kind = hints.get(key, str)
        # An optional list is a union, whose parts say that it is a list.
        origins = {typing.get_origin(part) for part in (kind, *typing.get_args(kind))}
        value: object = text
        if origins & {list, tuple}:
            # A reference may have several addresses between commas.
            value = [part for part in re.split(r",(?!https?://)", text) if part]
        try:
            values[key] = TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            raise StudyError(
                f"option {key} cannot be {text!r}: {error.errors()[0]['msg']}"
            ) from error
    return values
