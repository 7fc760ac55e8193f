"""Read the answers of tables of agents by stage, and whom they followed by its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes

PROTOCOLS_OF_TALKS = frozenset({"drafting", "moderated", "round_table"})
STAGES = """
    with first as (
        select episode, seat, first(correct order by stage) as correct
        from latest_answers where not final group by episode, seat)
    select e.study, e.arm, e.subject, a.episode, a.stage, a.correct::double as correct,
           f.correct::double as at_first
    from latest_answers a semi join gradable using (episode)
    join episodes e on e.episode = a.episode and e.status = 'done'
    join first f on f.episode = a.episode and f.seat = a.seat
    where not a.final and e.protocol = any($protocols) and ($study is null or e.study = $study)
    order by e.study, e.arm, e.subject, a.episode, a.seat, a.stage
"""
FOLLOWING = """
    select f.study, f.arm, e.subject, f.episode, f.place, f.followed, f.author
    from following f join episodes e using (episode)
    where e.protocol = any($protocols) and ($study is null or f.study = $study)
    order by f.study, f.arm, e.subject, f.episode, f.reader, f.step, f.place
"""


@dataclass(frozen=True, slots=True)
class StagedAnswers:
    """N answers of seats in one arm, all (N,).

    `correct` and `at_first` (of the same seat's first answer) are 1 or 0, nan of an answer that
    cannot be read.
    """

    arm: str
    question: Codes
    play: Codes
    stage: Codes
    correct: Array
    at_first: Array


@dataclass(frozen=True, slots=True)
class Followed:
    """N replies of others that readers in one arm were shown, all (N,).

    `place` counts from 1; `followed` is 1 where the reader changed to the reply's answer, else 0.
    """

    arm: str
    question: Codes
    place: Codes
    followed: Array
    author: Codes


@dataclass(frozen=True, slots=True)
class Talks:
    """The talks of one study by arm."""

    stages: tuple[StagedAnswers, ...]
    followed: tuple[Followed, ...]


def read_talks(con: duckdb.DuckDBPyConnection, study: str | None) -> dict[str, Talks]:
    """Return the talks of each study of tables of agents."""
    bound = {"study": study, "protocols": sorted(PROTOCOLS_OF_TALKS)}
    stages: defaultdict[str, list[StagedAnswers]] = defaultdict(list)
    for (own, arm), columns in columns_by_arm(con, STAGES, bound).items():
        question, play, stage, correct, at_first = columns
        stages[own].append(
            StagedAnswers(
                arm,
                codes(question),
                codes(play),
                np.array(stage, dtype=np.int64),
                np.array(correct, dtype=np.float64),
                np.array(at_first, dtype=np.float64),
            )
        )
    followed: defaultdict[str, list[Followed]] = defaultdict(list)
    for (own, arm), columns in columns_by_arm(con, FOLLOWING, bound).items():
        question, _, place, did, author = columns
        followed[own].append(
            Followed(
                arm,
                codes(question),
                np.array(place, dtype=np.int64),
                np.array(did, dtype=np.float64),
                codes(author),
            )
        )
    return {own: Talks(tuple(each), tuple(followed[own])) for own, each in stages.items()}


def columns_by_arm(
    con: duckdb.DuckDBPyConnection, sql: str, bound: Mapping[str, object]
) -> dict[tuple[str, str], list[tuple[object, ...]]]:
    """Return the columns of a query after study and arm, by these."""
    groups: defaultdict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for own, arm, *row in con.execute(sql, bound).fetchall():
        groups[own, arm].append(tuple(row))
    return {key: list(zip(*rows, strict=True)) for key, rows in groups.items()}


def codes(names: tuple[object, ...]) -> Codes:
    """Return a code for each name, equal for equal names."""
    _, found = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    return found.astype(np.int64)
