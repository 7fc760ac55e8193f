"""Where fcntl, resource, fork hooks, timers and user ids do not exist, everything works.

A child process that has tests/other_system on its path finds none of them, in our packages; files
that are open cannot be replaced there, as on Windows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join([str(ROOT / "tests" / "other_system"), str(ROOT)])
# These load torch, or an SDK.
HEAVY = ("agents.local", "agents.toy", "_sdk")
STUDY = """
from agents.scripted import scripted_model
from arena import Agent, Arm, Study, Subject
from protocols.debate import debate

def reply(request):
    return f"<speech>{request.seed} is a number.</speech><rating>{request.seed % 101}%</rating>"

def study():
    speakers = [Agent(name, scripted_model(reply, name=name)) for name in ("ada", "bob")]
    lineup = {"proposition": speakers[0], "opposition": speakers[1]}
    return Study("scripted", [Arm("one", debate, [lineup])], [Subject("This house would test.")])
"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start Python there, with these words after its name."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PATHS, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(folder: Path, *words: str) -> tuple[str, str]:
    """What Python prints there, which must succeed: on standard output, and on standard error."""
    with start(folder, *words) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return out, err


@pytest.mark.slow
def test_a_study_is_played_and_asked_for(tmp_path: Path) -> None:
    (tmp_path / "scripted.py").write_text(STUDY)
    code = (
        "from arena.store import locks; from arena.store.query_worker import os, signal\n"
        "print(hasattr(os, 'getuid'), hasattr(signal, 'alarm'), locks.HAS_FLOCK)\n"
        "import scripted\n"
        "from arena import Arena; a = Arena('a.duckdb')\n"
        "print(a.run(scripted.study()).done, a.sql('select count(*) from turns').rows)"
    )
    assert output(tmp_path, "-c", code)[0].splitlines() == ["False False False", "1 ((6,),)"]


@pytest.mark.slow
def test_every_module_can_be_imported(tmp_path: Path) -> None:
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in ("agents", "analysis", "arena", "protocols")
        for file in (ROOT / package).rglob("*.py")
        if file.name != "__main__.py"
    ]
    light = [name for name in modules if not any(word in name for word in HEAVY)]
    code = f"import importlib\nfor name in {light!r}:\n    importlib.import_module(name)"
    output(tmp_path, "-c", code)


@pytest.mark.slow
def test_the_commands_work(tmp_path: Path) -> None:
    (tmp_path / "scripted.py").write_text(STUDY)
    out, _ = output(tmp_path, "-m", "arena", "demo")
    assert "180 of 180 episodes done" in out
    out, _ = output(tmp_path, "-m", "arena", "run", "scripted.py", "--db", "demo.duckdb")
    assert "1 of 1 episodes done" in out
    out, _ = output(tmp_path, "-m", "arena", "run", "scripted.py", "--db", "demo.duckdb")
    assert "0 replies" in out
    database = ("--db", "demo.duckdb")
    out, _ = output(tmp_path, "-m", "arena", "report", "--study", "scripted", *database)
    assert "Confidence of debaters" in out
    out, _ = output(tmp_path, "-m", "arena", "tidy", "--rewrite", *database)
    assert "are the same" in out
    out, _ = output(tmp_path, "-m", "arena", "sql", "select count(*) from turns", *database)
    assert "1086" in out
    out, _ = output(tmp_path, "-m", "arena", "publish", "pages", "--study", "scripted", *database)
    assert (tmp_path / "pages" / "index.html").exists()
    # Nothing is left in the folder for temporary files.
    assert list((tmp_path / "other-system").iterdir()) == []


@pytest.mark.slow
def test_the_viewer_says_which_limits_are_missing_and_answers(tmp_path: Path) -> None:
    output(tmp_path, "-m", "arena", "demo")
    process = start(tmp_path, "-m", "arena", "view", "--db", "demo.duckdb")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdout.readline()
        address = process.stdout.readline().strip()
        assert "bounds neither the memory nor the files" in process.stderr.readline()
        cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        site = address.split("?")[0]
        assert "demo" in cookies.open(address, timeout=60).read().decode()
        # A query runs in a process of its own.
        page = cookies.open(f"{site}sql?q=select+41%2B1+as+n", timeout=60).read().decode()
        assert re.search(r">\s*42\s*<", page)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_an_answer_that_takes_for_ever_is_given_up_by_the_clock(tmp_path: Path) -> None:
    code = (
        "from arena.grading import math_verify\n"
        "math_verify.PATIENCE_S = 5\n"
        "compare = math_verify.compare\n"
        "print(compare('1/2', '0.5'), compare('1/2', '9^{9^{9}}'), compare('1/2', '1/3'), sep='; ')"
    )
    out, err = output(tmp_path, "-c", code)
    assert out == "equal; the comparison took too long; different\n"
    assert "without a limit on memory" in err
