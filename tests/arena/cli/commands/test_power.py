"""`arena power`: what is assumed, how many debates it takes, and one sentence where that cannot be
said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents import agent
from arena import Arena, Arm, Study, Subject, against_itself
from arena.cli.main import main
from protocols.debate import debate

ROOT = Path(__file__).parents[4]
RISE = ["sim/even:drift=0.02", "--debates", "10,40", "--studies", "400"]


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The plan as JSON."""
    assert main(["power", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The plan in words, on one line."""
    assert main(["power", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_the_model_is_said_in_words_and_called_simulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = said(
        capsys,
        "sim/even:bias=0.1:drift=0.02:noise=0.07:unreadable=0.2",
        "--debates",
        "20",
        "--studies",
        "200",
    )
    assert words.startswith("SIMULATED studies: no model was asked")
    assert (
        "the first rating is 60.0% on average, +2.0 points in each further phase, 64.0% in the last"
        in words
    )
    assert (
        "7.0 points for each rating (noise), 5.0 points that all ratings of a debate share"
        " (debate_sd)" in words
    )
    assert (
        "20.0% of replies have no readable rating, and so has the re-ask: 4.0% of ratings are"
        " missing" in words
    )
    assert "True effect, with clipping and rounding: +4.0 points." in words


def test_the_table_and_the_answer_name_debates_and_calls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, found = said(capsys, *RISE), plan(capsys, *RISE)
    assert [row["debates"] for row in found["powers"]] == [10, 40]
    assert [row["calls"] for row in found["powers"]] == [60, 240]
    smallest = found["smallest"]
    assert (
        f"For a power of 80%: {smallest['debates']} debates, {smallest['calls']} calls (power"
        f" {100 * smallest['share']:.1f}%" in words
    )


def test_the_smallest_number_reaches_the_target_and_one_less_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    least = plan(capsys, *RISE)["smallest"]["debates"]
    around = plan(
        capsys, "sim/even:drift=0.02", "--studies", "400", "--debates", f"{least - 1},{least}"
    )["powers"]
    assert around[0]["share"] < 0.8 <= around[1]["share"]


def test_the_same_seed_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(capsys, *RISE, "--seed", "7") == plan(capsys, *RISE, "--seed", "7")
    assert (
        plan(capsys, *RISE, "--seed", "7")["powers"] != plan(capsys, *RISE, "--seed", "8")["powers"]
    )


def test_without_an_effect_no_number_of_debates_is_enough_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = said(capsys, "sim/even", "--debates", "20", "--most", "50", "--studies", "200")
    assert "No number of debates up to 50 (--most) reaches a power of 80%." in words
    assert "The claim is false of these debaters" in words


@pytest.mark.parametrize(
    ("arguments", "calls", "effect"),
    [
        (["sim/even:drift=0.02", "--against", "sim/even"], 60, 0.02),
        (["sim/even:bias=0.1", "--claim", "above-half"], 60, 0.1),
        (["sim/even:bias=0.02", "--claim", "equivalence"], 60, 0.02),
        (
            ["sim/even:bias=0.1", "--claim", "difference", "--against", "sim/even:bias=-0.1"],
            120,
            0.2,
        ),
        (
            [
                "sim/even:bias=0.1",
                "--claim",
                "difference",
                "--against",
                "sim/even:bias=-0.1",
                "--paired",
                "motion",
            ],
            120,
            0.2,
        ),
        (
            [
                "sim/even:bias=0.1",
                "--claim",
                "difference",
                "--against",
                "sim/even:bias=-0.1",
                "--paired",
                "debate",
            ],
            60,
            0.2,
        ),
    ],
)
def test_every_claim_has_its_calls_and_its_effect(
    capsys: pytest.CaptureFixture[str], arguments: list[str], calls: int, effect: float
) -> None:
    found = plan(capsys, *arguments, "--debates", "10", "--most", "200", "--studies", "100")
    assert found["powers"][0]["calls"] == calls
    assert found["effect"] == pytest.approx(effect, abs=1e-4)
    assert (found["simulated"], found["true"]) == (True, True)


@pytest.mark.slow
def test_kinds_that_meet_in_a_debate_need_fewer_debates_where_debates_differ_much(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = [
        "sim/even:bias=0.04:debate_sd=0.2",
        "--claim",
        "difference",
        "--against",
        "sim/even:debate_sd=0.2",
        "--studies",
        "300",
    ]
    apart, motion, together = (
        plan(capsys, *kinds, *paired, "--debates", "40")["smallest"]["debates"]
        for paired in ([], ["--paired", "motion"], ["--paired", "debate"])
    )
    assert together < apart / 3
    assert 0.7 < motion / apart < 1.4


def test_more_calls_are_counted_where_replies_are_unreadable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = plan(
        capsys,
        "sim/even:drift=0.02:unreadable=0.5",
        "--against",
        "sim/even",
        "--debates",
        "40",
        "--most",
        "40",
        "--studies",
        "100",
    )
    assert (found["powers"][0]["calls"], found["powers"][0]["re_asks"]) == (240, 60)


def test_studies_that_cannot_be_tested_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    words = said(
        capsys, "sim/even:unreadable=1", "--debates", "20", "--most", "20", "--studies", "150"
    )
    assert "have found nothing: 150 with 20 debates." in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sim/evne"], "there is no simulated profile 'evne'; did you mean 'even'?"),
        (["sim/judge"], "power is planned with simulated debaters; 'sim/judge' is none"),
        (
            ["openai/gpt-5-mini"],
            "power is planned with simulated debaters; 'openai/gpt-5-mini' is none",
        ),
        (["sim/even:noise=2"], "parameter noise of a simulated model must lie between 0 and 1"),
        (
            ["sim/even", "--debates", "10,many"],
            "--debates must be whole numbers with commas between, such as 10,20,40; found"
            " '10,many'",
        ),
        (
            ["sim/even", "--debates", "1,10"],
            "--debates must lie between 2, which a test needs, and 2000 (--most), found 1",
        ),
        (
            ["sim/even", "--debates", "10", "--most", "1000000"],
            "--most must lie between 2 and 20,000 debates, found 1000000",
        ),
        (
            ["sim/even", "--phases", "1"],
            "--phases must lie between 2 and 10 for the claim rise, found 1",
        ),
        (
            ["sim/even", "--target", "80"],
            "--target must lie between 0 and 1 (0.8 is a power of 80%), found 80",
        ),
        (
            ["sim/even", "--level", "nan"],
            "--level must lie between 0 and 0.5 (0.05 is usual), found nan",
        ),
        (["sim/even", "--studies", "0"], "--studies must lie between 1 and 1,000,000, found 0"),
        (["sim/even", "--seed", "-1"], "--seed must be 0 or more, found -1"),
        (
            ["sim/even", "--claim", "equivalence", "--margin", "0.05"],
            "--margin is in points of percent, from 1 to below 50 (5 for 5 points), found 0.05",
        ),
        (["sim/even", "--claim", "difference"], "name the other one with --against"),
        (
            ["sim/even", "--claim", "above-half", "--against", "sim/modest"],
            "is about debates against oneself",
        ),
        (["sim/even", "--paired", "motion"], "--paired is for --claim difference"),
        (["sim/even", "--pilot", "x", "--db", "none.duckdb"], "none.duckdb"),
    ],
)
def test_bad_input_gives_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["power", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err


def played(
    path: Path, debates: int, profile: str = "even:bias=0.1:noise=0.12:debate_sd=0.1:unreadable=0.5"
) -> Path:
    """A store with a study `first` of so many debates."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    study = Study(
        "first", [Arm("only", debate, list(against_itself([agent(f"sim/{profile}")])))], motions
    )
    Arena(path).run(study, watch=lambda tally: None)
    return path


@pytest.mark.slow
def test_a_pilot_gives_the_noise_and_not_the_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(played(tmp_path / "arena.duckdb", 300))
    words = said(capsys, *RISE, "--pilot", "first", "--db", path)
    assert "Noise, debate_sd and unreadable replies are those of the study first" in words
    assert "in 300 debates, SIMULATED); the effect is not." in words
    [assumed] = plan(capsys, *RISE, "--pilot", "first", "--db", path)["debaters"]
    assert (assumed["bias"], assumed["drift"]) == (0.0, 0.02)
    assert [assumed["noise"], assumed["debate_sd"], assumed["unreadable"]] == pytest.approx(
        [0.12, 0.1, 0.5], rel=0.12
    )


@pytest.mark.slow
def test_a_pilot_of_a_few_debates_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(played(tmp_path / "arena.duckdb", 4, "even"))
    assert main(["power", *RISE, "--pilot", "first", "--db", path]) == 2
    assert (
        "a pilot needs at least 10 finished debates with ratings, first has 4; play more of it"
        in capsys.readouterr().err
    )
    assert main(["power", *RISE, "--pilot", "second", "--db", path]) == 2
    assert "there is no study 'second'" in capsys.readouterr().err


def test_long_work_says_where_it_is_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("arena.cli.commands.power.QUIET_S", 0.0)
    assert main(["power", *RISE, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "simulating studies of 40 debates, " in err
    assert json.loads(out)["simulated"]
    monkeypatch.setattr("arena.cli.commands.power.QUIET_S", 3600.0)
    assert main(["power", *RISE, "--debates", "10", "--most", "10"]) == 0
    assert capsys.readouterr().err == ""


def test_output_can_be_piped_to_a_reader_that_leaves() -> None:
    command = f"{sys.executable} -m arena power {' '.join(RISE)} | head -n 1"
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("SIMULATED studies")
    assert "\x1b" not in ended.stdout
