"""Who says that they do not know, and who only doubts."""

from __future__ import annotations

from functools import partial

import pytest

from arena.types import Reply
from protocols.parsing.refusals_to_answer import answer_or_unknown, does_not_know


@pytest.mark.parametrize(
    "words",
    [
        "I looked at it from all sides. \\boxed{I don't know}",
        "\\boxed{\\text{I don’t know}}",
        "Answer: I do not know.",
        "Answer: IDK\nConfidence: 0%",
        "The book was printed long ago. I am unable to determine its author.",
        "I honestly don't know who wrote it.",
        "I don't have enough information to say.",
        "I have no idea.",
    ],
)
def test_who_gives_it_in_the_place_of_an_answer_or_instead_of_one_does_not_know(words: str) -> None:
    assert does_not_know(words)
    reading = answer_or_unknown(Reply(words))
    assert (reading.answer, reading.confidence, reading.reask) == (None, None, None)
    assert reading.flags == ("does not know",)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("I don't know for sure, but I would say \\boxed{4}\nConfidence: 30%", "4"),
        ("At first I did not know. Answer: \\boxed{Oslo}\nConfidence: 90%", "Oslo"),
        ('The witness said "I don\'t know".\nAnswer: Paris\nConfidence: 50%', "Paris"),
        ("<think>I don't know.</think>\\boxed{7}\nConfidence: 50%", "7"),
    ],
)
def test_doubt_beside_an_answer_is_an_answer(words: str, answer: str) -> None:
    reading = answer_or_unknown(Reply(words))
    assert reading.answer == answer
    assert reading.confidence is not None


def test_with_options_the_letter_counts_and_an_unfinished_reply_says_nothing_of_knowledge() -> None:
    read = partial(answer_or_unknown, letters="AB", options=("one", "two"))
    assert read("\\boxed{B}\nConfidence: 60%").answer == "B"
    assert read("\\boxed{I don't know}").flags == ("does not know",)
    assert not does_not_know('The author wrote "I do not know" and left.')
    cut = Reply("I don't know", finish_reason="length")
    assert "does not know" not in answer_or_unknown(cut).flags
    refused = Reply("I cannot answer that.", finish_reason="content_filter")
    assert "does not know" not in answer_or_unknown(refused).flags
    # Nothing at all is not a word of not knowing: it is asked for once more.
    assert answer_or_unknown("…").reask is not None
