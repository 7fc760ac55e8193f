"""Define subjects that hang on a turn of another episode: an aside, and a fork to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
