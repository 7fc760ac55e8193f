"""Studies come with the package: they run by name, and are copied under another one."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.studies.study import Study
from arena.tournaments import shipped
from arena.tournaments.shipped import copy_study, find_study, shipped_studies
from arena.tournaments.study_file import load_stages

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(shipped_studies())


def test_the_wheel_packs_exactly_the_studies_that_a_checkout_finds() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    assert wheel["sources"] == {"experiments": "arena/shipped"}
    packed = {
        file.stem
        for file in (ROOT / "experiments").glob("*.py")
        if any(fnmatch(f"/experiments/{file.name}", pattern) for pattern in wheel["include"])
        and f"/experiments/{file.name}" not in wheel["exclude"]
    }
    assert packed == set(NAMES)
    assert "two_llms_debate" in NAMES


def test_a_file_comes_first_then_the_shipped_study_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study("leap") == shipped_studies()["leap"]
    assert find_study("leap.py") == shipped_studies()["leap"]
    Path("leap").write_text("an output of that name")
    assert find_study("leap") == shipped_studies()["leap"]
    Path("leap").unlink()
    Path("leap").mkdir()
    Path("leap.py").write_text("")
    assert find_study("leap") == find_study("leap.py") == Path("leap.py")


@pytest.mark.parametrize(
    "name", ["two_lms_debate", "experiments/two_llms_debate.py", "", "no/leap"]
)
def test_an_unknown_name_lists_what_is_shipped(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = re.escape(", ".join(NAMES))
    with pytest.raises(StudyError, match=f"run by name: {names}") as caught:
        find_study(name)
    assert ("did you mean two_llms_debate?" in str(caught.value)) == ("debate" in name)


def test_the_copies_in_an_installed_package_come_before_a_folder_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "arena")
    (tmp_path / "arena" / "shipped").mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    for folder in ("arena/shipped", "experiments"):
        (tmp_path / folder / f"{folder[:5]}.py").write_text("def study(): ...")
        (tmp_path / folder / "tool.py").write_text("def main(): ...")
    assert list(shipped_studies()) == ["arena"]


@pytest.mark.parametrize("source", NAMES)
def test_a_copy_is_the_same_study_under_its_own_name(source: str, tmp_path: Path) -> None:
    file = tmp_path / "my-study.py"
    copy_study(file, source)
    [original, *_] = load_stages(shipped_studies()[source])
    [copied, *others] = load_stages(file)
    assert copied.name == original.name.replace(source, "my-study")
    # One that reads stored debates is a stage: its arms and subjects are still to come.
    if isinstance(original, Study):
        assert isinstance(copied, Study)
        assert [arm.label for arm in copied.arms] == [arm.label for arm in original.arms]
        assert copied.subjects == original.subjects
    assert all(source not in stage.name for stage in others)
    usage = ast.get_docstring(ast.parse(file.read_text())) or ""
    assert "arena run my-study" in usage
    assert f"arena run {source}" not in usage


def test_a_copy_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("mine")
    with pytest.raises(StudyError, match=r"mine\.py is there already"):
        copy_study(file, "leap")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("target", "source", "words"),
    [
        ("a b.py", "leap", "letters, digits"),
        ('a"b.py', "leap", "letters, digits"),
        ("agents.py", "leap", "the name of a package"),
        ("mine.py", "lap", "there is no study 'lap' to copy; the package has: "),
        ("none/mine.py", "leap", "cannot write"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_in_one_sentence(
    target: str, source: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=words):
        copy_study(tmp_path / target, source)
    assert list(tmp_path.iterdir()) == []
