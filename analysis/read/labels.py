"""Read people's labels of a study, and what judges and graders say of the same things.

Labels of private reasoning are read elsewhere (private_reasoning.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from analysis.read.selection import ALL, Selection, open_selected
from analysis.read.verdicts import Verdicts, read_verdicts, to_codes
from analysis.statistics.clustered import Array, Codes
from arena.errors import StudyError

WINNER = "winner"
CORRECT = "correct"
SOME = "select exists (from label_entries where question not like 'private reasoning%')"
LABELS = """
    select study, question, item, episode, rater, value, probability, drawn from labels
    where ($1 is null or study = $1) and question not like 'private reasoning%' order by all
"""
# Of answers that could be read: of the others people can say nothing.
GRADED = """
    select q.episode, q.arm, q.subject, q.correct::integer, f.item
    from question_plays q join (
        select episode, episode || '/' || seat || '/answer/' || stage as item
        from latest_answers where final) f using (episode)
    where q.study = $1 and q.correct is not null order by all
"""


@dataclass(frozen=True, slots=True)
class Labels:
    """L labels of the things of one study that raters were asked one question about.

    `items`, `raters` and `values` are names; `item`, `rater` and `value` (L,) are their places.
    `episode` has each item's episode, `chance` (items,) the chance with which a sheet drew it, nan
    for those that none did, and `drawn` the items of the largest sheet.
    """

    study: str
    question: str
    items: tuple[str, ...]
    raters: tuple[str, ...]
    values: tuple[str, ...]
    item: Codes
    rater: Codes
    value: Codes
    episode: tuple[str, ...]
    chance: Array
    drawn: int


@dataclass(frozen=True, slots=True)
class Graded:
    """N final answers of a study that could be graded: `correct` (N,) is 1 or 0.

    `item` names each as labels do; `arm` and `subject` (N,) are codes, the arms' names in `arms`.
    """

    item: tuple[str, ...]
    arms: tuple[str, ...]
    arm: Codes
    subject: Codes
    correct: Array


def read_labels(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, list[Labels]]:
    """Return the labels of the chosen episodes by study, those of each question together."""
    with open_selected(path, selection, ("labels",)) as (con, _):
        if not con.execute(SOME).fetchall()[0][0]:
            return {}
        rows = con.execute(LABELS, [study]).fetchall()
    found: dict[str, list[Labels]] = {}
    for (name, question), some in groupby(rows, key=lambda row: row[:2]):
        found.setdefault(name, []).append(build_labels(name, question, list(some)))
    return found


def build_labels(study: str, question: str, rows: Sequence[tuple[Any, ...]]) -> Labels:
    """Return rows of LABELS of one question as arrays."""
    items = {row[2]: row for row in rows}
    raters, values = (tuple(sorted({row[place] for row in rows})) for place in (4, 5))
    chances = {row[2]: row[6] for row in rows if row[6] is not None}
    return Labels(
        study,
        question,
        tuple(items),
        raters,
        values,
        to_codes([row[2] for row in rows], list(items)),
        to_codes([row[4] for row in rows], raters),
        to_codes([row[5] for row in rows], values),
        tuple(row[3] for row in items.values()),
        np.array([chances.get(name, np.nan) for name in items], dtype=np.float64),
        max((row[7] or 0 for row in rows), default=0),
    )


def read_judged(path: Path, study: str, selection: Selection = ALL) -> Verdicts | None:
    """Return the verdicts on a study's debates; None if nobody judged them."""
    try:
        return read_verdicts(path, study, selection=selection)
    except StudyError:
        return None


def read_graded(path: Path, study: str, selection: Selection = ALL) -> Graded:
    """Return the final answers of a study that could be graded."""
    with open_selected(path, selection, ("question_plays", "latest_answers")) as (con, _):
        rows = con.execute(GRADED, [study]).fetchall()
    arms = tuple(sorted({row[1] for row in rows}))
    subjects = [row[2] or "" for row in rows]
    return Graded(
        tuple(row[4] for row in rows),
        arms,
        to_codes([row[1] for row in rows], arms),
        to_codes(subjects, sorted(set(subjects))),
        np.array([row[3] for row in rows], dtype=np.float64),
    )
