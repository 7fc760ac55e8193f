"""Make the play of a stored episode anew: its protocol, subject, options and seats."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

import orjson

from arena.errors import StudyError
from arena.grading.grade import Grader
from arena.images import Image
from arena.store.readings import Row, StoredEpisode
from arena.store.replay import sampling_of
from arena.studies.lineups import Seating, seats_of
from arena.studies.motions import SEVERAL, subject_id
from arena.studies.study import Arm, Options, Play, Protocol, check_options
from arena.studies.versions import in_version, versions_of
from arena.types import Agent, BaseModel, Request, Subject

# A stand-in takes every request, as the model did that answered it.
EVERYTHING = frozenset(
    {
        *("seed", "same seed, same reply", "prefill", "logprobs", "measures", "choices"),
        *("images", "response_schema"),
    }
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to find what the record only names.

    `protocol` returns the function of a (study, name); it raises StudyError if there is none.
    `judged` returns what a judging is about by its source: the stored debate of an episode, or the
    thoughts of a turn, EPISODE/SEAT/STEP; None if there is none.  `graders` are the functions by
    which studies decide what is right.
    """

    protocol: Callable[[str, str], Protocol]
    judged: Callable[[str], Subject | None]
    graders: Mapping[str, Grader] = field(default_factory=dict)


class NeverAsked(BaseModel):
    """A stand-in for the model of a stored seat."""

    capabilities = EVERYTHING

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, request: Request) -> NoReturn:
        """Refuse: all replies are stored."""
        raise AssertionError(f"{self.name} was asked in a replay")


def play_of(stored: StoredEpisode, sources: Sources) -> Play:
    """Return the play of a stored episode.

    Raises StudyError with a reason that is the same for all episodes that it holds for.
    """
    row = stored.row
    name = row["protocol"]
    if row["origin"] not in (None, "played"):
        raise StudyError(
            f"study {row['study']!r} was imported, so that no protocol leads through its turns;"
            " import its files again to read them anew"
        )
    protocol = sources.protocol(row["study"], name)
    try:
        protocol = in_version(protocol, row["version"])
    except StudyError:
        raise StudyError(
            f"it was played by VERSION {row['version']} of {name}, which has VERSION"
            f" {' and '.join(versions_of(protocol))} now"
        ) from None
    grader = sources.graders.get(row["study"])
    if row["grader"] is not None and grader is None:
        raise StudyError(
            f"study {row['study']!r} decides by a function of its own, {row['grader']}, what is"
            " right; name its file: arena reread STUDY.py"
        )
    return Play(
        stored.id,
        row["study"],
        row["arm"],
        protocol,
        options_of(protocol, row["options"] or "{}"),
        subject_of(row, stored.images, sources),
        seating_of(stored, protocol),
        row["repeat"],
        orjson.Fragment(b"{}"),
        grader,
    )


@functools.lru_cache(maxsize=1000)
def options_of(protocol: Protocol, stored: str) -> Options:
    """Return the options of a protocol from their JSON, once for all episodes that have them."""
    return check_options(Arm("stored", protocol, (), orjson.loads(stored)))


def subject_of(row: Row, images: Mapping[str, Image], sources: Sources) -> Subject:
    """Return the subject of an episode, whose images are among `images`, by hash.

    Raises StudyError if the store does not hold it whole.
    """
    if row["text"] is None:
        raise StudyError("its subject is not in this store")
    if row["kind"] == "replies":
        raise StudyError(
            "it scored stored replies, or asked about them, which stays as it was read"
        )
    if row["kind"] == "debate":
        found = sources.judged(row["source"])
        candidates = [found] if found is not None else []
        problem = "the debate that it judges or labels is not in this store, or with other words"
    else:
        # Several right answers stand in one text.
        gold, *accepted = (row["gold"] or "").split(SEVERAL)
        plain = Subject(
            row["text"],
            row["kind"],
            row["gold"],
            tuple(row["choices"] or ()),
            row["source"],
            row["licence"],
            images=tuple(images[each] for each in row["images"] or () if each in images),
            passage=row["passage"] or "",
            published=row["published"],
        )
        several = replace(plain, gold=gold, accepted=tuple(accepted))
        candidates = [plain, several]
        problem = "its subject cannot be made anew from the store"
    for subject in candidates:
        if subject_id(subject) == row["subject"]:
            return subject
    raise StudyError(problem)


def seating_of(stored: StoredEpisode, protocol: Protocol) -> Seating:
    """Return the agents in the seats of a protocol.  Raises StudyError if one is not stored."""
    seats = seats_of(protocol)
    names = list(seats.fixed)
    number = 1
    while seats.variable is not None and f"{seats.variable}{number}" in stored.seats:
        names.append(f"{seats.variable}{number}")
        number += 1
    missing = [name for name in names if name not in stored.seats]
    if missing:
        raise StudyError(f"{stored.row['protocol']} has other seats today than when it was played")
    return {name: agent_of(stored.seats[name]) for name in names}


def agent_of(row: Row) -> Agent:
    """Return the agent of a stored seat, with a stand-in for its model."""
    sampling = sampling_of(orjson.loads(row["sampling"] or "{}"))
    return Agent(row["agent"], NeverAsked(row["model"]), row["system"] or "", sampling)
