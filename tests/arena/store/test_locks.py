"""Locks on files: held by one process at a time, and gone with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from arena.store.locks import is_locked, lock, try_lock


def test_a_locked_file_is_refused_to_others_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with path.open("a") as first, path.open("a") as second:
        lock(first)
        assert is_locked(path)
        assert not try_lock(second)
        first.close()
        assert not is_locked(path)
        assert try_lock(second)


def test_a_lock_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "from arena.store.locks import lock\n"
        f"file = open({str(path)!r}, 'a'); lock(file); print('locked', flush=True); input()"
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
