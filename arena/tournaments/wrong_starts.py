"""Read the beginnings of wrong replies, to see whether a thought that begins so recovers.

This is the prefix trap of "Learning from Peers in Reasoning Models" (arXiv 2505.07787).
"""

from __future__ import annotations

from pathlib import Path

from arena.errors import StudyError
from arena.store.database import open_live
from arena.store.query import read_result
from arena.types import Subject

# Of each question the first wrong reply, by repeat and seat.
WRONG = """
    select s.text, s.gold, s.choices, t.text as reply
    from episodes e join latest_answers a using (episode)
    join latest_turns t on t.episode = a.episode and t.seat = a.seat and t.answer = a.answer
    join subjects s using (subject)
    where e.study = $1 and e.status = 'done' and a.correct = false
    qualify row_number() over (partition by e.subject order by e.repeat, e.episode, t.seat) = 1
    order by e.subject
"""


def wrong_starts(path: Path, study: str, share: float) -> tuple[Subject, ...]:
    """Return the questions of a study that some reply got wrong, with its beginning as passage.

    The passage is the first `share`, in (0, 1], of the characters of a wrong reply; the right
    answer goes with the question, and is told to nobody.  Raises StudyError where there is no wrong
    reply, or for another share.
    """
    check_share(share)
    with open_live(path, ("episodes", "latest_answers", "latest_turns")) as con:
        rows = read_result(con, WRONG, [study]).dicts()
    found = []
    for row in rows:
        start = row["reply"][: max(1, round(share * len(row["reply"])))]
        choices = tuple(row["choices"] or ())
        if start.strip():
            found.append(Subject(row["text"], "question", row["gold"], choices, passage=start))
    if not found:
        raise StudyError(
            f"no reply of {study!r} is wrong, so that there is no wrong start; take harder"
            " questions, or more samples"
        )
    return tuple(found)


def check_share(share: float) -> None:
    """Raise StudyError unless a share of a reply is in (0, 1]."""
    if not 0 < share <= 1:
        raise StudyError(f"a start is a share of a reply, above 0 and up to 1; found {share:g}")
