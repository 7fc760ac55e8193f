"""Processes that play shares: killed ones start again, and nothing outlives the driver."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.store.database import query
from experiments.benchmarks.part_kills import STUDY, Found, children, living, play_store
from tests.fake_server import chat_process

TEXTS = "select episode, seat, step, text, request_hash, seed from turns order by all"
LONG_S = 60


def start(folder: Path, url: str, store: str, *more: str) -> subprocess.Popen[str]:
    """Begin `arena run` with a study of debates against a server."""
    (folder / "study.py").write_text(STUDY)
    command = [sys.executable, "-m", "arena", "run", "study.py", "-o", f"url={url}"]
    return subprocess.Popen(
        [*command, "--db", store, *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C of a terminal goes to the process group.
        start_new_session=True,
    )


def play(folder: Path, url: str, store: str, *more: str) -> str:
    """Give the command until it has ended; return what it says."""
    said, errors = start(folder, url, store, *more).communicate(timeout=LONG_S)
    return said + errors


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    with chat_process("--latency", "0.01") as url:
        options = ("-o", "debates=12")
        said = play(tmp_path, url, "two.duckdb", *options, "--on", "processes=2")
        assert "12 of 12 episodes done, 0 failed, 0 open; 72 replies" in said
        play(tmp_path, url, "one.duckdb", *options)
        again = play(tmp_path, url, "two.duckdb", *options)
        assert "0 replies" in again
    stores = (tmp_path / "one.duckdb", tmp_path / "two.duckdb")
    one, two = (query(store, TEXTS).rows for store in stores)
    assert len(one) == 72
    assert one == two


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [False, True])
def test_kills_of_parts_and_records_lose_nothing(tmp_path: Path, by_hand: bool) -> None:
    (tmp_path / "study.py").write_text(STUDY)
    found = Found()
    draw = random.Random(3)
    play_store(tmp_path, draw, kills=3, debates=120, found=found, by_hand=by_hand, rpm=60_000)
    assert found.kills >= 1, found
    assert (found.lost, found.changed, found.asked_again) == (0, 0, 0)
    assert (found.not_done, found.not_in_the_ledger, found.turns) == (0, 0, 720)
    assert found.most_in_flight <= 24, found


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_driver(tmp_path: Path, how: signal.Signals) -> None:
    with chat_process("--latency", "0.3", "--max-s", "120") as url:
        run = start(tmp_path, url, "a.duckdb", "-o", "debates=400", "--on", "processes=2")
        store = tmp_path / "a.duckdb"
        wait_for(lambda: store.exists() and query(store, "from turns limit 1").rows)
        workers = children(run.pid)
        assert len(workers) == 2
        os.killpg(run.pid, how)
        began = time.monotonic()
        _, errors = run.communicate(timeout=LONG_S)
        wait_for(lambda: not set(workers) & living().keys())
        if how == signal.SIGINT:
            # Two seconds, on a machine that is not busy.
            assert time.monotonic() - began < 20
            assert "Continue with" in errors
            statuses = query(store, "select distinct status from calls order by 1").rows
            assert set(statuses) <= {("cancelled",), ("ok",)}


@pytest.mark.slow
def test_a_worker_that_cannot_begin_ends_the_run_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text(
        STUDY.replace("debates: int)", "debates: int, url2: str = '')")
        + "\nimport os\nif os.getppid() != int(open('driver').read()):\n    raise OSError('gone')\n"
    )
    program = (
        "import os, sys; open('driver', 'w').write(str(os.getppid()));"
        " from arena.cli.main import main; sys.exit(main())"
    )
    options = ["-o", "url=http://127.0.0.1:1/v1", "-o", "debates=4", "--on", "processes=2"]
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "later.py", *options, "--db", "a.duckdb"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    assert done.returncode == 2
    assert "later.py cannot be loaded: OSError: gone" in done.stderr
    assert "Traceback" not in done.stderr
