"""A package of somebody else, of one file: a provider of models and a protocol by entry point."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

NAME = "mylab-arena"
# What its pyproject.toml would say, as an installer writes it.
ENTRY_POINTS = """
[arena.models]
mylab = mylab_arena:mylab_model

[arena.protocols]
ask_twice = mylab_arena:ask_twice
"""
SOURCE = '''
"""Models and a protocol of my lab."""

from arena.errors import RefusedError, StudyError
from arena.types import Answer, BaseModel, Reply
from protocols.asking import check_calls, question_prompt, reader

VERSION = "1"


class MyModel(BaseModel):
    """A model that gives one answer to everything."""

    simulated = True
    capabilities = frozenset({"seed"})

    def __init__(self, name):
        self.name = f"mylab/{name}"

    async def __call__(self, request):
        number = self.name.removeprefix("mylab/")
        return Reply(f"I say \\\\boxed{{{number}}}.", finish_reason="stop")


def mylab_model(name):
    """Return the model of a reference without its "mylab/"."""
    if not name:
        raise StudyError("'mylab/' names no model: write mylab/<number>")
    return MyModel(name)


async def ask_twice(episode, question, solver, *, times: int = 2):
    """Ask the same seat again and again; the last answer counts."""
    for number in range(times):
        turn = await episode.ask(
            solver, question_prompt(question), phase="answer", round=number, read=reader(question)
        )
    return Answer(solver.name, turn.answer)


def options_for_calls(calls):
    """Return the options with which so many calls are made."""
    check_calls(calls, 1, "ask_twice needs a call")
    return {"times": calls}
'''


def install(
    folder: Path,
    *,
    name: str = NAME,
    entry_points: str = ENTRY_POINTS,
    modules: Mapping[str, str] | None = None,
) -> Path:
    """Lay a package into a folder as pip would: its modules, and its metadata beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for module, source in ({"mylab_arena": SOURCE} if modules is None else modules).items():
        (folder / f"{module}.py").write_text(source)
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    return folder


def wheel(folder: Path) -> Path:
    """Pack the package into a wheel, and return its file."""
    tree = install(folder / "tree")
    metadata = tree / "mylab_arena-1.0.dist-info"
    tag = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    (metadata / "WHEEL").write_text(tag)
    members = [file for file in sorted(tree.rglob("*")) if file.is_file()]
    names = [file.relative_to(tree).as_posix() for file in members]
    record = f"{metadata.name}/RECORD"
    (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in (*names, record)))
    file = folder / "mylab_arena-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name in (*names, record):
            archive.write(tree / name, name)
    return file
