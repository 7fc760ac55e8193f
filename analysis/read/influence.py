"""Read what paths of LeaP answer before and after each block, where they were made to answer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes
from arena.grading.grade import canonical, grade
from arena.types import Subject

# A path of one play, before and after the block that follows its turn `round`.
PROBES = """
    with probes as (
        select t.episode, t.seat, t.round, t.answer, t.phase = 'after block' as after
        from latest_turns t where t.phase in ('before block', 'after block'))
    select e.study, e.arm, e.subject, b.round, s.text, s.gold, s.choices, b.answer, a.answer
    from episodes e join probes b using (episode)
    join probes a on a.episode = b.episode and a.seat = b.seat and a.round = b.round and a.after
    left join subjects s using (subject)
    where not b.after and e.status = 'done' and ($study is null or e.study = $study)
    order by e.study, e.arm, b.round, e.subject, e.episode, b.seat
"""


@dataclass(frozen=True, slots=True)
class BlockProbes:
    """N answers of paths before and after one block, all (N,).

    `changed` is 1 where the answer is another one, nan where one of the two cannot be read;
    `before` and `after` say whether they are right, nan where that is not known.
    """

    study: str
    arm: str
    block: int
    question: Codes
    changed: Array
    before: Array
    after: Array


def read_influence(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[BlockProbes, ...]]:
    """Return the answers before and after each block, by study, arm and block."""
    groups: defaultdict[tuple[str, str, int], list[tuple[str, float, float, float]]]
    groups = defaultdict(list)
    for name, arm, subject, block, text, gold, choices, *said in con.execute(
        PROBES, {"study": study}
    ).fetchall():
        question = Subject(text or "", "question", gold, tuple(choices or ()))
        groups[name, arm, block].append((subject, *compared(question, *said)))
    found: defaultdict[str, list[BlockProbes]] = defaultdict(list)
    for (name, arm, block), rows in groups.items():
        subjects, *columns = zip(*rows, strict=True)
        _, code = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
        numbers = (np.array(column, dtype=np.float64) for column in columns)
        found[name].append(BlockProbes(name, arm, block, code.astype(np.int64), *numbers))
    return {name: tuple(each) for name, each in found.items()}


def compared(
    question: Subject, before: str | None, after: str | None
) -> tuple[float, float, float]:
    """Return whether an answer changed, and whether it was right before and after."""
    changed = nan
    if before is not None and after is not None:
        values = [canonical(each, question.choices) for each in (before, after)]
        changed = float(values[0] != values[1])
    rights = [grade(question, each).correct for each in (before, after)]
    one, two = (nan if right is None else float(right) for right in rights)
    return changed, one, two
