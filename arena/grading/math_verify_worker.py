"""Compare answers with math-verify, in a process that arena/grading/math_verify.py starts.

Nothing imports this file.  It reads lines of JSON, [gold, answer, seconds], and writes one word a
line.  The pairs go to a fork of it, which has math-verify loaded: whatever an answer makes sympy
do, the kernel ends the fork, and the next one is there in milliseconds.  A timer whose signal has
its default action kills a process also in the middle of a multiplication of billions of digits,
when Python can neither raise nor return, and a limit on its memory protects that of the machine.
Where there are no forks (Windows), it compares them itself, and its parent ends it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

try:
    import resource
except ImportError:  # Windows
    HAS_LIMITS = False
else:
    HAS_LIMITS = True

# Seconds of the clock for one pair, in case it waits for something; its own time is in the line.
WALL_S = 60.0
MEMORY_BYTES = 2 << 30
TIMED_OUT = b"the comparison took too long\n"
BROKE_DOWN = b"the comparison broke down\n"
Comparison = Callable[[str, str], str]


def main() -> None:
    """Print "ready" if math-verify is installed, else "missing"; then compare pairs."""
    limit_time(0, WALL_S)
    if HAS_LIMITS:
        with suppress(ValueError, OSError):  # macOS does not take this one
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        compare = load()
    except ImportError:
        print("missing", flush=True)
        return
    # A first comparison before "ready", so that its slow start is not counted for a pair.
    compare("1", "\\frac{x}{2}")
    print("ready", flush=True)
    limit_time(0, 0)
    if not hasattr(os, "fork"):
        serve(compare, sys.stdin.buffer, sys.stdout.buffer)
        return
    fork: tuple[int, BinaryIO, BinaryIO] | None = None
    for line in sys.stdin.buffer:
        fork = fork or start(compare)
        child, lines, words = fork
        with suppress(BrokenPipeError):
            lines.write(line)
            lines.flush()
        word = words.readline()
        if not word:
            for pipe in (lines, words):
                with suppress(BrokenPipeError):
                    pipe.close()
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            fork = None
            word = TIMED_OUT if status in (-signal.SIGPROF, -signal.SIGALRM) else BROKE_DOWN
        sys.stdout.buffer.write(word)
        sys.stdout.buffer.flush()


def load() -> Comparison:
    """Import math-verify, and return the function that compares a pair."""
    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    # A box before anything else, and nothing else: the words of an answer must not choose which of
    # its parts is graded.
    latex = [LatexExtractionConfig(boxed_match_priority=0)]

    def value(text: str) -> list[object]:
        """Return the values that math-verify reads in a text, [] if none."""
        values: list[object] = parse(
            f"\\boxed{{{text}}}",
            latex,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        return values

    def compare(gold: str, answer: str) -> str:
        """Return "equal", "different" or "unread"."""
        gold_value = value(gold)
        if not gold_value:
            return "unread"
        return "equal" if verify(gold_value, value(answer), timeout_seconds=None) else "different"

    return compare


def start(compare: Comparison) -> tuple[int, BinaryIO, BinaryIO]:
    """Fork, and return the fork's id, the pipe for its lines and the pipe of its words."""
    its_lines, our_lines = os.pipe()
    our_words, its_words = os.pipe()
    child = os.fork()
    if child:
        os.close(its_lines)
        os.close(its_words)
        return child, os.fdopen(our_lines, "wb"), os.fdopen(our_words, "rb")
    # Our own pipes would keep the arena waiting for a fork that outlives us.
    for descriptor in (our_lines, our_words, 0, 1):
        os.close(descriptor)
    try:
        serve(compare, os.fdopen(its_lines, "rb"), os.fdopen(its_words, "wb"))
    finally:
        os._exit(0)


def serve(compare: Comparison, lines: BinaryIO, words: BinaryIO) -> None:
    """Compare pairs until there are no more lines, each within its seconds."""
    for line in lines:
        gold, answer, seconds = json.loads(line)
        # Of this process's own time, so that a busy machine changes no grade.
        limit_time(seconds, WALL_S)
        word = compare(gold, answer)
        limit_time(0, 0)
        words.write(word.encode() + b"\n")
        words.flush()


def limit_time(cpu_s: float, wall_s: float) -> None:
    """Let the kernel end this process after a time, of its own or of the clock; 0: no limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, wall_s)


if __name__ == "__main__":
    main()
