"""Locks on files: held by one process at a time, and gone with it."""

from __future__ import annotations

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arena.errors import StoreError
from arena.store import locks
from arena.store.locks import is_locked, lock, make_locked, try_lock


@pytest.fixture(params=["flock", "a file beside it"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system with flock, and one without it."""
    monkeypatch.setattr(locks, "HAS_FLOCK", request.param == "flock")
    return str(request.param)


def test_a_locked_file_is_refused_to_others_until_it_is_released(
    tmp_path: Path, system: str
) -> None:
    path = tmp_path / "a.lock"
    with lock(path):
        assert path.exists()
        assert is_locked(path)
        assert try_lock(path) is None
    assert not is_locked(path)
    held = try_lock(path)
    assert held is not None
    assert is_locked(path)
    held.release()
    assert not is_locked(path)


def test_who_waits_for_a_lock_gets_it_when_it_is_released(tmp_path: Path, system: str) -> None:
    path = tmp_path / "a.lock"
    first = lock(path)
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(lock, path)
        with pytest.raises(TimeoutError):
            second.result(0.1)
        first.release()
        second.result(30).release()


def test_what_is_locked_can_be_read_and_written(tmp_path: Path, system: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("one\n")
    with lock(path):
        with path.open("a") as file:
            file.write("two\n")
        assert path.read_text() == "one\ntwo\n"
    assert not is_locked(path)


def test_a_file_is_made_locked(
    tmp_path: Path, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.lock"
    existed = []
    if system == "flock":
        flock = locks.fcntl.flock

        def note(descriptor: int, operation: int) -> None:
            existed.append(path.exists())
            flock(descriptor, operation)

        monkeypatch.setattr(locks.fcntl, "flock", note)
    else:
        acquire = locks.acquire_beside

        def note_beside(path: Path, *, wait: bool) -> locks.Lock | None:
            existed.append(path.exists())
            return acquire(path, wait=wait)

        monkeypatch.setattr(locks, "acquire_beside", note_beside)
    with make_locked(path):
        assert existed == [False]
        assert is_locked(path)
    assert try_lock(path) is not None


def test_to_look_for_a_lock_leaves_no_file(tmp_path: Path, system: str) -> None:
    (tmp_path / "a.jsonl").touch()
    assert not is_locked(tmp_path / "a.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.skipif(not locks.HAS_FLOCK, reason="this system has no flock")
def test_a_drive_without_locks_is_an_error_in_words_and_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    path = tmp_path / "a.jsonl"
    path.touch()
    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    for ask in (is_locked, try_lock, lock, make_locked):
        with pytest.raises(StoreError, match=r"cannot lock .*: No locks available; keep the"):
            ask(path)


@pytest.mark.parametrize("flock", [True, False])
def test_a_lock_goes_with_a_process_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flock: bool
) -> None:
    monkeypatch.setattr(locks, "HAS_FLOCK", flock)
    path = tmp_path / "a.lock"
    code = (
        f"from pathlib import Path; from arena.store import locks; locks.HAS_FLOCK = {flock}\n"
        f"held = locks.lock(Path({str(path)!r})); print('locked', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        assert is_locked(path)
        holder.kill()
        holder.wait(30)
    assert not is_locked(path)
