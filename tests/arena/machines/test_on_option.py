"""`arena run --on` says what is wrong with a place before anything is loaded or written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agents import agent
from arena import Arm, Study, Subject
from arena.cli.main import main
from arena.errors import StudyError
from arena.machines.places import OnRay
from arena.machines.ray_engines import Engines
from arena.machines.ray_models import EngineModel, place_models
from arena.packages import HOME, PACKAGES
from arena.studies.study import plays
from protocols.debate import debate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--on", "slurm"], "is played on ray"),
        (["--on", "ray://10.0.0.5"], "ray://HOST:PORT"),
        (["--engines", "2"], "--engines"),
    ],
)
def test_a_wrong_place_is_one_sentence(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "two_llms_debate", "-o", "models=sim/even", *options]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def study_of(first: str, second: str) -> Study:
    """A debate between two models."""
    lineup = {"proposition": agent(first), "opposition": agent(second)}
    return Study("s", [Arm("a", debate, [lineup])], [Subject("This house would.")])


def test_only_local_models_are_placed_and_ids_stay() -> None:
    pytest.importorskip("ray")
    study = study_of("toy/sum", "sim/even")
    placed = place_models(study, Engines(OnRay()), lambda model: None)
    before, after = plays(study)[0], plays(placed)[0]
    assert before.episode == after.episode
    here, there = after.lineup["opposition"], after.lineup["proposition"]
    assert here.model is before.lineup["opposition"].model
    assert isinstance(there.model, EngineModel)
    assert (there.model.name, there.name) == ("toy/sum", "toy/sum")
    assert there.model.price == before.lineup["proposition"].model.price


def test_a_study_without_local_models_is_left_alone() -> None:
    study = study_of("sim/even", "sim/overconfident")
    assert place_models(study, Engines(OnRay()), lambda model: None) is study


def test_engines_and_servers_in_one_study_are_refused() -> None:
    study = study_of("toy/sum", "vllm/m@ray")
    with pytest.raises(StudyError, match="models in engines and models behind servers"):
        place_models(study, Engines(OnRay()), lambda model: None)


def test_nothing_outside_the_room_of_machines_imports_ray() -> None:
    named = re.compile(r"^\s*(?:import|from) ray\b", re.MULTILINE)
    files = [file for name in PACKAGES for file in (HOME / name).rglob("*.py")]
    importing = {file for file in files if named.search(file.read_text())}
    assert {file.parent for file in importing} == {HOME / "arena" / "machines"}
    # Inside it, only when it is asked for.
    top = re.compile(r"^(?:import|from) ray\b", re.MULTILINE)
    assert [file for file in importing if top.search(file.read_text())] == []
