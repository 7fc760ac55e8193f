"""A study travels by its file, or by its text where there is no such file."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.machines.study_source import StudySource
from arena.studies.study import plays
from arena.tournaments.study_file import load_study

STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate
from motion_words import WORDS

def study(*, debates: int = 2) -> Study:
    motions = [Subject(f"{WORDS} {n}.") for n in range(debates)]
    return Study("here", [Arm("only", debate, against_itself([agent("sim/even")]))], motions)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A study that needs a file beside it."""
    (tmp_path / "motion_words.py").write_text("WORDS = 'This house would count to'")
    (tmp_path / "words.txt").write_text("no code")
    path = tmp_path / "far_study.py"
    path.write_text(STUDY)
    return path


def ids(file: Path, *options: str) -> list[str]:
    """The ids of the plays of a study file."""
    return [play.episode for play in plays(load_study(file, options))]


def test_its_plays_are_found_by_their_ids_in_any_order(file: Path) -> None:
    episodes = ids(file, "debates=3")
    source = StudySource(str(file), ("debates=3",))
    found = source.load("here", file.parent / "a.duckdb", episodes[::-1])
    assert [play.episode for play in found] == episodes[::-1]


def test_other_options_are_another_study(file: Path) -> None:
    episodes = ids(file, "debates=3")
    with pytest.raises(StudyError, match="describes other episodes of 'here'"):
        StudySource(str(file)).load("here", file.parent / "a.duckdb", episodes)


def test_its_text_takes_the_place_of_a_file_that_is_not_there_or_another(file: Path) -> None:
    episodes = ids(file)
    packed = StudySource(str(file)).packed()
    assert [name for name, _ in packed.texts] == ["far_study.py", "motion_words.py"]
    file.write_text("raise OSError('another file')")
    assert len(packed.load("here", file.parent / "a.duckdb", episodes)) == 2
    file.unlink()
    assert len(packed.load("here", file.parent / "a.duckdb", episodes)) == 2


def test_a_shipped_study_goes_by_its_name() -> None:
    source = StudySource("two_llms_debate")
    assert source.packed() == source
