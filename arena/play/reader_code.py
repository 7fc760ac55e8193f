"""Tell which code reads a reply: the name of its reader, and a hash of all that takes part."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from arena.grading import grade
from arena.play import reading, reasoning
from arena.studies.source import read_source, tree_content

# Readers call what stands here, wherever they are.
SHARED = "protocols"
DIGITS = 16
Function = Callable[..., Any]


def reader_name(read: Function) -> str:
    """Return the name of a reader, such as "speech_and_confidence"."""
    function = inner_function(read)
    return getattr(function, "__qualname__", type(function).__qualname__)


def reader_version(read: Function, *others: Function) -> str:
    """Return 16 hex digits, a hash of the code that reads a reply and grades it.

    `others` are the protocol and a grader of the study's own.  It is of the modules of these
    functions, of those that they import from their own package or folder, and of arena's grading.
    Comments, docstrings and layout make no difference.
    """
    codes = machinery()
    for function in map(inner_function, (read, *others)):
        codes = codes | code_of(module_of(function))
        # In a notebook there is no file to read.
        if not has_file(module_of(function)):
            codes |= {f"{module_of(function)}.{reader_name(function)}": read_source(function)}
    digest = hashlib.sha256()
    for name in sorted(codes):
        digest.update(name.encode() + b"\0" + hashlib.sha256(codes[name]).digest())
    return digest.hexdigest()[:DIGITS]


def inner_function(read: Function) -> Function:
    """Return the function inside of partial functions and bound methods."""
    while isinstance(read, functools.partial):
        read = read.func
    inner: Function = getattr(read, "__func__", read)
    return inner


def made_with(function: Function) -> str | None:
    """Return in words what a function was made with; None if with nothing.

    That is the arguments of a partial function, the variables of a closure, and the attributes of a
    callable object.  Of a value that JSON does not know the type alone is named.
    """
    found: dict[str, object] = {}
    inner: object = function
    while isinstance(inner, functools.partial):
        found |= {str(number): value for number, value in enumerate(inner.args)} | inner.keywords
        inner = inner.func
    bound = getattr(inner, "__self__", inner)
    inner = getattr(inner, "__func__", inner)
    if inspect.isfunction(inner):
        found |= inspect.getclosurevars(inner).nonlocals
    if not inspect.isroutine(bound) and not inspect.ismodule(bound):
        found |= getattr(bound, "__dict__", {})
    # Other values have words that change with each process: addresses, orders of sets.
    return ", ".join(f"{name}={words_of_value(found[name])}" for name in sorted(found)) or None


def words_of_value(value: object) -> str:
    """Return a value as JSON, or the name of its type."""
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError):
        return type(value).__qualname__


def module_of(read: Function) -> str:
    """Return the name of the module that defines a function, or the class of a callable object."""
    function = inner_function(read)
    return str(getattr(function, "__module__", None) or type(function).__module__)


def has_file(module: str) -> bool:
    """Tell whether a module was loaded from a file that is still there."""
    return file_of(sys.modules.get(module)) is not None


def file_of(module: ModuleType | None) -> Path | None:
    """Return the file of a module; None if it has none."""
    name = getattr(module, "__file__", None)
    return Path(name) if name and Path(name).is_file() else None


@functools.cache
def code_of(module: str) -> dict[str, bytes]:
    """Return the code of a module and of those that it imports from near by, by name."""
    codes: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = file_of(sys.modules.get(name))
        if name in codes or file is None:
            continue
        tree = ast.parse(file.read_bytes())
        codes[name] = repr(tree_content(tree)).encode("utf-8", "backslashreplace")
        waiting += [other for other in imports_of(tree, name) if is_near(other, module)]
    return codes


@functools.cache
def machinery() -> dict[str, bytes]:
    """Return the code of what all replies go through, and the version of math-verify."""
    files = [Path(module.__file__ or "") for module in (reading, reasoning)]
    files += Path(grade.__file__ or "").parent.glob("*.py")
    codes = {
        f"arena/{file.name}": repr(tree_content(ast.parse(file.read_bytes()))).encode()
        for file in files
    }
    try:
        codes["math-verify"] = metadata.version("math-verify").encode()
    except metadata.PackageNotFoundError:
        codes["math-verify"] = b"not installed"
    return codes


def imports_of(tree: ast.AST, module: str) -> Iterator[str]:
    """Yield the modules that a module may import, by their whole names."""
    package = getattr(sys.modules.get(module), "__package__", "") or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above: Iterable[str] = package.split(".")[: 1 - node.level or None]
            parts = [*(above if node.level else ()), *([node.module] if node.module else ())]
            base = ".".join(parts)
            yield base
            # What is imported from a package may be a module of it.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_near(other: str, module: str) -> bool:
    """Tell whether a module belongs to the reader's: by package, by folder, or as SHARED."""
    top = other.partition(".")[0]
    if top in (SHARED, module.partition(".")[0]):
        return True
    file, home = file_of(sys.modules.get(other)), file_of(sys.modules.get(module))
    return file is not None and home is not None and file.parent == home.parent
