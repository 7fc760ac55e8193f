"""A running study from another process: its turns can be read; readers delay only the folding."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.store.database import query

# The second half of the study is played when there is a file `go`.
STUDY = """
import asyncio, pathlib, sys
sys.path.insert(0, {tests!r})
from tests import fake_agents

async def reply(request):
    while request.place.step >= 3 and not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    return fake_agents.by_seed(request)

def study():
    return fake_agents.study(fake_agents.agent(reply=reply), subjects=8, rounds=6)
"""


def wait_for(true: Callable[[], object], seconds: float = 60) -> None:
    """Return when the condition holds; fail when it does not within the time."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def arena(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arena", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def count(path: Path) -> int:
    return int(query(path, "select count(*) from turns").rows[0][0])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that plays 48 of 96 turns, and the others when there is a file `go`."""
    (tmp_path / "s.py").write_text(STUDY.format(tests=str(Path(__file__).parents[3])))
    command = [sys.executable, "-m", "arena", "run", "s.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        wait_for((tmp_path / "arena.duckdb").exists)
        wait_for(lambda: count(tmp_path / "arena.duckdb") == 48)
        yield run
        run.kill()


@pytest.mark.slow
def test_arena_sql_reads_a_study_while_it_is_played(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    sql = ("sql", "select count(*) as n from turns", "--format", "csv")
    assert arena(*sql, folder=tmp_path).stdout.split() == ["n", "48"]
    assert running.poll() is None
    (tmp_path / "go").touch()
    answers = []
    while running.poll() is None:
        answers.append(count(tmp_path / "arena.duckdb"))
    assert answers == sorted(answers)
    assert arena(*sql, folder=tmp_path).stdout.split() == ["n", "96"]
    assert running.returncode == 0


@pytest.mark.slow
def test_duckdb_opens_the_store_while_it_is_played_and_sees_what_is_folded(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    code = (
        "import duckdb; con = duckdb.connect('arena.duckdb', read_only=True);"
        " print(con.execute('select count(*) from turns').fetchall()[0][0])"
    )
    plain = [sys.executable, "-c", code]
    during = subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (during.stdout, during.stderr) == ("0\n", "")
    (tmp_path / "go").touch()
    assert running.wait(60) == 0
    assert (
        subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, timeout=30).stdout
        == "96\n"
    )


@pytest.mark.slow
def test_a_reader_who_stays_delays_only_the_folding(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    code = (
        "import duckdb; c = duckdb.connect('arena.duckdb', read_only=True);"
        " print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        (tmp_path / "go").touch()
        out, _ = running.communicate(timeout=60)
        assert running.returncode == 0
        assert "8 of 8 episodes done" in out
        assert f"PID {reader.pid}" in out
        assert count(tmp_path / "arena.duckdb") == 96
        reader.communicate("\n", timeout=10)
    assert "not folded" not in arena("status", folder=tmp_path).stderr
    assert list(query(tmp_path / "arena.duckdb", "select count(*) from folded")) == [(1,)]
