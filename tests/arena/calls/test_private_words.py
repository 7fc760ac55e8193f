"""Private words are found in what others are sent, exactly where a run of them stands."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from arena.calls.private_words import PrivateWords
from arena.text import normalised, words_of

ALICE, BOB = ("e", "alice"), ("e", "bob")
WORDS = st.lists(
    st.sampled_from(["a", "be", "dont", "écoute", "straße", "你好", "цена", "seven"]), max_size=40
)


def runs(text: str) -> set[str]:
    """All runs of eight words and of forty characters of a text, by definition."""
    plain = normalised(text)
    words = words_of(plain)
    return {" ".join(words[i : i + 8]) for i in range(len(words) - 7)} | {
        plain[i : i + 40] for i in range(len(plain) - 39)
    }


@settings(max_examples=150)
@given(WORDS, WORDS, WORDS, WORDS, st.booleans())
def test_a_run_of_private_words_is_found_and_nothing_else(
    private: list[str], known: list[str], public: list[str], sent: list[str], quote: bool
) -> None:
    """Against the definition, on texts that share much."""
    thoughts = " ".join(private)
    # Every second time the text holds a part of the thoughts, in other clothes.
    told = " ".join([*sent[:5], *private[3:25], *sent[5:]]).upper() if quote else " ".join(sent)
    words = PrivateWords()
    words.publish(" ".join(public))
    words.add(ALICE, thoughts, [" ".join(known)])
    secret = runs(thoughts) - runs(" ".join(known)) - runs(" ".join(public))
    found = words.author_of_leak(BOB, [told])
    assert found == (ALICE if secret & runs(told) else None)
    assert words.author_of_leak(ALICE, [told]) is None


def test_words_of_several_authors_are_told_apart() -> None:
    same = "they will never guess that we have nothing else to say about it"
    words = PrivateWords()
    words.add(ALICE, same)
    words.add(("f", "carol"), same + " at all")
    assert words.author_of_leak(BOB, [same]) == ALICE
    # Both think it, so that to neither it tells anything of the other.
    assert words.author_of_leak(ALICE, [same]) is None
    assert words.author_of_leak(("f", "carol"), [same]) is None


def test_a_text_that_was_sent_before_is_nobodys_secret_later() -> None:
    template = "Answer in no more than a hundred words, and do not repeat what was said before."
    words = PrivateWords()
    assert words.author_of_leak(BOB, [template, " Go on."]) is None
    words.add(ALICE, f"I was told: {template} So I will do that, and nobody will ever notice it.")
    assert words.author_of_leak(BOB, [template, " Begin."]) is None
    assert words.author_of_leak(BOB, ["So I will do that, and nobody will ever notice"]) == ALICE


def test_a_text_of_one_word_again_and_again_costs_no_more_than_another() -> None:
    """Models that loop write such texts, and every place of it looks like every other."""
    words = PrivateWords()
    began = time.process_time()
    for number in range(30):
        loop = f"{number} " + "word " * 2000
        words.publish(loop + " public")
        words.add(("e", f"seat{number}"), loop + "</thoughts> <speech>", [loop])
        words.author_of_leak(BOB, [loop])
    assert time.process_time() - began < 5
