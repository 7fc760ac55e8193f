"""The process that compares: started when needed, gone with its parent, dead without harm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.grading import math_verify
from arena.grading.grade import grade
from arena.grading.math_verify import BROKE_DOWN, compare
from arena.types import Subject

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def no_child() -> Iterator[None]:
    """Begin and end without a child and without what was found before."""
    compare.cache_clear()
    math_verify._end_all()
    yield
    compare.cache_clear()
    math_verify._end_all()


def running() -> list[subprocess.Popen[bytes]]:
    """The processes of the children that run."""
    return [child.process for child in math_verify._pool.children if child.process is not None]


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Another program in the place of the child."""
    (folder / "child.py").write_text(program)
    monkeypatch.setattr(math_verify, "CHILD", folder / "child.py")


def test_values_are_compared_and_an_unreadable_gold_answer_is_told_apart() -> None:
    assert [
        compare("1/2", "0.5"),
        compare("1/2", "0.6"),
        compare("and/or", "1"),
        compare("1", "and/or"),
    ] == [
        "equal",
        "different",
        "unread",
        "different",
    ]


def test_integers_are_graded_without_the_process() -> None:
    assert grade(Subject("?", "question", "204"), "204.0").correct is True
    assert grade(Subject("?", "question", "204"), "203").correct is False
    assert running() == []


@pytest.mark.slow
def test_a_child_that_was_killed_meanwhile_is_started_again() -> None:
    assert compare("1/2", "0.5") == "equal"
    (process,) = running()
    process.kill()
    assert compare("1/3", "2/6") == "equal"
    assert running() != [process]


def test_a_child_that_dies_over_a_pair_twice_has_no_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(
        monkeypatch, tmp_path, "print('ready', flush=True); input(); open('starts', 'a').write('1')"
    )
    monkeypatch.chdir(tmp_path)
    assert compare("1/2", "0.5") == BROKE_DOWN
    assert (tmp_path / "starts").read_text() == "11"
    found = grade(Subject("?", "question", "1/2"), r"\sum_{k=1}^{3} k")
    assert (found.correct, found.status) == (None, BROKE_DOWN)


@pytest.mark.parametrize(("program", "words"), [("print('missing')", "missing"), ("", "it died")])
def test_a_child_that_does_not_start_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, words: str
) -> None:
    stand_in(monkeypatch, tmp_path, program)
    with pytest.raises(
        StudyError,
        match=rf"cannot start math-verify \({words}\).*pip install 'peer-arena\[peers\]'",
    ):
        compare("1/2", "0.5")


def test_a_missing_math_verify_is_named_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert grade(Subject("?", "question", "204"), "204").correct is True
    assert grade(Subject("?", "question", "Paris"), "paris").correct is True
    with pytest.raises(StudyError, match=r"pip install 'peer-arena\[peers\]'"):
        grade(Subject("?", "question", "6"), r"\sum_{k=1}^{3} k")


INTERRUPTS = """
import os, signal
print("ready", flush=True)
input()
os.kill(os.getppid(), signal.SIGINT)
input()
print("equal", flush=True)
"""


def test_an_interrupted_comparison_leaves_no_stale_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After Ctrl-C in the middle of a pair, the next pair gets its own word."""
    with monkeypatch.context() as patch:
        # The child itself interrupts us while we wait for its word, and has a word for the next.
        stand_in(patch, tmp_path, INTERRUPTS)
        with pytest.raises(KeyboardInterrupt):
            compare("1", "1")
        assert running() == []
    assert compare("1", "2") == "different"


ONE_BY_ONE = """
import os, select, time
print("ready", flush=True)
while lines := os.read(0, 65536):
    time.sleep(0.02)
    more = select.select([0], [], [], 0)[0]
    for _ in lines.splitlines():
        print("overlap" if more or lines.count(b"\\n") > 1 else "equal", flush=True)
"""


def test_threads_speak_to_a_child_one_after_another_and_to_a_few_children_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(monkeypatch, tmp_path, ONE_BY_ONE)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda n: compare("1", str(n)), range(64))) == {"equal"}
    assert 2 <= len(running()) <= math_verify.CHILDREN


def test_who_compares_one_pair_after_another_needs_one_child() -> None:
    for n in range(5):
        compare("1", str(n))
    assert len(running()) == 1


@pytest.mark.slow
def test_a_pair_that_takes_too_long_ends_alone_and_many_of_them_get_less_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(math_verify, "MOST_SLOW_PAIRS", 1)
    monkeypatch.setattr(math_verify._pool, "slow_pairs", 0)
    assert compare("6", r"\prod_{k=1}^{99999} k!") == math_verify.TIMED_OUT
    (process,) = running()
    assert math_verify._pool.slow_pairs == 1
    for n in range(3):
        assert compare("6", rf"\prod_{{k=1}}^{{9999{n}}} k!") == math_verify.TIMED_OUT
    # The process that has math-verify loaded goes on: only its fork was ended.
    assert compare("6", r"\sum_{k=1}^{3} k") == "equal"
    assert running() == [process]


SCRIPT = """
import os, signal
from arena.grading import math_verify
from arena.grading.math_verify import compare
def pid():
    return next(c.process.pid for c in math_verify._pool.children if c.process)
print(compare("1/2", "0.5"), pid(), flush=True)
place = math_verify._pool.free.get()  # as where another thread compares just now
if os.fork() == 0:  # the fork has a child of its own, and ends only that
    print(compare("1/3", "2/6"), pid(), flush=True)
    raise SystemExit
math_verify._pool.free.put(place)
os.wait()
print(compare("1/5", "2/10"), pid(), flush=True)
{end}
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)"], ids=["exit", "kill"])
def test_a_script_without_a_main_guard_leaves_no_process_behind(tmp_path: Path, end: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(end=end))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    words = ran.stdout.split()
    assert words[::2] == ["equal"] * 3
    assert (words[1] == words[5], words[1] == words[3]) == (True, False)
    for pid in {int(words[1]), int(words[3])}:
        assert gone(pid), f"{pid} is still there"


def gone(pid: int) -> bool:
    """Has this process ended within five seconds?"""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return True
        time.sleep(0.05)
    return False
