"""Questions about simulated passages with planted facts, for formats in which only some read them.

A passage says of several things where each was put, one sentence a thing:

    The brass key was put into the cellar by Anna at dusk.

and a question asks for one of them.  The right answer stands in one sentence; each wrong one stands
in the sentence of another thing, so that a true quote can name it and proves nothing.  Nothing can
be learned from these questions about language models: they serve to plan studies, and to check
protocols and analysis against a known truth.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from arena.errors import StudyError
from arena.types import Subject

SOURCE = "peer-arena simulation"
MOST = 100_000
THINGS = (
    *("brass key", "silver cup", "blue ledger", "oak box", "wax seal", "green lamp", "old map"),
    *("iron ring", "glass eye", "red drum", "bone comb", "tin whistle", "clay pipe", "wool coat"),
)
PLACES = (
    *("cellar", "attic", "garden shed", "clock tower", "well house", "mill", "chapel", "stable"),
    *("boat house", "bakery", "orchard", "quarry", "school room", "customs office"),
)
PEOPLE = ("Anna", "Ben", "Clara", "Dov", "Edith", "Farid", "Greta", "Hugo", "Ines", "Jonas")
TIMES = ("at dusk", "before noon", "after the storm", "on the second day", "while others slept")
TEXT = "Simulated question {number} about a passage: into which place was the {thing} put?"
FACT = "The {thing} was put into the {place} by {person} {time}."
QUESTION = re.compile(
    r"Simulated question \d{1,6} about a passage: into which place was the (?P<thing>[a-z ]{1,40})"
    r" put\?"
)
SENTENCE = re.compile(
    r"The (?P<thing>[a-z ]{1,40}) was put into the (?P<place>[a-z ]{1,40}) by [A-Z][a-z]+ [a-z ]+\."
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence of a passage: the thing, the place into which it was put, and all its words."""

    thing: str
    place: str
    words: str


def simulated_passages(
    n: int, *, seed: int = 0, facts: int = 8, options: int = 2
) -> tuple[Subject, ...]:
    """Return `n` questions about passages of `facts` sentences, with so many options.

    The same for the same seed; a longer draw begins with a shorter one.  Raises StudyError unless
    `n` is from 0 to 100,000, `facts` from 2 to 14, and `options` from 2 to `facts`.
    """
    if not 0 <= n <= MOST:
        raise StudyError(f"{n} simulated passages were asked for; give 0 to {MOST:,}")
    if not (2 <= facts <= len(THINGS) and 2 <= options <= facts):
        raise StudyError(
            f"a simulated passage has 2 to {len(THINGS)} facts, and 2 options or more, up to one"
            f" a fact; found {facts} facts and {options} options"
        )
    rng = random.Random(f"simulated passages {seed} {facts} {options}")
    subjects = []
    for number in range(1, n + 1):
        things, places = rng.sample(THINGS, facts), rng.sample(PLACES, facts)
        sentences = [
            FACT.format(thing=thing, place=place, person=rng.choice(PEOPLE), time=rng.choice(TIMES))
            for thing, place in zip(things, places, strict=True)
        ]
        # The first thing is asked for; the places of the next ones are the wrong answers.
        choices = places[:options]
        rng.shuffle(choices)
        right = "ABCDEFGHIJKLMN"[choices.index(places[0])]
        rng.shuffle(sentences)
        subjects.append(
            Subject(
                TEXT.format(number=number, thing=things[0]),
                "question",
                right,
                tuple(choices),
                SOURCE,
                "CC0-1.0",
                passage=" ".join(sentences),
            )
        )
    return tuple(subjects)


def thing_in(text: str) -> str | None:
    """Return the thing that the last simulated question in a text asks for; None for none."""
    found = [None, *QUESTION.finditer(text)][-1]
    return None if found is None else found["thing"]


def facts_in(text: str) -> tuple[Fact, ...]:
    """Return the facts whose sentences stand in a text."""
    return tuple(
        Fact(found["thing"], found["place"], found[0]) for found in SENTENCE.finditer(text)
    )


def claims(words: str, thing: str, place: str) -> bool:
    """Return whether some words say of a thing that it was put into a place."""
    return any(fact.thing == thing and fact.place == place for fact in facts_in(words))
