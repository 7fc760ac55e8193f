"""Compare an answer with the gold answer by math-verify, in a few processes of its own.

Answers are text of strangers.  math-verify cannot run in threads (its time limits are signals,
which only a main thread can set), and without limits some answers take for ever.  So child
processes are started as they are needed, at most CHILDREN.  Each gets one pair at a time, and a
pair that takes too long is ended by the kernel (arena/grading/math_verify_worker.py).  A child is a
new interpreter and no fork, since a fork of a process with threads may hang, and no
`multiprocessing` one, which would run the user's script a second time.  Where no kernel does it
(Windows), this process ends a child that takes too long.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import queue
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
CHILDREN = max(2, min(8, os.cpu_count() or 2))
# Seconds of a child's own time for one pair, and for each further pair after so many that took too
# long: a study of a thousand hostile answers then waits for minutes and not for an hour.
PAIR_S = 2.0
MOST_SLOW_PAIRS = 20
SHORT_PAIR_S = 0.25
# Where a process can neither fork nor set itself timers, as the worker does.
PATIENT = not hasattr(os, "fork")
# Seconds of the clock for one pair there.
PATIENCE_S = 20.0
LIMITS_MISSING = (
    "answers are compared without a limit on memory, which this system does not have, and for"
    f" {PATIENCE_S:g} s of the clock at most"
)


class _Child:
    """A place for a child process, None while none runs in it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None


class _Pool:
    """The places for children; a place is taken out of `free` while its child compares."""

    def __init__(self) -> None:
        self.children = [_Child() for _ in range(CHILDREN)]
        # Last in, first out: who compares one pair after another needs one child.
        self.free: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in reversed(self.children):
            self.free.put(child)
        self.slow_pairs = 0


_pool = _Pool()


@lru_cache(maxsize=4096)
def compare(gold: str, answer: str) -> str:
    """Return math-verify's word on an answer.

    It is "equal", "different", "unread" (it cannot read the gold answer), TIMED_OUT or BROKE_DOWN.
    Both texts are LaTeX without dollars or boxes around it, at most 1,000 characters.  Blocks for
    milliseconds, or for PAIR_S of a child's time at most (the first time, a second for the start).
    Any thread may call it; CHILDREN pairs are compared at once.  Raises StudyError if math-verify
    is not installed.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise StudyError(
            f"grading {gold[:40]!r} needs the package math-verify: pip install 'peer-arena[peers]'"
        )
    pool = _pool
    seconds = PAIR_S if pool.slow_pairs < MOST_SLOW_PAIRS else SHORT_PAIR_S
    line = json.dumps([gold, answer, seconds]).encode() + b"\n"
    child = pool.free.get()
    try:
        for _ in range(2):  # twice, since somebody may have killed the child in the meantime
            word = _ask(child, line)
            if word:
                pool.slow_pairs += word == TIMED_OUT
                return word
            _end(child)
    finally:
        pool.free.put(child)
    return BROKE_DOWN


def _ask(child: _Child, line: bytes) -> str:
    """Return a child's word on a line, "" if it died over it.

    After an interruption in the middle of a pair the child is ended, since its word would be taken
    for that of the next pair.
    """
    try:
        process = _running(child)
        return _exchange_in_time(process, line) if PATIENT else _exchange(process, line)
    except BrokenPipeError:
        return ""
    except BaseException:
        _end(child)
        raise


def _exchange(process: subprocess.Popen[bytes], line: bytes) -> str:
    """Send a process a line, and return its word on it, "" if it died."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline().decode().strip()


def _exchange_in_time(process: subprocess.Popen[bytes], line: bytes) -> str:
    """Do as `_exchange`, but end a process that takes longer than PATIENCE_S."""
    late = threading.Event()

    def end() -> None:
        """End the process, and remember why it died."""
        late.set()
        process.kill()

    timer = threading.Timer(PATIENCE_S, end)
    timer.start()
    try:
        word = _exchange(process, line)
    finally:
        timer.cancel()
    return TIMED_OUT if not word and late.is_set() else word


def _running(child: _Child) -> subprocess.Popen[bytes]:
    """Return a child's process, started if none runs."""
    if child.process is not None and child.process.poll() is None:
        return child.process
    _end(child)
    # -P keeps the script's folder off the path: it holds a math_verify.py too, which is ours.
    if PATIENT:
        print(LIMITS_MISSING, file=sys.stderr)
    # A new session, or group on Windows: Ctrl-C in the terminal must not reach the child.
    command = [sys.executable, "-P", str(CHILD)]
    pipe = subprocess.PIPE
    child.process = subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    assert child.process.stdout is not None
    greeting = child.process.stdout.readline().strip()
    if greeting != b"ready":
        _end(child)
        raise StudyError(
            f"{sys.executable} cannot start math-verify ({greeting.decode() or 'it died'}), which"
            " grades answers that are no plain values: pip install 'peer-arena[peers]' into this"
            " Python"
        )
    return child.process


def _end(child: _Child) -> None:
    """End a child's process if there is one."""
    process = child.process
    child.process = None
    if process is None:
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a line that a dead child never read
                pipe.close()
    process.wait()


def _end_all() -> None:
    """End all children."""
    for child in _pool.children:
        _end(child)


def _forget() -> None:
    """Forget the children in a fork of this process, which has their pipes but no children."""
    global _pool
    _pool = _Pool()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
