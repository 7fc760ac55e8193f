"""Likeness of replies, by hand and against a plain table of common subsequences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import agent
from protocols.estimators.likeness import (
    common_length,
    lexical_similarity,
    rouge_l,
    text_similarity,
)
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


def by_table(first: list[str], second: list[str]) -> int:
    """The textbook's table."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first, 1):
        for j, two in enumerate(second, 1):
            same = table[i - 1][j - 1] + 1
            table[i][j] = same if one == two else max(table[i - 1][j], table[i][j - 1])
    return table[-1][-1]


@settings(max_examples=50)
@given(WORDS, WORDS)
def test_common_subsequences_are_those_of_the_table(first: list[str], second: list[str]) -> None:
    assert common_length(first, second) == by_table(first, second)


def test_rouge_is_the_share_of_common_words_in_order() -> None:
    """5 of 6 and 6 words are common in order: 10 of 12."""
    first, second = "the cat sat on the mat", "the cat is on the mat"
    assert rouge_l(first.split(), second.split()) == pytest.approx(10 / 12)


def test_means_are_over_pairs_and_over_those_of_a_reply() -> None:
    """The first two share one of 2 and 1 words (2/3), the third nothing."""
    answers = ["city London", None, "London", "Paris"]
    samples = samples_of("Where?", [reply(each, k) for k, each in enumerate(answers)])
    scores, turns = asked(
        agent("sim/pairs"), lambda episode, seat: lexical_similarity(episode, samples)
    )
    assert [score.value for score in scores] == pytest.approx(
        [2 / 9, None, 2 / 9, 2 / 9, 1 / 3, None, 1 / 3, 0]
    )
    assert turns == []


def test_a_model_of_texts_is_asked_once_for_all_pairs() -> None:
    samples = samples_of("2+2?", [reply(each, k) for k, each in enumerate(("4", "4.0", "5"))])
    scores, turns = asked(
        agent("sim/pairs:sure=0.9"), lambda episode, seat: text_similarity(episode, samples, seat)
    )
    assert [score.value for score in scores] == pytest.approx([0.3] * 3 + [0.45, 0.45, 0])
    assert len(turns) == 1
