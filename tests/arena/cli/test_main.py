"""The command line: exit statuses, one clear sentence, and output that can be piped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena.cli.main import main
from arena.store.database import query
from arena.text import printable
from tests.arena.web.transcripts import play, turn, write_store

STUDY = """
import sys
sys.path.insert(0, {tests!r})
from typing import Literal
from tests import fake_agents
from arena.studies.study import Study

def study(*, subjects: int = 2, models: list[str] = ["a"], mode: Literal["x", "y"] = "x") -> Study:
    {body}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


PLAY = "return fake_agents.study(*[fake_agents.agent(m) for m in models], subjects=subjects)"


def write_study(body: str = PLAY) -> str:
    Path("s.py").write_text(STUDY.format(tests=str(Path(__file__).parents[3]), body=body))
    return "s.py"


def test_run_plays_and_names_the_next_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", write_study(), "-o", "subjects=3", "-o", "models=a,b"]) == 0
    out = capsys.readouterr().out
    assert "talks: 3 of 3 episodes done" in out
    assert "next: arena report --study talks --db arena.duckdb" in out.splitlines()[-1]


def test_the_next_command_can_show_a_study_without_debates_and_answers(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.py").write_text(
        """
from agents.scripted import scripted_model
from arena import Agent, Arm, Study, Subject

VERSION = "1"

async def speak(episode, motion, speaker):
    await episode.ask(speaker, motion.text, phase="speech")

def study(words: str = "hello") -> Study:
    speaker = Agent("s", scripted_model(lambda request: words))
    return Study("talk", [Arm("a", speak, [{"speaker": speaker}])], [Subject("m")])
"""
    )
    assert main(["run", "s.py"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].partition("next: arena ")[2].split()
    assert main(command) == 0
    assert "talk" in capsys.readouterr().out


def test_the_next_command_shows_all_stages_of_a_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings about several stages stand in the last one, as of a study of wrong starts."""
    body = (
        "first = fake_agents.study(fake_agents.agent('a'), subjects=1)\n"
        "    import dataclasses\n"
        "    return [first, dataclasses.replace(first, name='second')]"
    )
    assert main(["run", write_study(body)]) == 0
    assert "next: arena report --db arena.duckdb" in capsys.readouterr().out.splitlines()[-1]


def test_help_behind_a_study_shows_its_options_and_calls_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", write_study("raise SystemExit('called')"), "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "usage: arena run" in out
    lines = [line.split() for line in out.partition("options of s, ")[2].splitlines()[1:]]
    assert lines == [
        ["-o", "subjects=N", "2"],
        ["-o", "models=TEXT,...", "a"],
        ["-o", "mode=x|y", "x"],
        ["-o", "name=TEXT", "(the", "study's", "own", "name)"],
        ["-o", "version=TEXT", "(of", "each", "protocol", "its", "latest)"],
    ]
    with pytest.raises(SystemExit) as ended:
        main(["run", "none.py", "--help"])
    assert ended.value.code == 2
    assert "there is no study file none.py" in capsys.readouterr().err


def test_a_run_that_stops_since_nothing_can_be_read_gives_exit_status_3(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "return fake_agents.study(fake_agents.agent(reply=lambda request: 'no number'),"
        " subjects=subjects)"
    )
    assert main(["run", write_study(body), "--max-unreadable", "0.5"]) == 3
    out = capsys.readouterr().out
    assert "alarm: " in out
    assert "continue with a larger --max-unreadable; next: arena report" in out


def test_a_failed_episode_gives_exit_status_1_and_its_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "return fake_agents.study(fake_agents.agent(reply=lambda request: 1 / 0),"
        " subjects=subjects)"
    )
    assert main(["run", write_study(body)]) == 1
    out = capsys.readouterr().out
    assert "failed: 2 x ZeroDivisionError: division by zero (s.py, line" in out
    assert "same command --retry-failed" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.py"], "there is no study file none.py"),
        (["run", "s.py", "-o", "model=a"], "no option 'model'; it has subjects, models, mode"),
        (["run", "s.py", "-o", "subjects=many"], "option subjects cannot be 'many'"),
        (["run", "s.py", "-o", "mode=z"], "option mode cannot be 'z'"),
        (["run", "s.py", "-o", "subjects"], "written key=value"),
        (["run", "s.py", "-o", "subjects=0"], "list of motions or questions is empty"),
        (["run", "s.py", "--concurrency", "0"], "concurrency must be at least 1"),
        (["run", "broken.py"], "broken.py cannot be loaded: SyntaxError"),
        (["run", "empty.py"], "has no function `study`"),
        (["run", "s.py", "--db", "nowhere.txt/a.duckdb"], "cannot write beside"),
        (["sql", "select 1"], "there is no store at arena.duckdb"),
        (["status"], "there is no store at arena.duckdb"),
        (["show", "abc"], "there is no store"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    write_study()
    Path("broken.py").write_text("def study(:")
    Path("empty.py").write_text("")
    Path("nowhere.txt").write_text("")
    before = sorted(here.iterdir())
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
    assert sorted(p for p in here.iterdir() if p.name != "__pycache__") == before


@pytest.mark.slow
@pytest.mark.parametrize("format", ["json", "csv", "markdown", "table"])
def test_sql_answers_in_every_format(
    here: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    main(["run", write_study()])
    capsys.readouterr()
    assert (
        main(
            [
                "sql",
                "select seat, count(*) as n from turns group by all order by all",
                "--format",
                format,
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    if format == "json":
        assert json.loads(out) == [{"seat": "opposition", "n": 6}, {"seat": "proposition", "n": 6}]
    assert "opposition" in out
    assert "6" in out


def test_a_wrong_query_is_bad_input(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", write_study()])
    assert main(["sql", "select * from trns"]) == 2
    assert "trns does not exist" in capsys.readouterr().err


def test_show_reads_an_episode_with_and_without_private_words(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from arena.play.run import Arena

    main(["run", write_study(), "-o", "subjects=1"])
    episode = Arena("arena.duckdb").sql("select episode from episodes").rows[0][0]
    capsys.readouterr()
    assert main(["show", episode[:6]]) == 0
    assert capsys.readouterr().out.count("thoughts: secret") == 6
    assert main(["show", episode, "--public"]) == 0
    assert "secret" not in capsys.readouterr().out
    assert main(["show", "zz"]) == 2


def test_show_in_public_tells_neither_errors_nor_doubts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both may quote a reply, as the error of float(reply.text) does."""
    rows = [
        *play("e", "question", {"solver": "m/a"}, status="failed"),
        turn("e", "solver", 0, flags=["a doubt"]),
    ]
    db = str(write_store(here / "a.duckdb", rows))
    for faces, count in (((), 1), (("--public",), 0)):
        assert main(["show", "e", "--db", db, *faces]) == 0
        out = capsys.readouterr().out
        assert [out.count(words) for words in ("the policy refused it", "a doubt")] == [count] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "s.py", "-o", "subjects=" + "9" * 5_000],
        ["run", "s.py", "-o", "mode=" + "a" * 10_000],
        ["run", "s.py", "--limit", "9" * 5_000],
        ["run", "s.py", "--budget-usd", "x" * 5_000],
        ["run", "s.py", "--shard", "x"],
        [],
    ],
)
def test_what_is_refused_is_told_in_one_short_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    write_study()
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(arguments))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("arena")
    assert (error.count("\n"), len(error) < 400) == (1, True)


def test_text_of_models_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2J\u202eb\x07\nc") == "a\ufffd[2J\ufffdb\ufffd\nc"


@pytest.mark.slow
def test_status_compares_plan_and_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", write_study(), "-o", "subjects=3", "--limit", "1"])
    main(["run", "s.py", "-o", "subjects=4", "-o", "models=b", "--limit", "1"])
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (row,) = told["studies"]
    counts = ("planned", "done", "failed", "open", "not_started", "leftovers")
    assert [row[name] for name in counts] == [4, 1, 0, 0, 3, 1]
    assert [(each["models"], each["episodes"]) for each in told["leftovers"]] == [("scripted/a", 1)]
    assert main(["status"]) == 0
    assert "leftovers of earlier plans" in capsys.readouterr().out


@pytest.mark.slow
def test_the_exported_tables_can_be_read_back(here: Path) -> None:
    import duckdb

    main(["run", write_study()])
    assert main(["export", "out"]) == 0
    assert duckdb.sql("select count(*) from 'out/turns/*/*.parquet'").fetchall() == [(12,)]
    assert main(["export", "out"]) == 2


@pytest.mark.slow
def test_stores_of_two_machines_merge_into_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from arena.play.run import Arena

    write_study()
    for part in ("1/2", "2/2"):
        main(["run", "s.py", "-o", "subjects=6", "--shard", part, "--db", f"{part[0]}.duckdb"])
    capsys.readouterr()
    assert main(["merge", "1.duckdb", "2.duckdb", "--db", "all.duckdb"]) == 0
    assert main(["merge", "1.duckdb", "--db", "all.duckdb"]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "1.duckdb: 0 rows were new"
    assert main(["run", "s.py", "-o", "subjects=6", "--db", "all.duckdb"]) == 0
    assert Arena("all.duckdb").sql("select count(*) from turns").rows == ((36,),)


HEAVY = (
    "duckdb",
    "numpy",
    "scipy",
    "aiohttp",
    "pydantic",
    "rich",
    "litellm",
    "openai",
    "anthropic",
    "torch",
    "transformers",
)


@pytest.mark.parametrize("module", ["arena", "arena.cli.main", "agents", "protocols", "analysis"])
def test_nothing_heavy_is_imported_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def heed_interrupts() -> None:
    """A child of tests that run in the background with Ctrl-C ignored would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_at_once_and_says_how_to_continue(here: Path, end: signal.Signals) -> None:
    body = (
        "return fake_agents.study(fake_agents.agent(reply=fake_agents.reply_slowly), subjects=50)"
    )
    write_study(body)
    command = [sys.executable, "-m", "arena", "run", "s.py", "--db", "my store.duckdb"]
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    until = time.monotonic() + 20
    while not (
        Path("my store.duckdb").exists() and len(query(Path("my store.duckdb"), "from turns"))
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    run.send_signal(end)
    began = time.monotonic()
    _, err = run.communicate(timeout=20)
    # A run that went on to its end would exit with 0; a busy machine takes seconds to end one.
    assert time.monotonic() - began < 15
    assert run.returncode == 130
    assert "arena run s.py --db 'my store.duckdb'" in err
    assert "Traceback" not in err
    from arena.play.run import Arena

    counts = (
        Arena("my store.duckdb")
        .sql(
            "select (select count(*) from turns), (select count(*) from calls where status = 'ok')"
        )
        .rows[0]
    )
    assert counts[0] == counts[1] > 0
