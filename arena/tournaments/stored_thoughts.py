"""Read the private thoughts of stored debates as something to label.

Thoughts are what a debater was asked to write as private.  A provider's own text of reasoning, or
its summary, was not asked for and may say what the model did not mean to: such turns are left out,
and counted by reports.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StudyError
from arena.store.database import open_live
from arena.types import Subject

# A number that was not read cannot be compared.  "NA" is what the authors of a published program
# typed in where there were no thoughts.
THOUGHTS = """
    select t.episode, t.seat, t.step, t.thoughts, t.confidence
    from episodes e join turns t using (episode)
    where e.study = ? and e.status = 'done' and t.seat in ('proposition', 'opposition')
      and t.confidence is not null and length(trim(coalesce(t.thoughts, ''))) > 2
    order by all
"""
WITH_THOUGHTS = """
    select e.study, count(*) from episodes e join turns t using (episode)
    where t.thoughts is not null and t.seat in ('proposition', 'opposition') group by all order by 1
"""


@dataclass(frozen=True, slots=True)
class StoredThoughts(Subject):
    """The private thoughts of one turn, and the number in [0, 1] that was stated with them.

    Its identity as a subject is the turn and a hash of thoughts and number: the words stand in the
    debate alone, and in the prompts of the labellers.
    """

    thoughts: str = ""
    number: float = 0.0


def stored_thoughts(path: Path, study: str) -> tuple[StoredThoughts, ...]:
    """Return the thoughts of the finished debates of a study, by episode, seat and step.

    Raises StudyError if there are none, with the studies that have some.
    """
    with open_live(path, ("episodes",)) as con:
        rows = con.execute(THOUGHTS, [study]).fetchall()
        others = con.execute(WITH_THOUGHTS).fetchall() if not rows else []
    if not rows:
        studies = ", ".join(f"{name} ({count})" for name, count in others) or "none"
        raise StudyError(
            f"{path} holds no finished debate of a study {study!r} with private thoughts beside a"
            f" number; studies with private thoughts: {studies}"
        )
    return tuple(stored_thought(f"{e}/{seat}/{step}", *words) for e, seat, step, *words in rows)


def stored_thought(item: str, thoughts: str, number: float) -> StoredThoughts:
    """Return the thoughts of one turn, an item EPISODE/SEAT/STEP, as a subject."""
    digest = hashlib.sha256(f"{number:.9g} {thoughts}".encode()).hexdigest()[:20]
    text = f"private thoughts of {item} (words and number {digest})"
    return StoredThoughts(text, "debate", source=item, thoughts=thoughts, number=number)
