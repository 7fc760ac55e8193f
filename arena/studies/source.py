"""Tell whether the source of a protocol has changed since an episode of it began.

The hash is one of the syntax tree without docstrings: comments, documentation and layout may
change in the middle of a study, prompts and code may not.  Version 0.1.0 hashed the bytes of the
file.  Its hashes are compared with the file as it is, and with a table of the protocols that it
shipped (released_protocols.json), which have been documented and formatted anew since then.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

PREFIX = "ast:"
RELEASED = Path(__file__).with_name("released_protocols.json")
Function = Callable[..., Awaitable[object]]


@functools.cache
def code_hash(protocol: Function) -> str:
    """Return "ast:" and 64 hex digits, a hash of all code in the file that defines a protocol.

    In a notebook, which has no file, it is the code of the function alone.
    """
    source = read_source(protocol)
    try:
        content = tree_content(ast.parse(source))
    except SyntaxError:
        # A nested function, cut out of a notebook's cell, need not be a module.
        content = source
    return PREFIX + hashlib.sha256(repr(content).encode("utf-8", "backslashreplace")).hexdigest()


def is_same_code(stored: str | None, protocol: Function) -> bool:
    """Tell whether a stored hash is one of the protocol as it is now.

    None, as imported studies have it, tells nothing, and counts as the same.
    """
    if stored in (None, code_hash(protocol), file_hash(protocol)):
        return True
    # Ours ask what they asked in 0.1.0 only while nobody changes them: this code is pinned too.
    released = read_released()
    module = protocol.__module__
    return released["now"].get(module) == code_hash(protocol) and stored in (
        released[version].get(module) for version in released.keys() - {"now"}
    )


@functools.cache
def file_hash(protocol: Function) -> str:
    """Return the sha256 of a protocol's source as text, as version 0.1.0 stored it."""
    return hashlib.sha256(read_source(protocol)).hexdigest()


@functools.cache
def read_released() -> dict[str, dict[str, str]]:
    """Return, by version, the hash of each protocol's file; "now" has the code_hash of today's."""
    versions: dict[str, dict[str, str]] = orjson.loads(RELEASED.read_bytes())
    return versions


def read_source(protocol: Function) -> bytes:
    """Read the file that defines a protocol; in a notebook, the source of the function."""
    file = Path(inspect.getfile(protocol))
    if file.is_file():
        return file.read_bytes()
    return textwrap.dedent(inspect.getsource(protocol)).encode()


def tree_content(node: object) -> object:
    """Return a syntax tree as nested tuples, without docstrings and positions.

    Empty fields are left out, since newer versions of Python have fields that older ones lack: a
    study may go on under another version.
    """
    if isinstance(node, list):
        return tuple(tree_content(item) for item in node)
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    ):
        fields["body"] = node.body[1:]
    # `kind` tells u"" from "", which mean the same.
    fields.pop("kind", None)
    content = ((name, tree_content(value)) for name, value in fields.items() if value is not None)
    return type(node).__name__, *((name, value) for name, value in content if value != ())
