"""Plays as other systems have recorded them: the shape that all readers of files give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arena.types import READ, Subject

NOT_ASKED = "not asked"
SIDES = ("proposition", "opposition")


@dataclass(frozen=True, slots=True)
class ImportedTurn:
    """What a seat said: `public` to all, `thoughts` to nobody.

    `confidence` is in [0, 1]; `status` says why there is none.
    """

    seat: str
    public: str | None
    phase: str = ""
    round: int = 0
    answer: str | None = None
    confidence: float | None = None
    status: str = NOT_ASKED
    thoughts: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """What a seat answered; `final`: the play's answer.  `correct` None: it is graded here."""

    seat: str
    answer: str | None
    final: bool = True
    stage: int = 0
    confidence: float | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class ImportedVerdict:
    """A judge's word on a debate; `numbers` are those that the publication states of it.

    `answer` is what a judge of a question decided, where it decided one.
    """

    judge: str
    winner: str | None
    confidence: float | None = None
    reasons: str | None = None
    order: str = "as played"
    status: str = READ
    answer: ImportedAnswer | None = None
    numbers: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedPlay:
    """A play as others recorded it; `key` tells it from the other plays of its study.

    `failed` says why it ended without a result; None: it is done.  `named_by_key`: by its key
    alone, so that its words and verdicts may come in one by one.
    """

    key: str
    study: str
    subject: Subject
    seats: Mapping[str, str | None]
    turns: Sequence[ImportedTurn]
    arm: str = "published"
    protocol: str = "debate"
    verdicts: Sequence[ImportedVerdict] = ()
    answers: Sequence[ImportedAnswer] = ()
    repeat: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    simulated: bool = False
    failed: str | None = None
    named_by_key: bool = False

    @property
    def is_debate(self) -> bool:
        """Whether two sides sat in it, so that one of them can win."""
        return self.seats.keys() >= set(SIDES)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file, or a part of one, that cannot be read, with the reason."""

    name: str
    reason: str
