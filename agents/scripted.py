"""Models whose words come from a Python function: for tests, dry runs and worked examples.

The function sees the whole request with its place in the play, so a script can answer by seat,
phase and step.  It is not a paper's method and never a result: scripted models are marked as
simulated.

A hash of the function's source is stored with its replies, so that a run stops where the store
holds those of another function under the same name.  It covers the function's own lines without
names, comments and layout; not the functions that it calls, nor globals and what it has captured.
Who changes these gives a `version`.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from arena.former_names import former_names
from arena.studies.source import PREFIX, tree_content
from arena.text import writable
from arena.types import BaseModel, Model, Price, Reply, Request

Script = Callable[[Request], str | Reply | Awaitable[str | Reply]]
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
# Line, last line, column, last column of an instruction; None: made by the compiler.
Place = tuple[int | None, int | None, int | None, int | None]


@dataclass(frozen=True)
class ScriptedModel(BaseModel):
    """A model that answers with the result of a function; made by `scripted_model`."""

    name: str
    reply: Script
    latency_s: Callable[[Request], float] | None = None
    price: Price | None = None
    capabilities: frozenset[str] = frozenset({"seed", "prefill", "images"})
    simulated: bool = True
    code_hash: str | None = None

    async def __call__(self, request: Request) -> Reply:
        """Wait for the script's latency, then answer; errors of the function are passed on."""
        if self.latency_s is not None:
            await asyncio.sleep(self.latency_s(request))
        answer = self.reply(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str):
            return Reply(writable(answer))
        if isinstance(answer, Reply):
            return replace(answer, text=writable(answer.text))
        raise TypeError(
            f"the function of {self.name} must return text or a Reply;"
            f" it returned {type(answer).__name__}"
        )


def scripted_model(
    reply: Script,
    name: str = "scripted",
    version: str | int | None = None,
    *,
    latency_s: Callable[[Request], float] | None = None,
    price: Price | None = None,
) -> Model:
    """Return a model that answers with the text that `reply(request)` returns.

    `reply` may be async, may return a whole `Reply` (to script token counts or costs), and may
    raise a ModelError to play a fault.  `latency_s(request)` is the time in seconds, >= 0, that
    passes before each answer; `price` is the price of its tokens.  The model's name is
    "scripted/<name>", and "scripted/<name>@<version>" where a version is given, so that another
    version is another model; it is marked as simulated.  A call raises TypeError if the function
    returns anything but text or a Reply.
    """
    whole = f"scripted/{name}" if version is None else f"scripted/{name}@{version}"
    return ScriptedModel(whole, reply, latency_s, price, code_hash=source_hash(reply))


def source_hash(function: Callable[..., object]) -> str | None:
    """Return "ast:" and 64 hex digits, a hash of the source of a function's parameters and body.

    Of an object that is called it is its class's `__call__`, of a partial function the whole one.
    None if the source cannot be read, as of what was typed at a prompt or is written in C.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not hasattr(function, "__code__"):
        function = type(function).__call__
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    try:
        lines, _ = inspect.findsource(code)
        nodes = functions_in("".join(lines)).get(code.co_firstlineno, ())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    # Several lambdas may begin on one line; the innermost that holds all of the code is the one.
    places = [place for place in code.co_positions() if place[2] != place[3]]
    holders = [node for node in nodes if all(holds(node, place) for place in places)]
    if not holders:
        return None
    node = max(holders, key=lambda each: each.col_offset)
    _, *fields = cast(tuple[Any, ...], tree_content(node))
    content = [(field, value) for field, value in fields if field != "name"]
    return PREFIX + hashlib.sha256(repr(content).encode("utf-8", "backslashreplace")).hexdigest()


@functools.lru_cache(maxsize=32)
def functions_in(source: str) -> dict[int, list[Function]]:
    """Return the functions and lambdas of a file by the line that they begin on."""
    found: dict[int, list[Function]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Lambda):
            found.setdefault(node.lineno, []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.setdefault(first, []).append(node)
    return found


def holds(node: Function, place: Place) -> bool:
    """Return whether code of a function in a syntax tree can stand in this place."""
    line, last_line, column, last_column = place
    if line is None or last_line is None or column is None or last_column is None:
        return True
    # The code of a lambda that returns a lambda has the place of the inner one.
    whole = node.body if isinstance(node, ast.Lambda) else node
    first = min([whole.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    begin = (first, whole.col_offset)
    end = (whole.end_lineno or first, whole.end_col_offset or 0)
    return begin <= (line, column) and (last_line, last_column) <= end


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take every misspelt name of this module for a name.
    __getattr__ = former_names(__name__, {"scripted": "scripted_model"})
