"""The studies that users copy, and the benchmarks at a small size."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from arena.cli.main import main
from arena.play.run import Arena
from arena.store.schema import JOURNALED
from arena.studies.study import plays
from arena.tournaments.study_file import load_study

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "experiments" / "two_llms_debate.py"


def benchmark(name: str) -> ModuleType:
    """Import a benchmark as a module."""
    sys.path.insert(0, str(ROOT / "experiments" / "benchmarks"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


@pytest.mark.slow
def test_the_script_and_arena_run_play_the_same_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = subprocess.run(
        [sys.executable, str(STUDY)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert script.returncode == 0, script.stderr
    # The paper's opening mean of `self`.
    assert "64.08" in script.stdout
    assert "SIMULATED" in script.stdout
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(STUDY)]) == 0
    # One run: the second command found every episode done.
    assert Arena().sql("select count(*), count(distinct run) from runs").rows == ((1, 1),)


@pytest.mark.slow
def test_the_script_refuses_an_unknown_option_in_one_sentence(tmp_path: Path) -> None:
    script = subprocess.run(
        [sys.executable, str(STUDY), "speed=9"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert script.returncode == 2
    assert "has no option 'speed'" in script.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "preset", ["cross_model", "self", "informed", "public", "red_team", "multi_round"]
)
def test_every_preset_is_one_option_away(tmp_path: Path, preset: str) -> None:
    (tmp_path / "my.jsonl").write_text('{"motion": "This house would write its own motions."}\n')
    study = load_study(
        STUDY,
        [f"preset={preset}", "models=sim/even,sim/modest", f"motions={tmp_path / 'my.jsonl'}"],
    )
    assert study.name == f"two_llms_debate_{preset}"
    assert len(plays(study)) == 2
    assert Arena(tmp_path / "a.duckdb").run(study).done == 2


def test_control_arms_stand_beside_each_way_to_rate_and_change_one_thing(tmp_path: Path) -> None:
    plain = load_study(STUDY, ["models=sim/even"])
    study = load_study(STUDY, ["models=sim/even", "controls=once,misplaced"])
    assert [arm.label for arm in study.arms] == ["self", "misplaced", "once"]
    assert study.name == "two_llms_debate_self_controls"
    for arm in study.arms[1:]:
        assert len(arm.options.items() - plain.arms[0].options.items()) == 1
    study = load_study(STUDY, ["models=sim/even", "controls=all", "ratings=stake,scored"])
    labels = [arm.label for arm in study.arms]
    assert len(labels) == 2 * 6
    assert labels[:3] == ["stake", "scored", "stake, before"]
    assert study.arms[2].options["rating"] == "stake"
    # Misplaced speeches are on motions of the study's own, if there are others.
    for motions in (["One."], ["One.", "Two."]):
        file = tmp_path / f"{len(motions)}.txt"
        file.write_text("\n".join(motions))
        study = load_study(STUDY, ["controls=misplaced", f"motions={file}"])
        assert study.arms[1].options.get("other_motions", ()) == tuple(motions * (len(motions) > 1))


def test_an_optional_list_is_written_with_commas() -> None:
    study = load_study(ROOT / "experiments" / "leap.py", ["part=0,1", "number=1"])
    assert study.arms[1].options["part"] == [0, 1]


@pytest.mark.slow
def test_the_demonstration_ends_with_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "180 of 180 episodes done" in out
    assert "SIMULATED" in out
    command = out.splitlines()[-1].partition("arena ")[2].split()
    assert main(command) == 0
    assert "Simulated closing speech" in capsys.readouterr().out


@pytest.mark.slow
def test_killed_runs_lose_nothing_and_ask_nothing_twice(tmp_path: Path) -> None:
    crashes = benchmark("crashes")
    counts = crashes.kill_and_continue(tmp_path, random.Random(7), kills=3)
    assert counts.kills == 3
    assert (counts.lost, counts.changed, counts.asked_again, counts.not_done) == (0, 0, 0, 0)
    assert counts.turns == counts.stores * crashes.TURNS


@pytest.mark.slow
def test_flipped_bits_in_journals_are_found(tmp_path: Path) -> None:
    # Lines of every kind: each base table, and the first and last line of a journal.
    kinds = {*JOURNALED, "journal", "end"}
    counts = benchmark("flips").flip_bits(tmp_path, random.Random(2), len(kinds))
    assert (counts.found, counts.unseen, counts.wrong) == (len(kinds), [], [])
    assert counts.kinds.keys() == kinds


@pytest.mark.slow
def test_a_killed_study_ends_like_one_that_was_left_alone(tmp_path: Path) -> None:
    assert benchmark("crashes").equal_to_untouched(tmp_path, random.Random(3))


@pytest.mark.slow
def test_debates_in_parallel_take_three_calls_in_a_row(tmp_path: Path) -> None:
    """The benchmark measures the ratio; here only that it is of the right size."""
    wall, _ = benchmark("debates").time_study(
        tmp_path / "a.duckdb", debates=10, latency_s=0.3, in_flight=60
    )
    # One call after another would take 18 seconds.
    assert 0.9 <= wall < 9
