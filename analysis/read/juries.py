"""Read how far judges prefer the texts of one arm to those of another, by task."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes

# Each comparison is read once, from the arm whose name comes later in the alphabet.
COMPARED = """
    select e.study, e.arm, s.details->>'$.against' as against, e.subject,
           s.details->>'$.judge' as judge, s.value,
           try_cast(s.details->>'$.read_first' as double) as read_first,
           try_cast(s.details->>'$.read_second' as double) as read_second
    from latest_scores s join episodes e using (episode)
    where s.name = 'preferred by a jury' and ($study is null or e.study = $study)
      and s.details->>'$.against' < e.arm
    order by all
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """N judgings of texts of an arm against those of another, all (N,).

    `preferred` in [0, 1] is the mean of both orders, nan without one of them; `read_first` and
    `read_second` are the two.  `task` and `judge` are codes.
    """

    study: str
    arm: str
    against: str
    task: Codes
    judge: Codes
    preferred: Array
    read_first: Array
    read_second: Array


def read_juries(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[Compared, ...]]:
    """Return the judgings of each two arms, by the study whose texts they are."""
    groups: defaultdict[tuple[str, str, str], list[tuple[object, ...]]] = defaultdict(list)
    for name, arm, against, *row in con.execute(COMPARED, {"study": study}).fetchall():
        groups[name, arm, str(against)].append(tuple(row))
    found: defaultdict[str, list[Compared]] = defaultdict(list)
    for (name, arm, against), rows in groups.items():
        tasks, judges, *columns = zip(*rows, strict=True)
        codes = [
            np.unique(np.array(each, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
            for each in (tasks, judges)
        ]
        numbers = [
            np.array([nan if each is None else each for each in column], dtype=np.float64)
            for column in columns
        ]
        found[name].append(Compared(name, arm, against, codes[0], codes[1], *numbers))
    return {name: tuple(each) for name, each in found.items()}
