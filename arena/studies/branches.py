"""Define subjects that hang on a turn of another episode: an aside, and a fork to come."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from arena.types import Subject


@dataclass(frozen=True, slots=True)
class Branch(Subject):
    """A moment of an episode: after step `parent_step` of the seat `parent_seat`.

    An episode with this subject begins with what that seat had seen and said by then.  `change` is
    what it does otherwise, as JSON; None: nothing.  Its text identifies it, as that of any subject.
    """

    parent: str = ""
    parent_seat: str = ""
    parent_step: int = 0
    change: Mapping[str, object] | None = field(default=None, hash=False)

    def seat_in_parent(self, seat: str) -> str | None:
        """Return the seat of the parent as which a seat of this episode goes on; None: as none.

        Whoever goes on may be shown the private faces of its own turns there, and has the agent
        that sat there.
        """
        return seat


@runtime_checkable
class Spoken(Protocol):
    """A subject that holds what models have said, which they may read again in whole."""

    def voices_of(self, model: str) -> Collection[tuple[str, str]]:
        """Return (episode, seat) in which the model of this name has spoken it."""


def parent_row(subject: Subject) -> dict[str, object]:
    """Return what the table `plays` keeps of the turn on which a subject hangs; else nothing."""
    if not isinstance(subject, Branch):
        return {}
    return {
        "parent": subject.parent,
        "parent_seat": subject.parent_seat,
        "parent_step": subject.parent_step,
        "change": subject.change,
    }
