"""Packages of others add models and protocols by name, and none of them can do harm in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from pprint import pprint

import pytest

from agents import agent, model
from arena.arena import Arena
from arena.cli.commands.hooks import make_hook
from arena.cli.main import main
from arena.errors import StudyError
from arena.events import Hook, RunWarning, StudyEnded
from arena.plugins import HOOKS, MODELS, PROTOCOLS, Plugin, plugins
from arena.store.database import query
from protocols import named
from tests import third_party
from tests.fake_agents import study

ROOT = Path(__file__).resolve().parents[2]
STUDY = str(ROOT / "experiments" / "self_agreement.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which packages can be installed; what they import is forgotten afterwards."""
    before = set(sys.modules)
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    yield place
    for name in set(sys.modules) - before:
        if name.startswith(("mylab", "other", "broken")):
            del sys.modules[name]


def add(folder: Path, name: str, *lines: str, group: str = MODELS, **modules: str) -> None:
    """Install a package with these entry points and modules."""
    entry_points = f"[{group}]\n" + "\n".join(lines)
    third_party.install(folder, name=name, entry_points=entry_points, modules=modules)


def test_a_package_adds_a_provider_and_a_protocol_by_name(folder: Path) -> None:
    third_party.install(folder)
    made = agent("mylab/42")
    assert (made.name, made.model.name, made.model.simulated) == ("mylab/42", "mylab/42", True)
    assert named("ask_twice").__name__ == "ask_twice"


def test_plugins_are_listed_with_their_packages_and_without_an_import(folder: Path) -> None:
    third_party.install(folder)
    assert plugins(MODELS) == (
        Plugin(MODELS, "mylab", "mylab_arena:mylab_model", "mylab-arena 1.0"),
    )
    assert [(each.name, each.package) for each in plugins(PROTOCOLS)] == [
        ("ask_twice", "mylab-arena 1.0")
    ]
    model("sim/even")
    named("single")
    with pytest.raises(StudyError, match="no model reference"):
        model("nonsense/x")
    assert "mylab_arena" not in sys.modules


def test_a_package_that_is_installed_meanwhile_is_found(folder: Path) -> None:
    with pytest.raises(StudyError, match="no model reference"):
        model("mylab/1")
    third_party.install(folder)
    assert model("mylab/1").name == "mylab/1"


def test_a_misspelt_provider_or_protocol_of_a_package_is_met_with_the_right_one(
    folder: Path,
) -> None:
    third_party.install(folder)
    with pytest.raises(StudyError, match=r"did you mean mylab/1\?.*mylab/<model> \(mylab-arena 1"):
        model("mylb/1")
    with pytest.raises(StudyError, match=r"no protocol 'ask_twise'; did you mean ask_twice\?"):
        named("ask_twise")


def test_a_name_that_two_packages_have_is_refused_and_both_are_named(folder: Path) -> None:
    third_party.install(folder)
    add(folder, "other-lab", "mylab = other_lab:model")
    with pytest.raises(StudyError, match=r"mylab-arena 1\.0 and other-lab 1\.0 have it; uninstall"):
        model("mylab/1")
    assert model("sim/even")


@pytest.mark.parametrize("name", ["openai", "gemini", "sim", "local"])
def test_a_package_cannot_take_a_provider_of_ours(folder: Path, name: str) -> None:
    add(folder, "other-lab", f"{name} = other_lab:model")
    with pytest.raises(StudyError, match=r"other-lab 1\.0 and Peer Arena itself have it"):
        model(f"{name}/x")
    assert "other_lab" not in sys.modules


def test_a_package_cannot_take_a_protocol_of_ours(folder: Path) -> None:
    add(folder, "other-lab", "debate = other_lab:debate", group=PROTOCOLS)
    with pytest.raises(StudyError, match=r"other-lab 1\.0 and Peer Arena itself have it"):
        named("debate")


BROKEN = {
    "import nothing_of_this_name": "ModuleNotFoundError: No module named 'nothing_of_this_name'",
    "raise SystemExit(1)": "SystemExit: 1",
    "make = 3": "TypeError: 3 is no function",
    "def mak(name): ...": "AttributeError: .*no attribute 'make'",
    "def make(name): 1 / 0": "ZeroDivisionError: division by zero",
    "def make(name):\n    from agents import model\n    return model('sim/even')": "not mylab/",
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_package_is_named_and_only_when_it_is_asked_for(folder: Path, source: str) -> None:
    add(folder, "broken-lab", "mylab = broken_lab:make", broken_lab=source)
    assert model("sim/even")
    with pytest.raises(StudyError, match=rf"package broken-lab 1\.0, whose .*{BROKEN[source]}"):
        model("mylab/x")


def test_a_function_that_returns_no_model_is_told_what_is_missing(folder: Path) -> None:
    source = (
        "class M:\n    name = 'mylab/x'\n    def __call__(self, r): ...\ndef make(n): return M()"
    )
    add(folder, "broken-lab", "mylab = broken_lab:make", broken_lab=source)
    with pytest.raises(StudyError, match=r"has no capabilities.*BaseModel"):
        model("mylab/x")


UNFIT = {
    "async def poll(episode, question, solver): ...": "needs a text VERSION",
    "VERSION = '1'\nasync def vote(episode, question, solver): ...\npoll = vote": "called 'vote'",
}


@pytest.mark.parametrize("source", UNFIT)
def test_a_protocol_without_a_version_or_with_another_name_is_refused(
    folder: Path, source: str
) -> None:
    add(folder, "broken-lab", "poll = broken_lab:poll", group=PROTOCOLS, broken_lab=source)
    with pytest.raises(StudyError, match=UNFIT[source]):
        named("poll")


def test_damaged_metadata_of_a_package_is_in_nobodys_way(folder: Path) -> None:
    third_party.install(folder)
    for number, content in enumerate(
        (b"[arena.models]\n\xff = a:b", b"[arena.models\nx\n= =", b"")
    ):
        metadata = folder / f"damaged{number}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_bytes(content)
    assert model("mylab/1").name == "mylab/1"


def test_the_same_package_in_two_folders_is_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third_party.install(folder)
    third_party.install(tmp_path / "again", name="mylab_arena")
    monkeypatch.syspath_prepend(str(tmp_path / "again"))
    assert model("mylab/1").name == "mylab/1"


@pytest.mark.slow
def test_a_study_of_a_package_is_played_continued_and_reported_by_the_command_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    third_party.install(folder)
    monkeypatch.chdir(tmp_path)
    run = ["run", STUDY, "-o", "model=mylab/7", "-o", "protocols=ask_twice,single"]
    run += ["-o", "calls=2", "-o", "number=3"]
    assert main([*run, "--limit", "2"]) == 0
    assert "2 of 6 episodes done" in capsys.readouterr().out
    assert main(run) == 0
    assert "6 of 6 episodes done" in capsys.readouterr().out
    assert main(run) == 0
    store = Path("arena.duckdb")
    sql = """
        select protocol, version, any_value(model), count(distinct episode), count(*)
        from episodes join calls using (episode) join seats using (episode, seat)
        group by all order by all"""
    assert list(query(store, sql).rows) == [
        ("ask_twice", "1", "mylab/7", 3, 6),
        ("single", "1", "mylab/7", 3, 3),
    ]
    capsys.readouterr()
    assert main(["report", "--study", "self_agreement"]) == 0
    assert "ask_twice" in capsys.readouterr().out


def test_an_error_of_a_package_is_one_sentence_of_the_command_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add(folder, "broken-lab", "mylab = broken_lab:make", broken_lab="import nothing")
    monkeypatch.chdir(tmp_path)
    assert main(["run", STUDY, "-o", "model=mylab/7"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "mylab comes from the package broken-lab 1.0" in error
    assert not list(tmp_path.glob("arena.duckdb*"))


def test_the_doctor_lists_what_packages_add_and_names_that_are_taken_twice(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    third_party.install(folder)
    add(folder, "other-lab", "openai = other_lab:model", "theirs = other_lab:theirs")
    add(folder, "log-lab", "theirs = log_lab:tell", group=HOOKS)
    assert main(["doctor"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "ok plugins mylab-arena 1.0 adds mylab/<model>, the protocol ask_twice" in words
    assert "ok plugins other-lab 1.0 adds theirs/<model>" in words
    assert "ok plugins log-lab 1.0 adds the hook theirs" in words
    assert "! plugins openai is the name of several things in arena.models: other-lab 1.0" in words
    assert {"mylab_arena", "other_lab"}.isdisjoint(sys.modules)


@pytest.mark.slow
def test_a_package_is_found_as_pip_installs_it(tmp_path: Path) -> None:
    wheel = third_party.wheel(tmp_path)
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    run = [sys.executable, "-m", "arena", "run", STUDY, "-o", "model=mylab/7"]
    run += ["-o", "protocols=ask_twice", "-o", "number=2", "-o", "calls=2"]
    played = subprocess.run(
        run,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2 of 2 episodes done" in played.stdout


def test_a_package_adds_a_hook_and_a_broken_one_is_a_warning(folder: Path, tmp_path: Path) -> None:
    seen = "def on_event(event):\n    EVENTS.append(event)\n\nEVENTS = []\n"
    add(folder, "mylab-hooks", "mylab = mylab_hooks:on_event", group=HOOKS, mylab_hooks=seen)
    failing = "raise ValueError('out of order')\n"
    add(folder, "broken-hooks", "broken = broken_hooks:f", group=HOOKS, broken_hooks=failing)
    Arena(tmp_path / "a.duckdb").run(study(subjects=1), watch=lambda stats: None)
    events = sys.modules["mylab_hooks"].EVENTS
    assert isinstance(events[-1], StudyEnded)
    (warning,) = [event.sentence for event in events if isinstance(event, RunWarning)]
    assert "broken comes from the package broken-hooks 1.0" in warning


def test_hooks_are_named_on_the_command_line() -> None:
    assert make_hook("pprint:pprint") is pprint
    assert isinstance(make_hook("otel"), Hook)
    for name in ("none", "os:none", "no_such_module:f"):
        with pytest.raises(StudyError, match="hook"):
            make_hook(name)
