"""Words between tags, in time that grows with the text alone."""

from __future__ import annotations

import time

import pytest

from protocols.own_demonstrations import read_examples
from protocols.parsing.tagged import tagged
from protocols.self_questioning import read_questions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<q> a </q> b <Q>c</Q>", ["a", "c"]),
        ("<q>cut <q>whole</q> </q>", ["whole"]),
        ("</q><q>open", []),
        ("<q></q>", [""]),
        ("<qq>no</qq>", []),
    ],
)
def test_closed_pairs_are_read_in_order(text: str, words: list[str]) -> None:
    assert tagged(text, "q") == words


@pytest.mark.parametrize("hostile", ["<question>", "<example>", "<example><question>", "</answer>"])
def test_open_tags_take_no_more_time_than_their_number(hostile: str) -> None:
    text = hostile * 20_000
    began = time.process_time()
    read_questions(text, count=3)
    read_examples(text, least=4)
    # A search from each tag to the end would take minutes.
    assert time.process_time() - began < 5
