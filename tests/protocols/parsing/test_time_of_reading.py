"""Readers take time in proportion to a reply's length, also where it is mostly white space."""

from __future__ import annotations

import time
from functools import partial

import pytest

from arena.play.reading import Reader, read_as_public
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


@pytest.mark.slow
@pytest.mark.parametrize("white", WHITE)
@pytest.mark.parametrize("name", READERS)
def test_four_times_the_white_space_takes_no_more_than_eight_times_the_time(
    name: str, white: str
) -> None:
    def seconds(characters: int) -> float:
        replies = [Reply(place.format(white * (characters // len(white)))) for place in PLACES]
        times = []
        for _ in range(2):
            began = time.process_time()
            for reply in replies:
                READERS[name](reply)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(20_000) < 8 * seconds(5_000) + 0.05
