"""Motions and questions that come with the package, all in words of its own, under CC0-1.0.

Sixty-six motions in six fields (motions.jsonl), and questions of sixteen kinds whose golds are
computed (templates.py).  Wherever a file of motions or questions is asked for, `material` names all
of them, `material:economy` or `material:calendar,sets` those of some fields or kinds, and
`material:sets?number=50&seed=3` so many of a kind with other numbers.

A copy of this material that turns up in training data is told by the canary.  It is never part of
a prompt.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import orjson

from arena.errors import StudyError
from arena.studies.material.templates import TEMPLATES
from arena.types import Subject

PREFIX = "material"
CANARY = "peer-arena-material-8c1f6d52-0b7e-4a43-9d1e-5f2f3f0a7c94"
LICENCE = "CC0-1.0"
PUBLISHED = "2026-11-27"
NUMBER = 15
MOST = 10_000
FILE = Path(__file__).with_name("motions.jsonl")


def is_material(name: object) -> bool:
    """Return whether a name means material of the package rather than a file."""
    text = str(name)
    return text == PREFIX or text.startswith((f"{PREFIX}:", f"{PREFIX}?"))


def material_motions(name: str = PREFIX) -> tuple[Subject, ...]:
    """Return the motions that a name means, in the order of the file.

    Raises StudyError for an unknown field.
    """
    fields, settings = parts_of(name)
    if settings:
        raise StudyError(f"{name}: motions have no settings; write material:FIELD,FIELD")
    rows = motion_rows()
    known = [*dict.fromkeys(field for field, _ in rows)]
    wanted = check_words(name, fields, known, "fields of motions")
    return tuple(subject for field, subject in rows if field in wanted)


@cache
def motion_rows() -> tuple[tuple[str, Subject], ...]:
    """Return each motion of the package with its field."""
    rows = map(orjson.loads, FILE.read_bytes().splitlines())
    return tuple(
        (
            row["field"],
            Subject(
                row["motion"],
                source=row["source"],
                licence=row["licence"],
                published=row["published"],
            ),
        )
        for row in rows
    )


def material_questions(name: str = PREFIX) -> tuple[Subject, ...]:
    """Return the questions that a name means: kind by kind, `number` of each (by default 15).

    The same name gives the same questions, and a larger number begins with those of a smaller.
    Raises StudyError for an unknown kind or setting.
    """
    kinds, settings = parts_of(name)
    wanted = check_words(name, kinds, [*TEMPLATES], "kinds of questions")
    number, seed = whole(name, settings, "number", NUMBER), whole(name, settings, "seed", 0)
    if settings:
        raise StudyError(f"{name}: unknown setting {min(settings)}; there are number and seed")
    if not 1 <= number <= MOST:
        raise StudyError(f"{name}: {number} questions of a kind; give 1 to {MOST:,}")
    return tuple(subject for kind in wanted for subject in questions_of(kind, number, seed))


def questions_of(kind: str, number: int, seed: int) -> list[Subject]:
    """Return `number` different questions of a kind."""
    rng = random.Random(f"peer-arena material {kind} {seed}")
    made: dict[str, Subject] = {}
    # Small templates repeat themselves now and then: a question is asked once.
    for _ in range(50 * number):
        text, gold, choices = TEMPLATES[kind](rng)
        made.setdefault(
            text,
            Subject(
                text,
                "question",
                gold,
                choices,
                f"{PREFIX}: {kind}",
                LICENCE,
                published=PUBLISHED,
            ),
        )
        if len(made) == number:
            return [*made.values()]
    raise StudyError(f"there are fewer than {number} different questions of the kind {kind}")


def counts() -> dict[str, int]:
    """Return how many motions of each field and questions of each kind there are by default."""
    subjects = [*material_motions(), *material_questions()]
    sources = [subject.source or "" for subject in subjects]
    return {source: sources.count(source) for source in dict.fromkeys(sources)}


def parts_of(name: str) -> tuple[list[str], dict[str, str]]:
    """Return the words and the settings of `material:word,word?setting=value`."""
    words, _, settings = name.removeprefix(PREFIX).removeprefix(":").partition("?")
    return [word.strip().replace("_", " ") for word in words.split(",") if word.strip()], dict(
        parse_qsl(settings, keep_blank_values=True)
    )


def check_words(name: str, words: list[str], known: list[str], what: str) -> list[str]:
    """Return the words asked for, or all.  Raises StudyError for one that is not known."""
    for word in words:
        if word not in known:
            raise StudyError(f"{name}: {word!r} is none of the {what}: {', '.join(known)}")
    return words or known


def whole(name: str, settings: dict[str, str], setting: str, default: int) -> int:
    """Take a whole number out of the settings.  Raises StudyError if it is none."""
    text = settings.pop(setting, str(default))
    if not (text.isascii() and text.isdigit()):
        raise StudyError(f"{name}: {setting} must be a whole number, found {text!r}")
    return int(text)
