"""What published studies of version 0.1.0 import is still there, and says its new name."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from arena.former_names import FORMER_MODULES

DATA = Path(__file__).resolve().parents[1] / "data" / "v0_1_0"

# Every import of the README and of the studies of 0.1.0.
IMPORTS = (DATA / "imports.txt").read_text().splitlines()
RENAMED = [
    ("agents.scripted", "scripted", "scripted_model"),
    ("protocols.asking", "sampled", "sample_paths"),
]


@pytest.mark.parametrize(
    ("module", "name", "path"),
    [
        (module, name, path)
        for module, names in FORMER_MODULES.items()
        for name, path in names.items()
    ],
)
def test_a_name_of_a_module_that_moved_is_found_at_its_new_place(
    module: str, name: str, path: str
) -> None:
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is called {path} now"):
        former = getattr(importlib.import_module(module), name)
    home, _, new = path.rpartition(".")
    assert former is getattr(importlib.import_module(home), new)


@pytest.mark.parametrize(("module", "old", "new"), RENAMED)
def test_a_name_that_changed_in_its_module_is_found(module: str, old: str, new: str) -> None:
    home = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{module}.{old} is called {module}.{new} now"):
        assert getattr(home, old) is getattr(home, new)


@pytest.mark.parametrize("line", IMPORTS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_the_readme_and_the_studies_imported_can_be_imported(line: str) -> None:
    exec(line, {})


def test_a_study_that_begins_with_a_former_name_is_told_in_its_own_line() -> None:
    code = "from agents.elicit import speech_and_confidence"
    result = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert "<string>:1: DeprecationWarning: agents.elicit.speech_and_confidence" in result.stderr


def test_other_names_are_missing_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"agents\.nothing"):
        importlib.import_module("agents.nothing")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("agents.elicit").nothing
