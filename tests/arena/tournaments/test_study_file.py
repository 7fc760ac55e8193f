"""A study from a file takes another name, whether its function knows of names or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.store.database import create
from arena.tournaments.shipped import shipped_studies
from arena.tournaments.stages import resolve_stage
from arena.tournaments.study_file import load_stages

FILE = """
from arena import Study
from arena.tournaments.stages import Stage

def study({options}):
    return {result}
"""
NAMED = 'Study("mine", [], [])'
STAGES = '[Study("cup", [], []), Study("cup heats", [], []), Study("extra", [], [])]'
OWN = '[Stage("own", lambda path: None, lambda path: 0, ())]'


def names(folder: Path, result: str, *options: str, takes: str = "") -> list[str]:
    """Return the names of the stages of a file."""
    file = folder / "s.py"
    file.write_text(FILE.format(options=takes, result=result))
    return [stage.name for stage in load_stages(file, options)]


def test_a_study_takes_another_name(tmp_path: Path) -> None:
    assert names(tmp_path, NAMED) == ["mine"]
    assert names(tmp_path, NAMED, "name=yours") == ["yours"]
    assert names(tmp_path, STAGES, "name=league") == ["league", "league heats", "league extra"]
    own = {"takes": "name: str"}
    assert names(tmp_path, 'Study(f"own {name}", [], [])', "name=yours", **own) == ["own yours"]
    with pytest.raises(StudyError, match="at least one letter"):
        names(tmp_path, NAMED, "name= ")
    with pytest.raises(StudyError, match="the stage 'own' cannot be given another name"):
        names(tmp_path, OWN, "name=yours")
    with pytest.raises(StudyError, match="has no option 'nam'; it has name"):
        names(tmp_path, NAMED, "nam=yours")


@pytest.mark.parametrize("source", sorted(shipped_studies()))
def test_every_shipped_study_takes_another_name(source: str) -> None:
    first, *others = load_stages(source, ["name=mine"])
    assert first.name == "mine"
    assert all(stage.name.startswith("mine ") for stage in others)


def test_a_tournament_and_its_juries_are_renamed_together(tmp_path: Path) -> None:
    stages = load_stages("tournament", ["name=mine", "rounds=2"])
    assert [stage.name for stage in stages] == ["mine", "mine jury"] * 2
    assert resolve_stage(stages[0], tmp_path / "none.duckdb").name == "mine"
    # It judges the study of the new name.
    path = tmp_path / "a.duckdb"
    create(path)
    with pytest.raises(StudyError, match="no finished debate of a study 'mine'"):
        resolve_stage(stages[1], path)
