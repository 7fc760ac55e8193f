"""The house holds: layers, no cycles, promised names, docstrings and types.  Sizes are printed, to be read rather than gamed (`-s`)."""

from __future__ import annotations

import ast
import importlib
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("arena", "agents", "protocols", "analysis")
# Rooms, lowest first: a module imports from its own room and from lower lines.  Rooms on one line know nothing of each other, but for
# the words that all share.
LAYERS = (
    "arena.types arena.errors arena.text",
    "arena.store arena.grading",
    "arena.calls",
    "arena.studies",
    "arena.play",
    "arena.tournaments",
    "agents protocols analysis",
    "arena.imports arena.exports",
    "arena.web",
    "arena.cli",
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}
# Names everything lazily, and nothing imports it.
DOOR = {"arena", "arena.__main__"}
PUBLIC = {
    "arena": "Arena Arm Study Summary Which Episode Agent Sampling Seat Subject Turn Verdict Answer Lineup Retry Limit Price Estimate "
    "ArenaError own rated motions "
    "MOTIONS round_robin against_itself given_pairs swiss swiss_round Stage run_stages",
    "agents": "agent model",
}


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


TREES = {
    name_of(file): ast.parse(file.read_text())
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module of ours that a tree imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}" in TREES
                else node.module
                for alias in node.names
            )


GRAPH = {
    name: {module for module in imports(tree) if module in TREES} for name, tree in TREES.items()
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def room(name: str) -> str:
    """The room of a module: the longest name in LEVEL that it begins with."""
    return max((room for room in LEVEL if f"{name}.".startswith(f"{room}.")), key=len)


def test_every_module_imports_from_its_own_room_and_the_ones_below() -> None:
    wrong = [
        (name, target)
        for name, targets in GRAPH.items()
        for target in targets
        if name not in DOOR
        and (
            target in DOOR
            or (
                room(name) != room(target)
                and LEVEL[room(name)] <= LEVEL[room(target)]
                and LEVEL[room(name)] > 0
            )
        )
    ]
    assert wrong == []


def test_there_is_no_import_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in GRAPH[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_the_public_names_are_these(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_every_module_and_public_function_is_documented() -> None:
    bare = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(
                node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ) and not node.name.startswith("_"):
                inner = any(
                    node in ast.walk(outer) and node is not outer for outer in functions(tree)
                )
                if not inner and not ast.get_docstring(node):
                    bare.append(f"{name}.{node.name}")
    assert bare == []


def test_every_function_is_typed_and_takes_named_arguments() -> None:
    wrong = []
    for name, tree in TREES.items():
        for function in functions(tree):
            every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            typed = (
                all(a.annotation for a in every if a.arg not in ("self", "cls"))
                and function.returns is not None
            )
            if not typed or function.args.kwarg is not None:
                wrong.append(f"{name}.{function.name}")
    assert wrong == []


def test_except_exception_stands_once_in_the_play() -> None:
    """An error that is caught broadly is hidden; the one place is where an episode becomes a failure row."""
    found = [
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or "Exception" in ast.unparse(node.type).strip("()").split(", "))
    ]
    assert [name for name in found if name != "arena.tournaments.study_file"] == ["arena.play.run"]


def test_sizes_are_printed() -> None:
    lengths = [
        (f.end_lineno or 0) - f.lineno + 1 for tree in TREES.values() for f in functions(tree)
    ]
    files = {
        name_of(file): len(file.read_text().splitlines())
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
    }
    tests = sum(len(file.read_text().splitlines()) for file in (ROOT / "tests").rglob("*.py"))
    longest = max(files, key=lambda name: files[name])
    ninety = statistics.quantiles(lengths, n=10)[-1]
    print(
        f"\nfunctions: p90 {ninety:.0f}, longest {max(lengths)}; longest file {longest} ({files[longest]} lines)"
    )
    print(f"tests/source: {tests}/{sum(files.values())} lines")
    assert max(files.values()) <= 400
    assert max(lengths) <= 60
