"""The tournament that users copy, from the command line, and its benchmarks at a small size."""

from __future__ import annotations

import ast
import csv
import json
import random
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from arena.cli.main import main
from arena.errors import StudyError
from arena.play.run import Arena
from arena.tournaments.study_file import load_stages, load_study

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "experiments" / "tournament.py"
FEW = [
    "-o",
    "models=sim/even:strength=-1.0,sim/even,sim/even:strength=1.0",
    "-o",
    "judges=sim/judge,sim/judge:unreadable=0.5",
]


def benchmark(name: str) -> ModuleType:
    """Import a benchmark as a module."""
    sys.path.insert(0, str(ROOT / "experiments" / "benchmarks"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


@pytest.fixture
def motions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Work in an empty folder with two motions of its own."""
    monkeypatch.chdir(tmp_path)
    Path("two.txt").write_text("This house would play.\nThis house would judge.\n")
    return ["-o", "motions=two.txt"]


def test_the_study_has_at_most_ten_lines() -> None:
    """Count the lines of `study` without its signature and docstring.

    It plans six models, ten motions and three judges.
    """
    function = next(
        node
        for node in ast.parse(FILE.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "study"
    )
    body = function.body[1:]
    assert (body[-1].end_lineno or 0) - body[0].lineno + 1 <= 10
    debates, jury = load_stages(FILE)
    assert (debates.name, jury.name) == ("tournament", "tournament jury")
    assert jury.count_episodes(Path("none")) == 15 * 2 * 10 * 3 * 2  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_run_counts_first_and_ends_with_the_leaderboard(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(FILE), *FEW, *motions]) == 0
    out = capsys.readouterr().out
    # 3 pairs in both seats on 2 motions; 2 judges read each debate in both orders.
    assert (
        out.splitlines()[0] == "planned: tournament 12 episodes, then tournament jury 48 episodes"
    )
    assert "tournament jury: 48 of 48 episodes done" in out
    assert out.index("SIMULATED") < out.index("Leaderboard")
    missing = Arena().sql("select count(*) from verdicts where winner is null").rows[0][0]
    assert f"out of 48 verdicts, {missing} of them missing" in out
    assert missing > 0
    command = out.splitlines()[-1].partition("next: arena ")[2].split()
    assert command[:3] == ["rank", "--study", "tournament"]
    assert main(command) == 0
    assert "Leaderboard: strength in logits" in capsys.readouterr().out


@pytest.mark.slow
def test_a_second_run_asks_nothing_and_shows_the_same(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(FILE), *FEW, *motions]) == 0
    first = capsys.readouterr().out
    assert main(["run", str(FILE), *FEW, *motions]) == 0
    second = capsys.readouterr().out
    assert "tournament jury: 48 of 48 episodes done, 0 failed, 0 open; 0 replies" in second
    assert second[second.index("Leaderboard") :] == first[first.index("Leaderboard") :]


@pytest.mark.slow
def test_swiss_is_one_option_away_and_a_limit_stops_the_later_stages(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    swiss = ["run", str(FILE), *FEW, *motions, "-o", "rounds=2"]
    assert main([*swiss, "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert "swiss: 2 of 4 episodes done, 0 failed, 2 open" in out
    assert "swiss jury:" not in out
    assert "continue with the same command" in out
    assert main(swiss) == 0
    assert "swiss jury: 32 of 32 episodes done" in capsys.readouterr().out


@pytest.mark.slow
def test_stored_debates_are_judged_without_being_played(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As imported debates are; these are the store's own, from a study of another file."""
    debates = ["run", str(ROOT / "experiments" / "two_llms_debate.py")]
    assert main([*debates, "-o", "preset=cross_model", *motions]) == 0
    judged = ["run", str(FILE), "-o", "judged=two_llms_debate_cross_model"]
    assert main([*judged, "-o", "judges=sim/judge"]) == 0
    out = capsys.readouterr().out
    assert (
        "two_llms_debate_cross_model jury: 24 of 24 episodes done, 0 failed, 0 open; 24 replies"
        in out
    )
    # 12 debates of two sides and three speeches, all of them played before.
    assert Arena().sql("select count(*) from turns where seat <> 'judge'").rows == ((72,),)
    assert main(["run", str(FILE), "-o", "judged=nothing"]) == 2
    assert "holds no finished debate of a study 'nothing'" in capsys.readouterr().err


@pytest.mark.slow
def test_ranks_as_json_and_the_pairwise_file(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(FILE), *FEW, *motions]) == 0
    capsys.readouterr()
    assert main(["rank", "--json"]) == 0
    [ranks] = json.loads(capsys.readouterr().out)
    assert (ranks["study"], ranks["debates"], ranks["simulated"]) == ("tournament", 12, True)
    assert main(["export", "files", "--format", "pairwise"]) == 0
    out = capsys.readouterr().out
    with Path("files/pairwise.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert f"{len(rows)} rows; left out: {48 - len(rows)} missing verdicts" in out
    assert main(["export", "files", "--format", "pairwise"]) == 2
    assert main(["export", "tables", "--format", "csv"]) == 0
    assert "verdicts.csv: 48 rows" in capsys.readouterr().out


@pytest.mark.slow
def test_a_store_without_verdicts_has_no_ranks(
    motions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(ROOT / "experiments" / "two_llms_debate.py"), *motions]) == 0
    assert "Leaderboard" not in capsys.readouterr().out
    assert main(["rank"]) == 0
    assert "no verdicts in this store" in capsys.readouterr().out
    assert main(["rank", "--study", "two_llms_debate_self"]) == 2
    assert "studies with verdicts: none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return [1]", "a list of studies and stages"),
        ("return []", "a list of studies and stages"),
        ("return None", "a Study, or a list"),
    ],
)
def test_a_study_file_that_gives_no_study_says_so(
    motions: list[str], body: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("odd.py").write_text(f"def study():\n    {body}\n")
    assert main(["run", "odd.py"]) == 2
    assert words in capsys.readouterr().err


def test_several_stages_are_no_single_study() -> None:
    with pytest.raises(StudyError, match="describes 2 stages"):
        load_study(FILE)


@pytest.mark.slow
def test_killed_swiss_tournaments_end_like_one_that_was_left_alone(tmp_path: Path) -> None:
    counts = benchmark("swiss").kill_and_continue(tmp_path, random.Random(5), kills=1)
    assert (counts.kills, counts.verdicts > 0) == (1, True)
    assert (
        counts.too_often,
        counts.other_pairings,
        counts.other_verdicts,
        counts.second_verdicts,
    ) == (0, 0, 0, 0)


@pytest.mark.slow
def test_debates_and_their_jury_take_four_calls_in_a_row(tmp_path: Path) -> None:
    """The benchmark measures the ratio; this test only its size, and that no call is made twice."""
    wall, _, calls = benchmark("tournament").time_tournament(
        tmp_path / "a.duckdb", debates=6, readings=(3, 2), latency_s=0.3, in_flight=60
    )
    # 36 speeches, and 6 debates that 3 judges read twice.
    assert calls == 72
    # One call after another would take 21 seconds.
    assert 1.2 <= wall < 10


def test_intervals_hold_known_strengths_and_planted_biases() -> None:
    """The benchmark in small: of some hundred intervals, about nine in ten hold the truth."""
    ranking = benchmark("ranking")
    taus, held, _ = zip(
        *(ranking.rank_tournament(seed, 5, 10, 3) for seed in range(12)), strict=True
    )
    assert np.mean(taus) > 0.9
    assert np.mean(held) > 0.85
    checks = [ranking.check_biases(seed, 6, 10) for seed in range(8)]
    assert np.mean([[holds for holds, _ in check.values()] for check in checks]) > 0.85
    assert np.mean([check["side -0.5 logits"][1] for check in checks]) > 0.8
