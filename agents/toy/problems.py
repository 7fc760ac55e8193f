"""Questions for the toy model: sums of three two-digit numbers, and a split into seen and unseen.

A sum is held out by a hash of its numbers in rising order, so that training saw no order of a
held-out sum.
"""

from __future__ import annotations

import hashlib
import random

from arena.errors import StudyError
from arena.types import Subject

# One sum in ten is held out.
HELD_OUT_ONE_IN = 10
MAX_SUMS = 10_000


def is_held_out(a: int, b: int, c: int) -> bool:
    """Return whether the training left the sum out, in every order of its numbers."""
    digest = hashlib.sha256("+".join(map(str, sorted((a, b, c)))).encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_ONE_IN == 0


def draw(rng: random.Random, *, held_out: bool) -> tuple[int, int, int]:
    """Draw three numbers from 10 to 99 that are a held-out sum, or one of the training."""
    while True:
        a, b, c = (rng.randint(10, 99) for _ in range(3))
        if is_held_out(a, b, c) == held_out:
            return a, b, c


def sums(n: int, *, held_out: bool = True, seed: int = 0) -> tuple[Subject, ...]:
    """Return `n` distinct questions with their answers, the same for the same seed.

    A longer draw begins with a shorter one.  Raises StudyError unless `n` is from 0 to 10,000.
    """
    if not 0 <= n <= MAX_SUMS:
        raise StudyError(f"{n} sums were asked for; give a number from 0 to {MAX_SUMS:,}")
    rng = random.Random(f"toy/sum {seed}")
    # A dict and not a set, which would lose the order of the draws.
    distinct: dict[tuple[int, int, int], None] = {}
    while len(distinct) < n:
        distinct[draw(rng, held_out=held_out)] = None
    return tuple(
        Subject(f"What is {a}+{b}+{c}?", "question", str(a + b + c), (), "toy/sum", "CC0-1.0")
        for a, b, c in distinct
    )
