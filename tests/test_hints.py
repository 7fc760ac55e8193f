"""What errors, help and docstrings tell users to type works after `pip install`."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from arena.cli.main import parser
from arena.tournaments.shipped import shipped_studies

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("arena", "agents", "protocols", "analysis")
FILES = [
    *(file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))),
    *shipped_studies().values(),
]
TEMPLATES = [
    file
    for package in PACKAGES
    for kind in ("*.html", "*.md", "*.js")
    for file in sorted((ROOT / package).rglob(kind))
]
README = (ROOT / "README.md").read_text()
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# What a wheel does not have.  A sentence may still say what is in the repository.
OUTSIDE = re.compile(
    r"'?\.\[[a-z,]+\]|\bexperiments/\w+\.py|pip install (?:-e )?\.|make (?:demo|test)"
)
EXTRA = re.compile(r"peer-arena\[([a-z,]+)\]")
# A command: in backticks, or on an indented line of its own.
COMMAND = re.compile(r"(?:`|^ {4,}|: )arena ([a-z]+)(?: ([\w./-]+))?", re.MULTILINE)
# Words that follow "arena" in sentences.
NOT_COMMANDS = {"sets"}
PLACEHOLDER = re.compile(r"[A-Z]+|.*\.py")


def texts(file: Path) -> Iterator[str]:
    """Every text of a file that a user may see: literals, with "{}" for what is filled in."""
    if file.suffix != ".py":
        yield file.read_text()
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "{}"  # type: ignore[misc]
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def all_texts() -> list[tuple[Path, str]]:
    """Every text with its file; made once, by the process that runs these tests."""
    files = (*FILES, *TEMPLATES)
    return [(file.relative_to(ROOT), text) for file in files for text in texts(file)]


def commands() -> set[str]:
    """The commands that the program has."""
    [choices] = [action.choices for action in parser()._actions if action.dest == "command"]
    return set(choices or ())


def test_no_hint_needs_a_clone_of_the_repository() -> None:
    assert [(file, text[:200]) for file, text in all_texts() if OUTSIDE.search(text)] == []


def test_every_extra_that_a_hint_names_exists() -> None:
    named = [(file, extra) for file, text in all_texts() for extra in EXTRA.findall(text)]
    assert {extra for _, extra in named} >= {"api", "hub", "local", "mixed", "peers", "view"}
    assert [
        (file, extra) for file, extra in named if not set(extra.split(",")) <= EXTRAS.keys()
    ] == []


def test_every_command_that_a_hint_names_exists() -> None:
    named = [(file, *match) for file, text in all_texts() for match in COMMAND.findall(text)]
    assert len(named) > 40
    known = {*commands(), *NOT_COMMANDS}
    assert [entry for entry in named if entry[1] not in known] == []


def test_every_study_that_a_hint_runs_is_shipped() -> None:
    named = [
        (file, study)
        for file, text in all_texts()
        for command, study in COMMAND.findall(text)
        if command == "run" and study and not PLACEHOLDER.fullmatch(study) and study[0] != "-"
    ]
    assert named
    assert [(file, study) for file, study in named if study not in shipped_studies()] == []


def test_no_picture_of_the_readme_is_missing_where_only_the_readme_is_shown() -> None:
    """A package index shows the README alone: pictures need a whole address there."""
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)|<img[^>]+src=\"([^\"]+)", README)
    assert [one for both in pictures for one in both if one and not one.startswith("https:")] == []


@pytest.mark.parametrize(
    "wrong", ["pip install '.[view]'", "arena run experiments/leap.py", "pip install -e ."]
)
def test_the_search_finds_what_it_looks_for(wrong: str) -> None:
    assert OUTSIDE.search(wrong)
