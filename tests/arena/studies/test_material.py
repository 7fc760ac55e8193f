"""Find every gold of the package's material again from the words, and nothing twice."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from fractions import Fraction

import pytest

from arena import MOTIONS
from arena.errors import StudyError
from arena.grading.grade import grade
from arena.studies.material import (
    CANARY,
    FILE,
    counts,
    is_material,
    material_motions,
    material_questions,
)
from arena.studies.material.templates import TEMPLATES, WEEKDAYS
from arena.studies.motions import motions
from arena.studies.questions import questions
from arena.types import Subject

ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5}


def numbers(text: str) -> list[int]:
    """Return the whole numbers in a text."""
    return [int(each) for each in re.findall(r"\d+", text)]


def shopping(text: str) -> object:
    number, price, off, paid = numbers(text)
    return paid - sum([price] * number) + off


def journeys(text: str) -> object:
    hour, minute, first, wait, second, *_ = numbers(text)
    return hour * 60 + minute + first + wait + second - 12 * 60


def calendar(text: str) -> object:
    day = datetime.strptime(re.findall(r"^(\d+ \w+ \d+)", text)[0], "%d %B %Y")
    assert f"was a {day:%A}" in text
    return f"{day + timedelta(days=numbers(text)[-1]):%A}"


def letters(text: str) -> object:
    letter = re.findall(r"letter (\w) ", text)[0]
    return sum(character == letter for character in text.split(":")[1])


def order(text: str) -> object:
    pairs = re.findall(r"(\w+) is older than (\w+)\.", text)
    people = {name for pair in pairs for name in pair}
    fits = [
        line
        for line in itertools.permutations(people)
        if all(line.index(a) < line.index(b) for a, b in pairs)
    ]
    assert len(fits) == 1
    return fits[0][ORDINALS[re.findall(r"the (\w+) oldest", text)[0]] - 1]


def truth_tellers(text: str) -> object:
    said = re.findall(r'(\w+) says: "(.*?)\."', text)
    names = [name for name, _ in said]
    consistent = []
    for world in itertools.product([True, False], repeat=3):
        honest = dict(zip(names, world, strict=True))
        for name, words in said:
            meant = [honest[each] for each in names if each in words]
            if words.startswith("The number"):
                true = sum(world) == numbers(words)[0]
            elif words.startswith("At least one"):
                true = any(meant)
            else:
                true = not any(meant) if words.endswith("lie") else meant == [words[-1] == "h"]
            if true != honest[name]:
                break
        else:
            consistent.append(sum(world))
    assert len(consistent) == 1
    return consistent[0]


def walks(text: str) -> object:
    place = 0j
    for number, direction in re.findall(r"(\d+) blocks (\w+)", text):
        place += int(number) * {"north": 1j, "south": -1j, "east": 1, "west": -1}[direction]
    return int(abs(place.real) + abs(place.imag))


def sequences(text: str) -> object:
    a, b, change, place, _ = numbers(text)
    for _ in range(place - 1):
        a, b = b, a + b - change
    return a


def chances(text: str) -> object:
    red, blue = numbers(text)
    pairs = [*itertools.combinations("r" * red + "b" * blue, 2)]
    return Fraction(sum(a == b for a, b in pairs), len(pairs))


def recipes(text: str) -> object:
    people, grams, pack, guests = numbers(text)
    packs = 0
    while packs * pack * people < grams * guests:
        packs += 1
    return packs


def sets(text: str) -> object:
    total, first, second, both = numbers(text)
    return total - (first + second - both)


def binary(text: str) -> object:
    first, second = re.findall(r"numbers ([01]+) and ([01]+)", text)[0]
    return int(first, 2) + int(second, 2)


def sorting(text: str) -> object:
    words = re.findall(r": (.*?)\.", text)[0].split(", ")
    return sorted(words)[ORDINALS[re.findall(r"the (\w+)\?", text)[0]] - 1]


def divisors(text: str) -> object:
    low, high, by, but = numbers(text)
    return len({*range(low, high + 1)} & {*range(0, 200, by)} - {*range(0, 200, but)})


def programs(text: str) -> object:
    value, times, limit, take = numbers(text)
    while times:
        times, value = times - 1, value + (value if value < limit else -take)
    return value


def meetings(text: str) -> object:
    spans = [
        {*range(int(a) * 60 + int(b), int(c) * 60 + int(d))}
        for a, b, c, d in re.findall(r"from (\d+):(\d+) to (\d+):(\d+)", text)
    ]
    return len(spans[0] & spans[1] & spans[2])


SOLVERS: dict[str, Callable[[str], object]] = {
    function.__name__.replace("_", " "): function
    for function in (
        *(shopping, journeys, calendar, letters, order, truth_tellers, walks, sequences),
        *(chances, recipes, sets, binary, sorting, divisors, programs, meetings),
    )
}


def gold_words(subject: Subject) -> str:
    """Return the gold answer in words: the text of the option, of a question with options."""
    gold = str(subject.gold)
    return subject.choices["ABCDEFGHIJ".index(gold)] if subject.choices else gold


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_gold_is_found_again_from_the_words_alone(kind: str) -> None:
    for seed in (0, 1):
        made = material_questions(f"material:{kind}?number=40&seed={seed}")
        for subject in made:
            assert str(SOLVERS[kind](subject.text)) == gold_words(subject), subject.text
            assert grade(subject, str(subject.gold)).correct
            golds = Counter(subject.gold for subject in made)
            assert max(golds.values()) < 24, "an answer that need not be found"


def test_there_are_enough_of_each_and_none_twice() -> None:
    kinds = Counter(subject.source for subject in material_questions())
    assert len(kinds) == 16
    assert kinds.total() >= 200
    fields = Counter(subject.source for subject in material_motions())
    assert len(fields) == 6
    assert fields.total() >= 60
    assert counts() == {**fields, **kinds}
    for subjects in (material_questions(), (*MOTIONS, *material_motions())):
        assert len({subject.text for subject in subjects}) == len(subjects)
        assert all(subject.licence == "CC0-1.0" for subject in subjects)
    for one, other in itertools.combinations((*MOTIONS, *material_motions()), 2):
        alike = SequenceMatcher(None, one.text, other.text, autojunk=False)
        assert alike.real_quick_ratio() < 0.75 or alike.ratio() < 0.75, (one.text, other.text)


def test_the_same_name_gives_the_same_questions_and_a_longer_list_begins_with_a_shorter() -> None:
    short = material_questions("material:sets?number=5")
    assert material_questions("material:sets?number=9")[:5] == short
    assert material_questions("material:sets?number=5&seed=1") != short
    assert material_questions("material:sets") == material_questions()[10 * 15 : 11 * 15]


def test_material_is_named_wherever_a_file_is() -> None:
    assert motions("material:economy") == material_motions("material:economy")
    assert len(questions("material:truth_tellers,walks")) == 30
    assert is_material("material?seed=2")
    assert not is_material("materials.jsonl")
    assert questions("material:calendar")[0].choices == WEEKDAYS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("material:chess", "'chess' is none of the kinds of questions"),
        ("material:sets?number=0", "0 questions of a kind; give 1 to"),
        ("material:sets?number=many", "number must be a whole number, found 'many'"),
        ("material:sets?seeds=3", "unknown setting seeds"),
        ("material:calendar?number=10000", None),
    ],
)
def test_a_wrong_name_says_what_there_is(name: str, words: str | None) -> None:
    if words is None:
        assert len(questions(name)) == 10_000
        return
    with pytest.raises(StudyError, match=re.escape(words)):
        questions(name)


def test_an_unknown_field_of_motions_says_what_there_is() -> None:
    with pytest.raises(StudyError, match="'sport' is none of the fields of motions: economy"):
        motions("material:sport")


def test_the_canary_stands_on_every_line_and_in_no_prompt() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert all(CANARY in line for line in lines)
    assert not any(CANARY in subject.text for subject in material_motions())
