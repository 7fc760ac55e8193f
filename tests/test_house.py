"""The house holds: layers, no cycles, promised names, docstrings, types and sizes."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("arena", "agents", "protocols", "analysis")
# Rooms, lowest first.  A module imports from its own room and from lower lines; of the rooms on
# one line none imports another, except that the words of the first line know each other.
LAYERS = (
    "arena.types arena.sampling arena.price arena.reply arena.images arena.batches arena.private"
    " arena.errors arena.text arena.former_names arena.packages arena.plugins"
    " arena.events arena.score arena.decoding arena.reflection arena.subject arena.quotes",
    "arena.store arena.grading",
    "arena.calls",
    "arena.studies",
    "arena.play",
    "arena.tournaments",
    "agents protocols analysis",
    "arena.imports arena.exports arena.machines",
    "arena.arena",
    "arena.web",
    "arena.cli",
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}
# The door names everything lazily, and nothing imports it.
DOOR = {"arena", "arena.__main__"}
PUBLIC = {
    "arena": "Agent Answer Arena ArenaError Arm CostEstimate Episode Hook Image Limit Lineup"
    " MOTIONS Price Reading Reply Retry RunSelection Sampling Score Seat Stage Study Subject"
    " Summary Turn Verdict against_itself chat checked given_pairs motions notes own passage rated"
    " read_image reveal round_robin run_stages spoken swiss swiss_round text_only verbatim",
    "agents": "adapt agent model",
    "protocols": "named",
}
# Where an error of any kind may be caught: an episode becomes a failure row, a user's file or
# another package's function that fails one sentence, a row of a batch its own failure.
BROAD = {
    *("agents.local.device_work", "agents.local.engine", "agents.local.steps"),
    "arena.calls.batch_calls",
    *("arena.play.concurrent", "arena.machines.ray_cluster"),
    *("arena.play.hooks", "arena.play.reading", "arena.play.reread", "arena.play.sync"),
    *("arena.plugins", "arena.tournaments.study_file", "arena.web.lanes"),
}
# What other libraries call with arguments of their own.
CALLED_BY_OTHERS = {
    "agents.local.readouts.attention_chain.watched_attention",
    "agents.local.forward.page_attention",
    "agents.local.row_attention.row_attention",
}
MOST_LINES = 440
LONGEST_FUNCTION = 60


def module_name(file: Path) -> str:
    """The dotted name of a source file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax trees of all modules, parsed once, by the process that runs these tests."""
    return {module_name(file): ast.parse(file.read_text()) for file in FILES}


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module of ours that a tree imports, also inside functions and for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in trees() else node.module


@cache
def graph() -> dict[str, set[str]]:
    """The modules of ours that each module imports."""
    return {
        name: {target for target in imports(tree) if target in trees()}
        for name, tree in trees().items()
    }


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a tree, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def room(name: str) -> str:
    """The room of a module: the longest name in LEVEL that it begins with."""
    return max((room for room in LEVEL if f"{name}.".startswith(f"{room}.")), key=len)


def may_import(name: str, target: str) -> bool:
    """Whether the layers let one module import another."""
    if name in DOOR or target in DOOR:
        return name in DOOR
    mine, other = LEVEL[room(name)], LEVEL[room(target)]
    return room(name) == room(target) or other < mine or other == mine == 0


def test_every_module_imports_from_its_own_room_and_the_ones_below() -> None:
    wrong = [(a, b) for a, targets in graph().items() for b in targets if not may_import(a, b)]
    assert wrong == []


def test_there_is_no_import_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in graph()[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in graph():
        visit(name, ())


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_the_public_names_are_these(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize(("old", "new"), [("Which", "RunSelection"), ("Estimate", "CostEstimate")])
def test_former_names_are_still_there_and_say_the_new_one(old: str, new: str) -> None:
    arena = importlib.import_module("arena")
    with pytest.warns(DeprecationWarning, match=f"arena.{old} is called arena.{new} now"):
        assert getattr(arena, old) is getattr(arena, new)


def test_every_module_and_public_function_is_documented() -> None:
    bare = [name for name, tree in trees().items() if not ast.get_docstring(tree)]
    for name, tree in trees().items():
        nested = {
            inner for outer in functions(tree) for inner in functions(outer) if inner is not outer
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                private = node.name.startswith("_") or node in nested
                # One spelling of a function for type checkers: the function itself is documented.
                spelling = [ast.unparse(each) for each in node.decorator_list] == ["overload"]
                if not private and not spelling and not ast.get_docstring(node):
                    bare.append(f"{name}.{node.name}")
    assert bare == []


def test_no_line_has_more_than_100_columns() -> None:
    """Patterns without a space too, which the check of style lets pass."""
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert long == []


def test_no_docstring_begins_with_a_line_over_100_columns() -> None:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    documented = [
        (name, doc.splitlines()[0])
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, kinds) and (doc := ast.get_docstring(node))
    ]
    assert [(name, first) for name, first in documented if len(first) > 100] == []


def test_every_function_is_typed_and_takes_named_arguments() -> None:
    wrong = []
    for name, tree in trees().items():
        for function in functions(tree):
            arguments = function.args
            every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
            typed = all(a.annotation for a in every if a.arg not in ("self", "cls"))
            rest = arguments.kwarg and arguments.kwarg.annotation
            # A decorator passes on what it does not know by name.
            named = arguments.kwarg is None or (rest and ast.unparse(rest) == "P.kwargs")
            named = named or f"{name}.{function.name}" in CALLED_BY_OTHERS
            # A kernel's arguments are pointers and numbers, which Triton tells apart by itself.
            if "triton.jit" in map(ast.unparse, function.decorator_list):
                continue
            if not typed or function.returns is None or not named:
                wrong.append(f"{name}.{function.name}")
    assert wrong == []


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes an error of any kind, and raises none again if of BaseException."""
    names = "" if handler.type is None else ast.unparse(handler.type).strip("()").split(", ")
    keeps = not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return not names or "Exception" in names or ("BaseException" in names and keeps)


def test_an_error_of_any_kind_is_caught_in_these_places_only() -> None:
    """An error that is caught broadly is hidden."""
    caught = {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    }
    assert caught == BROAD


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its signature and its docstring."""
    first = function.body[1 if ast.get_docstring(function) and function.body[1:] else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_files_and_functions_stay_short() -> None:
    long_files = {
        str(file.relative_to(ROOT)): lines
        for file in FILES
        if (lines := len(file.read_text().splitlines())) > MOST_LINES
    }
    long_functions = {
        f"{name}.{function.name}": lines
        for name, tree in trees().items()
        for function in functions(tree)
        if (lines := body_lines(function)) > LONGEST_FUNCTION
    }
    assert (long_files, long_functions) == ({}, {})


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("arena.store.query", "arena.calls.prices"),
        ("arena.store.query", "arena.grading.grade"),
        ("protocols.debate", "agents.scripted"),
        ("arena.play.run", "arena"),
        ("arena.text", "arena.store.query"),
    ],
)
def test_the_layers_know_what_is_upside_down(name: str, target: str) -> None:
    assert not may_import(name, target)
