"""`arena power`: what is assumed, what to add, and one sentence where that cannot be said."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import model
from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Reply, Study, Subject, against_itself, run_stages
from arena.cli.main import main
from arena.types import Request
from protocols.debate import debate
from protocols.judging import jury

ROOT = Path(__file__).parents[4]
QUICK = ["--studies", "200", "--debates", "20,80", "--most", "160"]


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The plan as JSON."""
    assert main(["power", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The plan in words, on one line."""
    assert main(["power", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_the_claim_the_design_and_the_variance_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = said(capsys, *QUICK, "--sd", "model=3", "--sd", "wording=2")
    assert words.startswith("SIMULATED studies: no model was asked")
    assert "It is about models like these: debates and models are drawn anew" in words
    assert "10 models, each against every other in both seats, 6 motions, 1 wording" in words
    assert "Effect: +5.0 points." in words
    assert "with 1 wording the mean is that of these words, and others may move it by 2.0" in words
    assert "For a power of 80%: " in words


def test_with_four_models_no_number_of_debates_helps_and_what_could_be_claimed_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = said(capsys, *QUICK, "--models", "4")
    found = plan(capsys, *QUICK, "--models", "4")
    assert "With 4 models no number of debates helps to speak for models like these" in words
    assert "What could be claimed is about these models: power " in words
    assert [row["power"]["share"] for row in found["rows"]] == [None, None]
    assert found["rows"][-1]["these"]["share"] > 0.9
    assert found["smallest"] is None
    assert found["models_needed"]["models"] >= 6


def test_where_models_are_the_limit_their_number_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = plan(capsys, "--studies", "400", "--debates", "60", "--sd", "model=7")
    shares = [row["power"]["share"] for row in found["rows"]]
    assert shares == sorted(shares, reverse=True)
    assert found["rows"][0]["change"] == "20 models"
    assert found["ceiling"] < 0.8 <= found["models_needed"]["power"]["share"]
    # With a model's mean hardly known, debates are the limit.
    other = plan(
        capsys, "--studies", "400", "--debates", "60", "--sd", "model=0", "--sd", "rest=20"
    )
    assert other["ceiling"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "studies"),
    [
        (["--claim", "above-half"], 1),
        (["--claim", "equivalence", "--margin", "8"], 1),
        (["--claim", "difference"], 2),
        (["--claim", "difference", "--between", "models"], 2),
        (["--claim", "majority"], 1),
    ],
)
def test_a_budget_is_spent_on_every_claim(
    capsys: pytest.CaptureFixture[str], arguments: list[str], studies: int
) -> None:
    money = ["--budget-usd", "10", "--debate-usd", "0.05", "--judging-usd", "0.01"]
    found = plan(capsys, *arguments, *money, "--studies", "100")
    for row in found["rows"]:
        one = 0.05 + 0.01 * row["judges"]
        assert row["debates"] == int(10 / one / studies + 1e-9)
        assert row["usd"] == pytest.approx(row["debates"] * one * studies)
    assert any(row["change"] == "as planned" for row in found["rows"])


def test_a_false_claim_is_said_to_be_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    words = said(capsys, *QUICK, "--effect", "0")
    assert "The claim is false of it, so that every study that finds it is in error." in words
    words = said(capsys, *QUICK, "--claim", "equivalence", "--effect", "6")
    assert "The claim is false of it" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--debates", "10,many"], "--debates must be whole numbers with commas between"),
        (["--debates", "1,10"], "--debates must lie between 2, which a test needs, and 20,000"),
        (["--most", "1000000"], "--most must lie between 2 and 20,000 debates, found 1000000"),
        (["--target", "80"], "--target must lie between 0 and 1 (0.8 is a power of 80%), found 80"),
        (["--level", "nan"], "--level must lie between 0 and 0.5 (0.05 is usual), found nan"),
        (["--missing", "1"], "--missing must lie between 0 and 1"),
        (["--studies", "0"], "--studies must lie between 1 and 1,000,000, found 0"),
        (["--seed", "-1"], "--seed must be 0 or more, found -1"),
        (["--effect", "nan"], "--effect is in points of percent, between -100 and 100"),
        (
            ["--claim", "above-half", "--effect", "60"],
            "between -50 and 50 for the claim",
        ),
        (["--claim", "equivalence", "--margin", "0.05"], "--margin is in points of percent"),
        (["--between", "arms"], "--between is for --claim difference"),
        (["--models", "1"], "one model has nobody to meet"),
        (["--motions", "0"], "--motions must lie between 1 and 1,000, found 0"),
        (["--sd", "modle=3"], "--sd is SOURCE=POINTS, from 0 to 50, such as model=7; found"),
        (["--sd", "model=nan"], "--sd is SOURCE=POINTS"),
        (
            ["--budget-usd", "5"],
            "--budget-usd needs to know what a debate costs",
        ),
        (["--budget-usd", "5", "--debate-usd", "4"], "a test needs 2 debates; at $4 each $5 pays"),
        (
            ["--budget-usd", "5", "--debate-usd", "1", "--debates", "9"],
            "one follows from the",
        ),
        (["--pilot", "x", "--db", "none.duckdb"], "none.duckdb"),
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


def priced(reference: str, usd: float) -> Agent:
    """A simulated agent whose replies have a price."""
    inner = model(reference)

    async def reply(request: Request) -> Reply:
        return replace(await inner(request), cost_usd=usd)

    return Agent(reference, scripted_model(reply, reference.replace("/", "-").replace(":", "-")))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the studies `first`, of three models on eight motions and judged, and `tiny`."""
    path = tmp_path_factory.mktemp("pilot") / "arena.duckdb"
    motions = [Subject(f"This house would hold debate number {number}.") for number in range(8)]
    agents = [
        priced(f"sim/even:bias={bias}:noise=0.06:debate_sd=0.04", 0.01) for bias in (-0.1, 0, 0.1)
    ]
    first = Study("first", [Arm("only", debate, list(against_itself(agents)))], motions)
    judges = [priced("sim/judge:seed=1", 0.002), priced("sim/judge:seed=2", 0.004)]
    run_stages(Arena(path), [first, jury("jury", first, judges)])
    tiny = Study("tiny", [Arm("only", debate, list(against_itself(agents[:1])))], motions[:2])
    Arena(path).run(tiny, watch=lambda tally: None)
    return str(path)


@pytest.mark.slow
def test_a_pilot_gives_the_prices_of_debates_and_of_judges(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    money = ["--pilot", "first", "--db", store, "--budget-usd", "5", "--studies", "100"]
    for claim, one in (("rise", 0.06), ("majority", 0.06 + 2 * 0.006)):
        rows = plan(capsys, *money, "--claim", claim)["rows"]
        planned = next(row for row in rows if row["change"] == "as planned")
        assert planned["debates"] == int(5 / one)
    # The judge's price is the mean of both: a panel of other judges has it too.
    assert next(row for row in rows if row["judges"] == 4)["debates"] == int(5 / (0.06 + 4 * 0.006))


@pytest.mark.slow
def test_a_pilot_gives_variance_and_design_and_not_the_effect(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pilot = ["--pilot", "first", "--db", store, "--claim", "above-half", "--studies", "200"]
    found = plan(capsys, *pilot, "--debates", "40")
    sources = {row["source"]: row for row in found["sources"]}
    assert sources["model"]["sd"] == pytest.approx(0.1, abs=0.03)
    assert sources["model"]["origin"] == "pilot, 3 levels"
    # Three models say little of models, and 48 ratings much of one rating.
    assert sources["model"]["high"] > 2 * sources["model"]["sd"]
    rest = sources["one side in one debate"]
    assert 0.04 < rest["low"] < rest["sd"] < rest["high"] < 0.09
    assert found["effect"] == 0.05
    planned = next(row for row in found["rows"] if row["change"] == "as planned")
    assert (planned["models"], planned["motions"], planned["alone"]) == (3, 8, True)
    words = said(capsys, *pilot, "--debates", "40", "--models", "12")
    assert "Variances are those of the pilot first (24 debates of 3 models, SIMULATED)" in words
    assert "3 models tell that of models no better" in words
    low, high = (
        row[end]
        for row in plan(capsys, *pilot, "--debates", "40", "--models", "12")["rows"]
        if row["change"] == "as planned"
        for end in ("low", "high")
    )
    assert high - low > 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--pilot", "tiny"],
            "a pilot needs at least 10 finished debates",
        ),
        (["--pilot", "second"], "there is no study 'second'"),
    ],
)
def test_a_pilot_that_says_too_little_is_refused(
    store: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["power", *arguments, "--db", store]) == 2
    assert words in capsys.readouterr().err


def test_long_work_says_where_it_is_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("arena.cli.commands.power.QUIET_S", 0.0)
    assert main(["power", *QUICK, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "simulating studies of 80 debates of 10 models, " in err
    assert json.loads(out)["simulated"]
    monkeypatch.setattr("arena.cli.commands.power.QUIET_S", 3600.0)
    assert main(["power", *QUICK]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_output_can_be_piped_to_a_reader_that_leaves() -> None:
    command = f"{sys.executable} -m arena power {' '.join(QUICK)} | head -n 1"
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("SIMULATED studies")
    assert "\x1b" not in ended.stdout
