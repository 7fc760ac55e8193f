"""Read how far judges prefer one of two stored answers to the other, one of them perhaps theirs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array

# Each comparison is read from both sides.  Who judged sits in the seat `judge` of the scoring.
PREFERRED = """
    select e.study, e.arm, w.agent, w.model, s.details->>'$.other' as other,
           s.details->>'$.other_model' as other_model, s.details->>'$.criterion' as criterion,
           e.subject, j.agent as judge, j.model as judge_model, s.scoring, s.details->>'$.by' as by,
           try_cast(s.details->>'$.read_first' as double) as read_first,
           try_cast(s.details->>'$.read_second' as double) as read_second
    from latest_scores s join episodes e using (episode) join seats w using (episode, seat)
    join seats j on j.episode = s.scoring and j.seat = 'judge'
    where s.name = 'preferred' and ($study is null or e.study = $study)
    order by all
"""
Judge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Preferences:
    """How far J judges prefer an agent's answers to another's, on Q questions of an arm.

    `read_first` and `read_second` (J, Q) are in [0, 1], of the order in which the agent's answer is
    read first or second; nan where nothing could be read, or where nobody judged.  Agents and
    `judges` are (name, model); `by` says of each judge whether it was read by "choices" or "words".
    """

    study: str
    arm: str
    agent: Judge
    other: Judge
    criterion: str
    judges: tuple[Judge, ...]
    by: tuple[str, ...]
    read_first: Array
    read_second: Array


def read_preferences(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[Preferences, ...]]:
    """Return the preferences for each agent against each other one, by the study of the answers."""
    cursor = con.execute(PREFERRED, {"study": study})
    columns = [each[0] for each in cursor.description or ()]
    groups: defaultdict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
    names = ("study", "arm", "agent", "model", "other", "other_model", "criterion")
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        groups[tuple(str(row[name] or "") for name in names)].append(row)
    found: defaultdict[str, list[Preferences]] = defaultdict(list)
    for (own, arm, agent, model, other, other_model, criterion), rows in groups.items():
        pair = (agent, model), (other, other_model)
        found[own].append(preferences(own, arm, pair, criterion, rows))
    return {own: tuple(each) for own, each in found.items()}


def preferences(
    study: str,
    arm: str,
    pair: tuple[Judge, Judge],
    criterion: str,
    rows: list[dict[str, object]],
) -> Preferences:
    """Return the preferences for the first agent of a pair against the second."""
    judges: dict[Judge, int] = {}
    questions: dict[object, int] = {}
    by: dict[Judge, str] = {}
    places = []
    for row in rows:
        judge = str(row["judge"]), str(row["judge_model"])
        by.setdefault(judge, str(row["by"] or ""))
        code = judges.setdefault(judge, len(judges))
        places.append((code, questions.setdefault(row["subject"], len(questions))))
    values = np.full((2, len(judges), len(questions)), nan)
    for (judge_code, question), row in zip(places, rows, strict=True):
        for order, name in enumerate(("read_first", "read_second")):
            value = row[name]
            # Of a judge that was asked twice, as in two stages, the first number counts.
            if isinstance(value, float) and np.isnan(values[order, judge_code, question]):
                values[order, judge_code, question] = value
    names = tuple(judges)
    return Preferences(study, arm, *pair, criterion, names, tuple(by.values()), *values)
