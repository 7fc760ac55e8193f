"""Answers out of the store as arrays: beside frames.py and verdicts.py the only reader of the store.

For each study whose protocols answer questions, its finished plays with what they took, and all their answers, those of paths and those
that are final.  Left out: texts; of an answer only its value is read, as a code by which votes are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.read.debates import STUDIES, Count
from analysis.statistics.clustered import Array
from arena.store.database import open_live

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

# An arm answers questions where a play of it gave an answer, or where it has questions and nothing was finished yet.
EPISODES = """
    with debates as (select distinct episode from seats where seat = 'proposition'),
    arms as (
        select e.study, e.arm, e.status, count(*) as n, count(a.episode) as answered,
               bool_and(s.kind = 'question' and d.episode is null) as asked
        from episodes e left join subjects s using (subject) left join debates d using (episode)
        left join (select distinct episode from answers) a using (episode) group by all)
    select study, arm, status, n from arms window same as (partition by study, arm)
    qualify sum(answered) over same > 0 or (bool_and(asked) over same and bool_and(status <> 'done') over same) order by all
"""
PLAYS = """
    create temp table play_rows as
    select *, row_number() over (order by study, arm, subject, models, repeat, episode) - 1 as row
    from question_plays where study = $1 or $1 is null
"""
PLAY_COLUMNS = """
    select study, arm, protocol, coalesce(models, 'unknown') as models, subject, correct::double as correct, confidence, status,
           answered::double as answered, calls::double as calls, tokens_in::double as tokens_in, tokens_out::double as tokens_out, cost_usd,
           routes::double as routes, episode, coalesce(repeat, 0) as repeat
    from play_rows order by row
"""
# Seats in the order of their numbers: path2 before path10.
ANSWERS = """
    with numbered as (
        select p.study, p.row, a.*, dense_rank() over (partition by p.row order by regexp_replace(a.seat, '[0-9]+$', ''),
               coalesce(try_cast(regexp_extract(a.seat, '[0-9]+$') as bigint), -1), a.seat) as place
        from answers a join play_rows p using (episode))
    select study, row, place, final, stage, correct::double as correct, confidence,
           coalesce(case when canonical is not null then dense_rank() over (order by canonical nulls last) end, 0) - 1 as vote,
           stage = min(stage) over one as first, stage = max(stage) over one as last,
           not final and stage = max(case when not final then stage end) over one as path
    from numbered window one as (partition by row, place) order by row, place, stage
"""
# The same arm played with other options is another arm under the same name.
POOLED = """
    select study, arm, count(distinct coalesce(options::varchar, '')) as n
    from episodes where status = 'done' group by all having n > 1 order by all
"""
MISSING = "select study, arm, what, phase, reason, n from missing order by all"


@dataclass(frozen=True, slots=True)
class Plays:
    """E finished plays of questions, all (E,); a code is a position in `arms`, `models`, `questions`.

    `correct` is 1 right, 0 wrong, nan unreadable (`status` says why), of the final answer; `confidence` in [0, 1] or nan.  `answered` are
    calls with a reply, `calls` all attempts; tokens and dollars are nan where unknown.  `episode` and `subject` are ids; `repeat` from 0.
    """

    arm: Codes
    models: Codes
    question: Codes
    correct: Array
    confidence: Array
    status: NDArray[np.object_]
    answered: Array
    calls: Array
    tokens_in: Array
    tokens_out: Array
    cost_usd: Array
    routes: Array
    episode: NDArray[np.object_]
    subject: NDArray[np.object_]
    repeat: Codes


@dataclass(frozen=True, slots=True)
class Answers:
    """P answers, all (P,), by play, then seat, then stage; `play` is a row of Plays and `seat` the seat's number in it, from 1.

    `path` marks the last path answer of each seat, `first` and `last` the seat's first and last answer of any kind; `vote` is a code of the
    answer's value, -1 without one.  `correct` and `confidence` as of plays.
    """

    play: Codes
    seat: Codes
    final: Flags
    path: Flags
    first: Flags
    last: Flags
    correct: Array
    confidence: Array
    vote: Codes


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """One study's plays of questions, `protocols` by arm, and counts: `episodes` by status (`what`), `missing` as the view lists them.

    `pooled` names the arms that were played with several sets of options.
    """

    study: str
    simulated: bool
    origin: str | None
    arms: tuple[str, ...]
    protocols: tuple[str, ...]
    models: tuple[str, ...]
    questions: int
    plays: Plays
    all_answers: Answers
    episodes: tuple[Count, ...]
    missing: tuple[Count, ...]
    pooled: tuple[str, ...] = ()


def read_answers(path: Path, study: str | None = None) -> list[AnswerRecord]:
    """Every study in the store whose arms answer questions, oldest first, or the one named; none where it has no answers, or is unknown.

    Raises StoreError where the store cannot be read.
    """
    with open_live(path) as con:
        known = {
            name: (simulated, origin) for name, simulated, origin in con.execute(STUDIES).fetchall()
        }
        counts = [row for row in con.execute(EPISODES).fetchall() if study in (None, row[0])]
        names = [
            name
            for name in [*known, *sorted({row[0] for row in counts} - set(known))]
            if any(row[0] == name for row in counts)
        ]
        if not names:
            return []
        con.execute(PLAYS, [study])
        plays, given = fetch_columns(con, PLAY_COLUMNS), fetch_columns(con, ANSWERS)
        missing = con.execute(MISSING).fetchall()
        pooled = con.execute(POOLED).fetchall()
    found = []
    for name in names:
        arms = tuple(dict.fromkeys(arm for owner, arm, _, _ in counts if owner == name))
        own = tuple(
            Count(arm, status, None, None, n) for owner, arm, status, n in counts if owner == name
        )
        lacking = tuple(
            Count(arm, what, phase, reason, n)
            for owner, arm, what, phase, reason, n in missing
            if owner == name
        )
        found.append(
            AnswerRecord(
                name,
                *known.get(name, (False, None)),
                arms,
                *study_arrays(name, arms, plays, given),
                own,
                lacking,
                tuple(arm for owner, arm, _ in pooled if owner == name),
            )
        )
    return found


def fetch_columns(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, NDArray[Any]]:
    """The columns of a query, numbers that are NULL as nan."""
    found = {}
    for name, values in con.execute(sql).fetchnumpy().items():
        found[name] = (
            np.ma.filled(values, np.nan) if values.dtype.kind == "f" else np.ma.getdata(values)
        )
    return found


def study_arrays(
    study: str,
    arms: tuple[str, ...],
    plays: dict[str, NDArray[Any]],
    given: dict[str, NDArray[Any]],
) -> tuple[tuple[str, ...], tuple[str, ...], int, Plays, Answers]:
    """(protocols by arm, models, how many questions, plays, answers) of one study, out of the columns of all."""
    own = plays["study"] == study
    part = {name: values[own] for name, values in plays.items()}
    models, model = np.unique(part["models"].astype(str), return_inverse=True)
    questions, question = np.unique(part["subject"].astype(str), return_inverse=True)
    arm = np.array([arms.index(label) for label in part["arm"].tolist()], dtype=np.int64)
    protocols = tuple(
        ", ".join(sorted({str(name) for name in part["protocol"][arm == number].tolist()}))
        for number in range(len(arms))
    )
    numbers = (part[name] for name in ("correct", "confidence"))
    spent = (
        part[name]
        for name in ("answered", "calls", "tokens_in", "tokens_out", "cost_usd", "routes")
    )
    names = part["episode"], part["subject"], part["repeat"].astype(np.int64)
    rows = Plays(
        arm,
        model.astype(np.int64),
        question.astype(np.int64),
        *numbers,
        part["status"],
        *spent,
        *names,
    )
    said = {name: values[given["study"] == study] for name, values in given.items()}
    place = np.cumsum(own) - 1
    answers = Answers(
        place[said["row"]].astype(np.int64),
        said["place"].astype(np.int64),
        *(said[name].astype(np.bool_) for name in ("final", "path", "first", "last")),
        said["correct"],
        said["confidence"],
        said["vote"].astype(np.int64),
    )
    return protocols, tuple(models.tolist()), questions.size, rows, answers
