"""`arena run --on` says what is wrong with a place before anything is loaded or written."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from pathlib import Path

import pytest

from agents import agent
from arena import Arm, Study, Subject
from arena.cli.main import main
from arena.errors import StudyError
from arena.machines.places import OnRay
from arena.machines.ray_cluster import Cluster, prepare
from arena.machines.ray_engines import Engines
from arena.machines.ray_models import EngineModel, place_models
from arena.machines.waiting import say_while
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


@pytest.mark.parametrize(
    ("engines", "gpus", "own", "is_said"),
    [
        (None, 0, True, True),
        (1, 2, True, True),
        (None, 1, True, True),
        (2, 0, True, False),
        (None, 2, True, False),
        (None, 0, False, False),
    ],
)
def test_one_engine_on_this_machine_is_said_to_gain_nothing(
    engines: int | None, gpus: int, own: bool, is_said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Engines(OnRay(None, engines))._size(Cluster(1, gpus, 2.0, own))
    assert ("one engine on this machine plays no faster" in capsys.readouterr().err) == is_said


def test_a_ray_that_cannot_be_imported_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('no ray here')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(StudyError, match=r"cannot be imported \(no ray here\)"):
        prepare(OnRay())


async def test_what_is_waited_for_ends_without_a_word_when_the_run_does() -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    work = asyncio.gather(asyncio.sleep(60), asyncio.sleep(60))
    waiting = asyncio.create_task(say_while(work, "engines"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    del work, waiting
    await asyncio.sleep(0.01)
    gc.collect()
    assert said == []


def test_nothing_outside_the_room_of_machines_imports_ray() -> None:
    named = re.compile(r"^\s*(?:import|from) ray\b", re.MULTILINE)
    files = [file for name in PACKAGES for file in (HOME / name).rglob("*.py")]
    importing = {file for file in files if named.search(file.read_text())}
    assert {file.parent for file in importing} == {HOME / "arena" / "machines"}
    # Inside it, only when it is asked for.
    top = re.compile(r"^(?:import|from) ray\b", re.MULTILINE)
    assert [file for file in importing if top.search(file.read_text())] == []
