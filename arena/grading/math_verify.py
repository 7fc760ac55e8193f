"""Is an answer the same value as the gold answer?  math-verify, in a process of its own.

Answers are text of strangers.  math-verify cannot be left to threads (its time limits are signals, which only a main thread can set), and
without limits `9^{9^{9}}` takes for ever.  So one child process is started when it is first needed, told one pair at a time, killed by the
kernel where a pair takes too long (arena/grading/math_verify_worker.py), and started again.  It is a fresh interpreter and no fork, since a fork of a
process with threads may hang, and not a `multiprocessing` one, which would run the user's script a second time.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from arena.errors import StudyError

CHILD = Path(__file__).with_name("math_verify_worker.py")
TIMED_OUT = "the comparison took too long"
BROKE_DOWN = "the comparison broke down"


class _Process:
    """The child, None where none runs, and the lock of whoever speaks to it."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()


_process = _Process()


@lru_cache(maxsize=4096)
def compare(gold: str, answer: str) -> str:
    """ "equal", "different", "unread" (math-verify makes nothing of the gold answer), TIMED_OUT or BROKE.

    LaTeX without dollars or boxes around it, at most 1,000 characters.  Blocks for milliseconds, or for 3 s of the child's time at most (the
    first time, a second for the start).  From any thread; pairs wait for each other.  Raises StudyError where math-verify is not installed.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise StudyError(
            f"grading {gold[:40]!r} needs the package math-verify: pip install 'peer-arena[peers]'"
        )
    line = json.dumps([gold, answer]).encode() + b"\n"
    with _process.lock:
        for _ in range(2):  # twice, since a child may have been killed from outside in the meantime
            word = _ask_child(line)
            if word:
                return word
            if _end() in (-signal.SIGPROF, -signal.SIGALRM):
                return TIMED_OUT
    return BROKE_DOWN


def _ask_child(line: bytes) -> str:
    """The child's word on a line, "" where it has died over it; a child that was left in the middle of a pair is ended."""
    try:
        child = _running_child()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(line)
        child.stdin.flush()
        return child.stdout.readline().decode().strip()
    except BrokenPipeError:
        return ""
    except BaseException:
        _end()
        raise


def _running_child() -> subprocess.Popen[bytes]:
    """The child, started where none runs."""
    if _process.child is not None and _process.child.poll() is None:
        return _process.child
    _end()
    # -P: the folder of the script holds a types.py, which must not stand for Python's.  A session of its own: Ctrl-C is not for the child.
    command = [sys.executable, "-P", str(CHILD)]
    pipe = subprocess.PIPE
    _process.child = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert _process.child.stdout is not None
    greeting = _process.child.stdout.readline().strip()
    if greeting != b"ready":
        _end()
        raise StudyError(
            f"{sys.executable} cannot start math-verify ({greeting.decode() or 'it died'}), which grades answers that are no"
            " integers: pip install 'peer-arena[peers]' into this Python"
        )
    return _process.child


def _end() -> int | None:
    """End the child where there is one, and return its exit status; minus a signal's number where that had ended it before."""
    child, _process.child = _process.child, None
    if child is None:
        return None
    child.kill()
    for pipe in (child.stdin, child.stdout):
        with suppress(BrokenPipeError):  # what was not yet written to a dead child
            pipe.close()  # type: ignore[union-attr]
    return child.wait()


def _forget() -> None:
    """A fork of this process has the pipes to the child, but the child is not its own."""
    _process.child, _process.lock = None, threading.Lock()


atexit.register(_end)
os.register_at_fork(after_in_child=_forget)
