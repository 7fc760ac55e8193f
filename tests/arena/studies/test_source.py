"""The hash of a protocol's source: what may change in the middle of a study, and what may not."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.studies.source import code_hash, is_same_code, read_released, read_source
from protocols.version_1.debate import debate

SOURCE = '''"""A protocol."""

VERSION = "1"


async def speak(episode, motion, speaker, *, prompt="Speak."):
    """Let one speak."""
    return await episode.ask(speaker, [motion.text, prompt], phase="a")
'''
SAME = {
    "documented anew": SOURCE.replace("Let one speak.", "Ask a seat for one speech.\n\n    Once."),
    "not documented": SOURCE.replace('    """Let one speak."""\n', "").replace(
        '"""A protocol."""', ""
    ),
    "commented": SOURCE.replace("    return", "    # The motion first.\n    return"),
    "formatted": SOURCE.replace("[motion.text, prompt]", "[\n        motion.text,\n    prompt]"),
    "quoted": SOURCE.replace('"Speak."', "u'Speak.'"),
}
OTHER = {
    "prompt": SOURCE.replace("Speak.", "Speak!"),
    "order": SOURCE.replace("motion.text, prompt", "prompt, motion.text"),
    "phase": SOURCE.replace('"a"', '"b"'),
    "text that is no docstring": SOURCE.replace('VERSION = "1"', 'VERSION = "1"\nNOTE = "A."'),
}
Maker = Callable[[str], Any]


@pytest.fixture
def speak(tmp_path: Path) -> Maker:
    numbers = itertools.count()

    def make(source: str) -> Any:
        """The protocol of a source, in a file of its own."""
        file = tmp_path / f"protocol_{next(numbers)}.py"
        file.write_text(source)
        scope: dict[str, Any] = {"__name__": file.stem}
        exec(compile(source, str(file), "exec"), scope)
        return scope["speak"]

    return make


@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_words_about_the_code_and_its_layout_are_no_change(speak: Maker, source: str) -> None:
    assert source != SOURCE
    assert is_same_code(code_hash(speak(SOURCE)), speak(source))


@pytest.mark.parametrize("source", OTHER.values(), ids=OTHER)
def test_code_and_prompts_are_a_change(speak: Maker, source: str) -> None:
    assert source != SOURCE
    assert not is_same_code(code_hash(speak(SOURCE)), speak(source))


def test_an_imported_study_tells_nothing(speak: Maker) -> None:
    assert is_same_code(None, speak(SOURCE))


def test_a_hash_of_0_1_0_is_one_of_the_unchanged_file(speak: Maker) -> None:
    stored = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert is_same_code(stored, speak(SOURCE))
    assert not is_same_code(stored, speak(OTHER["prompt"]))


def test_the_protocols_of_0_1_0_are_known_by_their_modules(speak: Maker) -> None:
    stored = read_released()["0.1.0"][debate.__module__]
    assert is_same_code(stored, debate)
    # A copy of the file, changed in a user's folder, is another protocol.
    assert not is_same_code(stored, speak(SOURCE))


def test_a_protocol_of_0_1_0_that_asks_otherwise_now_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = read_released()["0.1.0"][debate.__module__]
    changed = read_source(debate).replace(b"Close the debate.", b"Close the debate. Now sing.")
    monkeypatch.setattr("arena.studies.source.read_source", lambda protocol: changed)
    code_hash.cache_clear()
    try:
        assert not is_same_code(stored, debate)
    finally:
        code_hash.cache_clear()


def test_the_code_of_every_protocol_of_0_1_0_is_pinned() -> None:
    """If this fails: does the protocol still ask the same?  Then pin its new hash under "now".

    If not, raise its VERSION, and move its lines to the copy of the old file in version_1.
    """
    released = read_released()
    assert released["now"].keys() == released["0.1.0"].keys()
    for module, pinned in released["now"].items():
        protocols = [
            value
            for value in vars(importlib.import_module(module)).values()
            if inspect.iscoroutinefunction(value) and value.__module__ == module
        ]
        assert {code_hash(protocol) for protocol in protocols} == {pinned}, module


def test_in_a_notebook_the_source_is_that_of_the_function() -> None:
    def in_cell(number: int, source: str) -> Any:
        """The protocol of a notebook's cell, whose source is in memory alone."""
        name = f"<cell {number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        scope: dict[str, Any] = {}
        exec(compile(source, name, "exec"), scope)
        return scope["speak"]

    stored = code_hash(in_cell(1, SOURCE))
    assert is_same_code(stored, in_cell(2, 'print("another cell")\n' + SAME["commented"]))
    assert not is_same_code(stored, in_cell(3, OTHER["phase"]))


def test_the_hash_does_not_depend_on_the_version_of_python(tmp_path: Path) -> None:
    """A field of the syntax tree that only newer versions have is left out while it is empty."""
    program = (
        "import ast; from arena.studies.source import tree_content;"
        " ast.FunctionDef._fields += ('news',); ast.AsyncFunctionDef._fields += ('news',);"
        f" tree = ast.parse({SOURCE!r}); tree.body[-1].news = [];"
        " print(repr(tree_content(tree)))"
    )
    output = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in (program, program.replace("tree.body[-1].news = [];", ""))
    ]
    assert output[0].stdout == output[1].stdout
    assert "Let one speak" not in output[0].stdout
