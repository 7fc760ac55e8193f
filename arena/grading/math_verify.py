"""Compare an answer with the gold answer by math-verify, in a process of its own.

Answers are text of strangers.  math-verify cannot run in threads (its time limits are signals,
which only a main thread can set), and without limits `9^{9^{9}}` takes for ever.  So one child
process is started at the first need.  It gets one pair at a time, is killed by the kernel if a pair
takes too long (arena/grading/math_verify_worker.py), and is started again.  Where the kernel has no
such timers (Windows), this process kills it.  It is a new interpreter
and no fork, since a fork of a process with threads may hang, and no `multiprocessing` one, which
would run the user's script a second time.
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
# The exit status of a child that a timer has ended.
TIMER_SIGNALS = [-getattr(signal, name) for name in ("SIGPROF", "SIGALRM") if hasattr(signal, name)]
# Seconds for a pair where a process cannot set itself timers.
PATIENCE_S = 20.0
LIMITS_MISSING = (
    "answers are compared without a limit on memory, which this system does not have, and for"
    f" {PATIENCE_S:g} s of the clock at most"
)


class _Process:
    """The child, None if none runs, and the lock for its pipes."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()


_process = _Process()


@lru_cache(maxsize=4096)
def compare(gold: str, answer: str) -> str:
    """Return math-verify's word on an answer.

    It is "equal", "different", "unread" (it cannot read the gold answer), TIMED_OUT or BROKE_DOWN.
    Both texts are LaTeX without dollars or boxes around it, at most 1,000 characters.  Blocks for
    milliseconds, or for 3 s of the child's time at most (the first time, a second for the start).
    Any thread may call it; pairs wait for each other.  Raises StudyError if math-verify is not
    installed.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise StudyError(
            f"grading {gold[:40]!r} needs the package math-verify: pip install 'peer-arena[peers]'"
        )
    line = json.dumps([gold, answer]).encode() + b"\n"
    with _process.lock:
        for _ in range(2):  # twice, since somebody may have killed the child in the meantime
            word = _ask_child(line)
            if word:
                return word
            if _end() in TIMER_SIGNALS:
                return TIMED_OUT
    return BROKE_DOWN


def _ask_child(line: bytes) -> str:
    """Return the child's word on a line, "" if it died over it.

    After an interruption in the middle of a pair the child is ended, since its word would be taken
    for that of the next pair.
    """
    try:
        child = _running_child()
        return _exchange(child, line) if TIMER_SIGNALS else _exchange_in_time(child, line)
    except BrokenPipeError:
        return ""
    except BaseException:
        _end()
        raise


def _exchange(child: subprocess.Popen[bytes], line: bytes) -> str:
    """Send the child a line, and return its word on it, "" if it died."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(line)
    child.stdin.flush()
    return child.stdout.readline().decode().strip()


def _exchange_in_time(child: subprocess.Popen[bytes], line: bytes) -> str:
    """Do as `_exchange`, but end a child that takes longer than PATIENCE_S."""
    late = threading.Event()

    def end() -> None:
        """End the child, and remember why it died."""
        late.set()
        child.kill()

    timer = threading.Timer(PATIENCE_S, end)
    timer.start()
    try:
        word = _exchange(child, line)
    finally:
        timer.cancel()
    return TIMED_OUT if not word and late.is_set() else word


def _running_child() -> subprocess.Popen[bytes]:
    """Return the child, started if none runs."""
    if _process.child is not None and _process.child.poll() is None:
        return _process.child
    _end()
    # -P keeps the script's folder off the path: it holds a math_verify.py too, which is ours.
    if not TIMER_SIGNALS:
        print(LIMITS_MISSING, file=sys.stderr)
    # A new session, or group on Windows: Ctrl-C in the terminal must not reach the child.
    command = [sys.executable, "-P", str(CHILD)]
    pipe = subprocess.PIPE
    _process.child = subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    assert _process.child.stdout is not None
    greeting = _process.child.stdout.readline().strip()
    if greeting != b"ready":
        _end()
        raise StudyError(
            f"{sys.executable} cannot start math-verify ({greeting.decode() or 'it died'}), which"
            " grades answers that are no integers: pip install 'peer-arena[peers]' into this Python"
        )
    return _process.child


def _end() -> int | None:
    """End the child if there is one, and return its exit status.

    The status is minus the number of a signal if one had ended it before.
    """
    child = _process.child
    _process.child = None
    if child is None:
        return None
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a line that a dead child never read
                pipe.close()
    return child.wait()


def _forget() -> None:
    """Forget the child in a fork of this process, which has its pipes but is not its parent."""
    _process.child = None
    _process.lock = threading.Lock()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
