"""A running study from another process: what has been said can be read, and readers delay nothing but the folding."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.store.database import query

STUDY = """
import sys
sys.path.insert(0, {tests!r})
from tests import fake_agents

def study():
    return fake_agents.study(fake_agents.agent(reply=fake_agents.reply_slowly), subjects=8, rounds=6)
"""


def wait_for(true: Callable[[], object], seconds: float = 20) -> None:
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
    """A study of 96 turns that takes about two seconds, played by a process of its own."""
    (tmp_path / "s.py").write_text(STUDY.format(tests=str(Path(__file__).parents[3])))
    command = [sys.executable, "-m", "arena", "run", "s.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        wait_for((tmp_path / "arena.duckdb").exists)
        wait_for(lambda: count(tmp_path / "arena.duckdb") > 0)
        yield run
        run.kill()


def test_arena_sql_reads_a_study_while_it_is_played(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    answers = []
    while running.poll() is None:
        answered = arena(
            "sql", "select count(*) as n from turns", "--format", "csv", folder=tmp_path
        )
        assert answered.returncode == 0, answered.stderr
        answers.append(int(answered.stdout.split()[1]))
    assert answers == sorted(answers)
    assert 0 < answers[0] < 96
    assert count(tmp_path / "arena.duckdb") == 96
    assert running.returncode == 0


def test_duckdb_opens_the_store_while_it_is_played_and_sees_what_is_folded(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    code = "import duckdb; print(duckdb.connect('arena.duckdb', read_only=True).execute('select count(*) from turns').fetchall()[0][0])"
    plain = [sys.executable, "-c", code]
    during = subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (during.stdout, during.stderr) == ("0\n", "")
    assert running.wait(30) == 0
    assert (
        subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, timeout=30).stdout
        == "96\n"
    )


def test_a_reader_who_stays_delays_only_the_folding(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    code = "import duckdb; c = duckdb.connect('arena.duckdb', read_only=True); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        out, _ = running.communicate(timeout=30)
        assert running.returncode == 0
        assert "8 of 8 episodes done" in out
        assert f"PID {reader.pid}" in out
        assert count(tmp_path / "arena.duckdb") == 96
        reader.communicate("\n", timeout=10)
    assert "not folded" not in arena("status", folder=tmp_path).stderr
    assert list(query(tmp_path / "arena.duckdb", "select count(*) from folded")) == [(1,)]
