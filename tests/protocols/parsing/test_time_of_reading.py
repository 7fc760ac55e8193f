"""Readers take time in proportion to a reply's length, also where it is hostile or white space."""

from __future__ import annotations

import gc
import sys
import time
from functools import partial

import pytest

from arena.play.reading import Reader, read_as_public, read_reply
from arena.types import Reply
from protocols.parsing.answers import answer
from protocols.parsing.confidence import (
    answer_and_confidence,
    answer_and_steps,
    confidence_only,
    top_guess,
    true_or_false,
)
from protocols.parsing.tags import speech_and_confidence, speech_only
from protocols.parsing.verdict import verdict

READERS: dict[str, Reader] = {
    "public": read_as_public,
    "speech and confidence": speech_and_confidence,
    "speech": speech_only,
    "verdict": verdict,
    "answer": partial(answer, last_number=True),
    "letter": partial(answer, letters="ABCD", options=["red", "blue", "green", "black"]),
    "answer and confidence": answer_and_confidence,
    "steps": partial(answer_and_steps, score="product"),
    "guess": top_guess,
    "confidence": confidence_only,
    "truth": true_or_false,
}
WHITE = ["\n", "\r\n", " \n", " ", "\t", "\u3000\n", "\n\n> "]
PLACES = ["{}x", "<speech>{}x", "<speech>x</speech>{}x", "Rating:{}x", "The answer is{}x", "x{}1"]
HOSTILE = [
    *("<", "<think", "</think>", "<speech>", "&lt;", "[private thoughts: ", "\n\n* ", "```\n"),
    *("Rating: ", "my private thoughts", "<rating>1", "Speech: a\n", "«", "Confidence ", "-"),
    *(
        '{"answer": 1} ',
        "<answer>1</answer>",
        "Answer: ",
        "\\boxed{1}",
        "the answer is ",
        "[answer]",
        "> ",
    ),
]
SHORT, LONG = 10_000, 40_000


def seconds(read: Reader, replies: list[Reply]) -> float:
    """The least time of reading these replies."""
    times = []
    for _ in range(2):
        began = time.process_time()
        for reply in replies:
            read(reply)
        times.append(time.process_time() - began)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("piece", "places"),
    [*((white, PLACES) for white in WHITE), *((each, ["{}"]) for each in HOSTILE)],
)
def test_four_times_the_length_takes_no_more_than_eight_times_the_time(
    piece: str, places: list[str], name: str
) -> None:
    short, long = (
        [Reply(place.format(piece * (characters // len(piece)))) for place in places]
        for characters in (SHORT, LONG)
    )
    # A reader in the square of the length takes sixteen times as long; what takes less than a
    # millisecond is not told from the clock.
    assert seconds(READERS[name], long) < 8 * seconds(READERS[name], short) + 0.004


def longest_hold(read: Reader, text: str) -> float:
    """Return the most CPU seconds that one call of C code takes while a text is read.

    Between two lines of Python the interpreter lets other threads go on, such as the loop's; in the
    middle of a search it does not.  The clock is this thread's: a busy machine makes none longer.
    """
    longest = last = 0.0

    def watch(_frame: object, event: str, _function: object) -> None:
        nonlocal longest, last
        now = time.thread_time()
        if event in ("c_return", "c_exception"):
            longest = max(longest, now - last)
        last = now

    # A collection of garbage takes long where many tests have left much, and is no search.
    gc.disable()
    sys.setprofile(watch)
    try:
        read_reply(read, Reply(text), "s")
    finally:
        sys.setprofile(None)
        gc.enable()
    return longest


# Accents in a row, whose canonical order takes the square of their number, and what looks as if a
# sentence, a thought or an entity began at every word.
BESIDE = ["a\u0300\u0316", "answer to the ", "think t", "&lt;&"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["speech and confidence", "answer", "confidence"])
def test_two_million_characters_never_hold_the_loop_for_a_tenth_of_a_second(name: str) -> None:
    for piece in BESIDE:
        long = piece * (2_000_000 // len(piece))
        for text in (long, f"<speech>{long[:190_000]}</speech><rating>80</rating>"):
            assert longest_hold(READERS[name], text) < 0.1, piece
