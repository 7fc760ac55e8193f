"""The process in which math-verify compares answers; arena/grading/math_verify.py starts it, and nothing imports it.

It reads pairs (gold, answer) as lines of JSON and writes one word a line.  Whatever an answer makes sympy do, the kernel ends it: a timer
whose signal has its default action kills a process also in the middle of a multiplication of billions of digits, where Python can neither
raise nor return, and a limit of its memory stands before that of the machine.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from contextlib import suppress

# Seconds of this process's own time for one pair, so that a busy machine changes no grade; of the clock, if it should wait for something.
CPU_S = 3.0
WALL_S = 60.0
MEMORY_BYTES = 2 << 30


def main() -> None:
    """Say "ready" once math-verify is there, else "missing"; then compare until the input ends."""
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    with suppress(ValueError, OSError):  # not every system lets a process limit its memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        from math_verify import LatexExtractionConfig, parse, verify
    except ImportError:
        print("missing", flush=True)
        return
    logging.disable(logging.CRITICAL)
    # A box before anything else, and nothing else: the words of an answer must not choose which of its parts is graded.
    latex = [LatexExtractionConfig(boxed_match_priority=0)]

    def value(text: str) -> list[object]:
        """What math-verify makes of a text, [] where it makes nothing of it."""
        boxed = f"\\boxed{{{text}}}"
        return parse(
            boxed,
            latex,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )

    value("1")
    print("ready", flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for line in sys.stdin:
        gold, answer = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        signal.setitimer(signal.ITIMER_REAL, WALL_S)
        right = value(gold)
        word = (
            "unread"
            if not right
            else "equal"
            if verify(right, value(answer), timeout_seconds=None)
            else "different"
        )
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(word, flush=True)


if __name__ == "__main__":
    main()
