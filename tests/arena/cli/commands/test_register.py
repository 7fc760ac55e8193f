"""`arena register`: what departs from a registered study is named, and its report splits."""

from __future__ import annotations

import json
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from agents import agent
from analysis.reports.claimable import why_not_claimable
from analysis.reports.plain_json import plain_json
from analysis.reports.report import debate_report
from arena.cli.main import main
from arena.studies.motions import MOTIONS
from arena.studies.registered import load_registrations
from arena.studies.study import Arm, Study
from arena.tournaments.pairings import round_robin
from protocols.debate import debate

STUDY = '''
import os

from agents import model
from arena.studies.motions import MOTIONS
from arena.studies.study import Arm, Study
from arena.types import Agent
from protocols.parsing.tags import speech_and_confidence

VERSION = "1"
ASK = "How sure are you? Motion: {motion}. You are {seat}. {hint} End with a rating."
FORM = """
Reply with these three blocks, in this order, and nothing else:
<speech>your speech</speech>
<thoughts>your private thoughts</thoughts>
<rating>one number from 0 to 100</rating>"""


async def duel(episode, subject, proposition, opposition, *, hint: str = ""):
    for number, phase in enumerate(("opening", "closing")):
        for seat in (proposition, opposition):
            text = ASK.format(motion=subject.text, seat=seat.name, hint=hint) + FORM
            await episode.ask(seat, text, phase=phase, round=number, read=speech_and_confidence)


def study(arms: int = 1, motions: int = 3, first: str = "even", key: str = "") -> Study:
    """Return it."""
    a, b = Agent("a", model(f"sim/{first}")), Agent("b", model("sim/overconfident"))
    lineup = {"proposition": a, "opposition": b}
    hint = os.environ.get(key, "")
    names = ("plain", "harder")[:arms]
    made = [Arm(name, duel, [lineup], {"hint": hint or name}) for name in names]
    return Study("duel", made, MOTIONS[:motions])
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "duel.py"
    path.write_text(STUDY)
    return path


def registration() -> dict[str, object]:
    """What the report of the default store says of the registration."""
    (report,) = debate_report(Path("arena.duckdb"), "duel").json()
    found: dict[str, object] = report["registration"]
    return found


@pytest.mark.slow
def test_a_changed_prompt_a_changed_exclusion_and_an_added_arm_are_named_and_the_report_splits(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = ["--primary", "rise=It rises.", "--claims", "confidence", "--where", "repeat = 0"]
    assert main(["register", "duel.py", *claims, "--write", "plan.md"]) == 0
    (one,) = load_registrations(Path("arena.duckdb"))
    assert sha256(Path("plan.md.json").read_bytes()).hexdigest() == one.hash
    assert one.hash in Path("plan.md").read_text()
    assert main(["register", "duel.py", *claims]) == 0
    assert load_registrations(Path("arena.duckdb")) == [one]
    assert main(["register", "duel.py", "--check"]) == 0

    assert main(["run", "duel.py"]) == 0
    assert main(["register", "duel.py", "--check"]) == 0
    before = debate_report(Path("arena.duckdb"), "duel").results[0].registration
    assert before is not None
    assert [row.claim for row in before.claims] == ["rise", "confidence"]
    assert [each.part for each in before.deviations] == ["exclusions"]

    file.write_text(STUDY.replace("How sure are you?", "How certain are you?"))
    assert main(["run", "duel.py", "-o", "arms=2"]) == 0
    after = debate_report(Path("arena.duckdb"), "duel", margin=0.03).results[0].registration
    assert after is not None
    # An arm that was added changes no registered number.
    assert plain_json(after.claims) == plain_json(before.claims)
    named = {each.part: each.what for each in after.deviations}
    assert "plain / proposition / opening" in named["prompts"]
    assert "harder" in named["arms"]
    assert "registered repeat = 0, here none" in named["exclusions"]
    assert named.keys() == {"prompts", "arms", "exclusions", "margins", "protocols", "stopping"}

    capsys.readouterr()
    assert main(["report", "--study", "duel"]) == 0
    text = capsys.readouterr().out
    first, *_ = text.splitlines()
    assert one.hash[:12] in first
    assert f"{one.registered_at:%Y-%m-%d %H:%M}" in first
    parts = ("REGISTERED", "Deviations", "EXPLORATORY", "Confidence of debaters")
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)
    assert "REGISTERED" in debate_report(Path("arena.duckdb"), "duel")._repr_html_()

    assert main(["register", "duel.py", "--check", "-o", "first=modest", "--json"]) == 1
    (checked,) = json.loads(capsys.readouterr().out)
    now = [each["what"] for each in checked["deviations"] if "as it is now" in each["what"]]
    assert any("model: was sim/even, is sim/modest" in what for what in now)


@pytest.mark.slow
def test_an_edited_row_counts_for_nothing_and_merged_registrations_are_all_listed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "duel.py", "-o", "motions=1", "--db", "other.duckdb"]) == 0
    assert main(["register", "duel.py", "--db", "other.duckdb"]) == 0
    assert "WARNING: 1 episode of this study had begun" in capsys.readouterr().out
    assert main(["register", "duel.py", "--primary", "rise"]) == 0
    assert main(["run", "duel.py"]) == 0
    assert main(["merge", "other.duckdb"]) == 0
    # Only now it shows that an episode had begun elsewhere, so that both are late.
    found = registration()
    assert found["late"] is True
    assert len(load_registrations(Path("arena.duckdb"), "duel")) == 2

    with closing(duckdb.connect("arena.duckdb")) as con:
        con.execute("update registrations set content = replace(content, '0.05', '0.2')")
    found = registration()
    assert "does not fit its hash" in str(found["fault"])
    assert found["claims"] == []
    assert main(["register", "duel", "--check"]) == 2
    capsys.readouterr()
    assert main(["status"]) == 0
    assert "it does not fit its hash" in capsys.readouterr().out
    assert main(["report", "--study", "duel"]) == 0
    assert "does not count" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "key=SOME_API_KEY"],
        ["--question", "is sk-abcdefghijklmnop it?"],
        ["--claims", "nonsense"],
        ["--claims", "rise@nowhere"],
        pytest.param(["--where", "nonsense = 1"], marks=pytest.mark.slow),
        ["--stop-after", "4"],
        ["--stop-after", "3", "--stop-after-usd", "1"],
        ["--arms", "nowhere"],
    ],
)
def test_what_cannot_be_registered_leaves_no_file(
    words: list[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-abcdefghijklmnop")
    assert main(["register", "duel.py", *words]) == 2
    assert [path.name for path in file.parent.glob("*.duckdb*")] == []


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("equivalence", "of debates of a model against itself"),
        ("accuracy", "of questions with a known answer"),
        ("control", "one arm alone is planned"),
    ],
)
def test_a_claim_that_no_report_of_the_study_could_have_is_refused(claim: str, reason: str) -> None:
    lineups = round_robin([agent("sim/confident"), agent("sim/modest")])
    study = Study("pairs", [Arm("pairs", debate, lineups)], MOTIONS[:1])
    assert reason in why_not_claimable(claim, [study])
    assert not why_not_claimable("rise", [study])
