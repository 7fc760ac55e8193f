"""The names of our packages mean ours, or one sentence says whose they are and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.packages import HOME, PACKAGES, foreign_package, neighbour_files
from arena.tournaments.study_file import load_stages

STUDY = """
from agents import agent
from arena import Arm, Study, Subject
from protocols.debate import debate

def study() -> Study:
    seats = dict.fromkeys(("proposition", "opposition"), agent("sim/even"))
    return Study("s", [Arm("a", debate, [seats])], [Subject("This house would test.")])
"""


def python(
    folder: Path, *words: str, path: tuple[Path, ...] = (HOME,)
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the places where it looks for packages before all others."""
    return subprocess.run(
        [sys.executable, "-P", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=60,
    )


def write_package(folder: Path, name: str, text: str = "") -> Path:
    """Write a foreign package, as another distribution would install it; return its file."""
    file = folder / name / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_all_four_names_are_ours_here() -> None:
    assert [foreign_package(name) for name in PACKAGES] == [None] * 4


def test_a_package_of_ours_that_came_by_itself_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a node of a cluster each of them lies in a folder of its own."""
    monkeypatch.setattr("arena.packages.HOME", tmp_path / "of arena alone")
    assert [foreign_package(name) for name in PACKAGES] == [None] * 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["agents", "analysis", "protocols"])
def test_a_foreign_package_or_file_is_named_with_its_remedy(name: str, tmp_path: Path) -> None:
    package = write_package(tmp_path / "site-packages", name)
    beside = tmp_path / "mine" / f"{name}.py"
    beside.parent.mkdir()
    beside.write_text("")
    for place, file, remedy in (
        (tmp_path / "site-packages", package, "use a new environment without it"),
        (tmp_path / "mine", beside, "rename it"),
    ):
        ended = python(tmp_path, "-c", "from arena import Study", path=(place, HOME))
        [sentence] = [line for line in ended.stderr.splitlines() if line.startswith("ImportError")]
        assert f"{file} is found in place of peer-arena's package {HOME / name}" in sentence
        assert remedy in sentence


@pytest.mark.slow
def test_the_command_says_it_in_one_line_and_the_doctor_runs_in_spite_of_it(tmp_path: Path) -> None:
    file = write_package(tmp_path / "site-packages", "agents")
    path = (tmp_path / "site-packages", HOME)
    ended = python(tmp_path, "-m", "arena", "status", path=path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"arena status: {file} is found in place of ")
    assert len(ended.stderr.splitlines()) == 1
    ended = python(tmp_path, "-m", "arena", "doctor", "--json", path=path)
    assert ended.returncode == 1
    assert f"{file} is found in place of" in ended.stdout


@pytest.mark.parametrize("left", ["", None])
def test_a_package_that_was_overwritten_or_removed_is_told(
    left: str | None, tmp_path: Path
) -> None:
    """As openai-agents does: it writes its agents/__init__.py over ours, or takes it along."""
    for name in PACKAGES:
        shutil.copytree(HOME / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "agents" / "__init__.py"
    if left is None:
        file.unlink()
    else:
        file.write_text(left)
    # -S: an editable installation would be found after the copy.
    ended = python(tmp_path, "-S", "-m", "arena", "status", path=(tmp_path,))
    assert str(file) in ended.stderr
    assert ("was overwritten by" if left is not None else "is missing at") in ended.stderr
    assert ended.returncode == 2


@pytest.mark.slow
def test_a_study_beside_files_of_these_names_runs_with_our_packages(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not ours')")
    (tmp_path / "s.py").write_text(STUDY)
    ended = python(tmp_path, "-m", "arena", "run", "s.py")
    assert "1 of 1 episodes done" in ended.stdout, ended.stderr


def test_a_study_that_wants_a_neighbour_of_such_a_name_is_told_to_rename_it(tmp_path: Path) -> None:
    (tmp_path / "analysis.py").write_text("mine = 1")
    (tmp_path / "s.py").write_text("from analysis import mine")
    with pytest.raises(StudyError, match=r"has the name of a package .* rename it") as caught:
        load_stages(tmp_path / "s.py")
    assert str(tmp_path / "analysis.py") in str(caught.value)


def test_neighbours_are_files_and_packages_but_not_our_own(tmp_path: Path) -> None:
    assert neighbour_files(HOME) == []
    (tmp_path / "arena.py").write_text("")
    file = write_package(tmp_path, "analysis")
    assert neighbour_files(tmp_path) == [file, tmp_path / "arena.py"]
    # A clone of ours, in which an installed copy is started.
    shutil.copytree(HOME / "agents", tmp_path / "clone" / "agents", ignore=lambda *_: ["local"])
    assert neighbour_files(tmp_path / "clone") == []
