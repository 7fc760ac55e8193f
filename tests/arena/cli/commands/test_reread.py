"""`arena reread` and `arena show --raw`: what changed, in words, and replies as they came."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from arena.arena import Arena
from arena.cli.main import main
from arena.studies.study import Arm, Study
from arena.types import Request, Subject
from protocols.single import single
from tests.fake_agents import agent, study

STORES = Path(__file__).resolve().parents[3] / "data" / "v0_1_0"


@pytest.mark.slow
def test_what_is_read_anew_is_said_and_nothing_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = ["--db", str(tmp_path / "a.duckdb")]
    assert main(["reread", *db]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "a.duckdb").exists()
    questions = [Subject("2+2", "question", gold="4"), Subject("2+3", "question", gold="5")]
    solver = agent("s", lambda request: "\\boxed{4}")
    Arena(tmp_path / "a.duckdb").run(
        Study("sums", [Arm("single", single, [{"solver": solver}])], questions)
    )
    assert main(["reread", "sums", *db]) == 0
    out = capsys.readouterr().out
    assert "study sums: 2 turns of 2 episodes were read anew; nothing was asked" in out
    assert "single    scripted/s  2      0" in out
    assert main(["reread", "--json", *db]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["turns"], found["unchanged_episodes"], found["left_out"]) == (2, 2, {})
    assert main(["reread", "--study", "none", *db]) == 2
    assert "no episode of a study 'none'" in capsys.readouterr().err


def test_raw_replies_are_printed_and_offered_where_nothing_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(request: Request) -> str:
        return f"|{request.seed % 10}" if request.place.ask else "\x1b[2J"

    db = ["--db", str(tmp_path / "a.duckdb")]
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(agent("a", lambda request: "|60"), agent("b", unreadable), subjects=1))
    ((episode,),) = arena.sql("select episode from episodes").rows
    assert main(["show", episode, *db]) == 0
    assert "[no readable speech; --raw prints the reply]" in capsys.readouterr().out
    assert main(["show", episode, "--raw", *db]) == 0
    out = capsys.readouterr().out
    assert "--- reply\n|60\n" in out
    assert "--- asked again\nthe number?\n--- second reply\n|" in out
    assert "\x1b" not in out


@pytest.mark.slow
def test_every_study_of_0_1_0_is_read_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(STORES / "finished.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    arena = Arena(tmp_path / "store.duckdb")
    turns = arena.sql("select * exclude (logprobs) from turns order by all").rows
    assert main(["reread", "--json", "--db", str(arena.path)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["episodes"], found["turns"], found["results_as_played"]) == (228, len(turns), 0)
    assert (found["left_out"], found["reader_failed"]) == ({}, {})
    # A confidence below 50 in the side that a judge names is missing now; all else reads as before.
    assert {row["protocol"] for row in found["changes"] if row["no_longer_read"]} == {"judging"}
    assert sum(row["no_longer_read"] for row in found["changes"]) == 50
    for column in ("now_read", "otherwise", "grades_changed"):
        assert sum(row[column] for row in found["changes"]) == 0
    assert arena.sql("select * exclude (logprobs) from turns order by all").rows == turns
    below = "select count(*) from verdicts where status = 'confidence: below 50'"
    assert arena.sql(below).rows == ((50,),)
