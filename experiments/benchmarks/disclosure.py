"""Measure what it costs to look for private words of a run in what is sent.

10,000 private texts of 1.5 kB are noted, as of a run of 1,700 debates; then prompts of 25 kB, all
of them protocol's text (turns are shown from the record, and not searched), are looked through, for
the first time and again.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

from arena.calls.private_words import PrivateWords

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    """Print a table of milliseconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    lengths = [draw.randint(2, 9) for _ in range(5000)]
    vocabulary = ["".join(draw.choices(LETTERS, k=length)) for length in lengths]

    def text(characters: int) -> str:
        return " ".join(draw.choices(vocabulary, k=round(characters / 6.4)))

    words = PrivateWords()
    words.add(("first", "a"), text(1500))
    thoughts = [text(1500) for _ in range(options.texts)]
    prompts = [text(25_000) for _ in range(options.prompts)]
    before = peak_mb()
    reader = ("another", "b")

    def note(number: int) -> None:
        """Note a text and look it up in a short one, which brings it into the tables."""
        words.add((f"e{number // 6}", "ab"[number % 2]), thoughts[number])
        words.author_of_leak(reader, [f"Speech {number}, please."])

    noted = milliseconds(note, range(options.texts))
    memory = peak_mb() - before
    first = milliseconds(lambda prompt: words.author_of_leak(reader, [prompt]), prompts)
    again = milliseconds(lambda prompt: words.author_of_leak(reader, [prompt]), prompts)
    leaks = sum(
        words.author_of_leak(reader, [prompt[:9000], told(draw, thoughts), prompt[9000:]]) is None
        for prompt in prompts
    )
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, Python {platform.python_version()}")
    print(f"{options.texts} private texts of 1.5 kB, prompts of 25 kB; CPU ms each\n")
    print("| what | measured | at most |\n|---|---|---|")
    print(f"| a prompt, the first time | {first:.2f} | 3 |")
    print(f"| the same prompt again | {again:.3f} | 3 |")
    print(f"| a private text, noted | {noted:.2f} | |")
    print(f"| memory, MB | {memory:.0f} | 200 |")
    print(f"| leaks of eight words that were not found | {leaks} of {len(prompts)} | 0 |")


def told(draw: random.Random, thoughts: Sequence[str]) -> str:
    """Return eight words of a private text in capitals."""
    words = draw.choice(thoughts).split()
    start = draw.randrange(len(words) - 8)
    return f" {' '.join(words[start : start + 8]).upper()} "


def milliseconds(work: Callable[[Any], object], items: Sequence[object] | range) -> float:
    """Return the processor time of work for one item."""
    began = time.process_time()
    for item in items:
        work(item)
    return 1000 * (time.process_time() - began) / len(items)


def peak_mb() -> float:
    """Return the largest memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
