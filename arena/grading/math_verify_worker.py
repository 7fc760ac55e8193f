"""Compare answers with math-verify, in a process that arena/grading/math_verify.py starts.

Nothing imports this file.  It reads pairs (gold, answer) as lines of JSON and writes one word a
line.  Whatever an answer makes sympy do, the kernel ends it: a timer whose signal has its default
action kills a process also in the middle of a multiplication of billions of digits, when Python can
neither raise nor return, and a limit on its memory protects that of the machine.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from contextlib import suppress

try:
    import resource
except ImportError:  # Windows: our parent limits our time, and nobody our memory
    HAS_LIMITS = False
else:
    HAS_LIMITS = True

# Seconds for one pair: of this process's own time, so that a busy machine changes no grade, and of
# the clock, in case it waits for something.
CPU_S = 3.0
WALL_S = 60.0
MEMORY_BYTES = 2 << 30


def main() -> None:
    """Print "ready" if math-verify is installed, else "missing"; then compare pairs."""
    limit_time(0, WALL_S)
    if HAS_LIMITS:
        with suppress(ValueError, OSError):  # macOS does not take this one
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        from math_verify import LatexExtractionConfig, parse, verify
    except ImportError:
        print("missing", flush=True)
        return
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

    # A first parse before "ready", so that its slow start is not counted for a pair.
    value("1")
    print("ready", flush=True)
    limit_time(0, 0)
    for line in sys.stdin:
        gold, answer = json.loads(line)
        limit_time(CPU_S, WALL_S)
        gold_value = value(gold)
        if not gold_value:
            word = "unread"
        else:
            equal = verify(gold_value, value(answer), timeout_seconds=None)
            word = "equal" if equal else "different"
        limit_time(0, 0)
        print(word, flush=True)


def limit_time(cpu_s: float, wall_s: float) -> None:
    """Let the kernel end this process after a time, of its own or of the clock; 0: no limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, wall_s)


if __name__ == "__main__":
    main()
