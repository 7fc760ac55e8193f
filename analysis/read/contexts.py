"""Read answers given alone and with a text, with how sure the model was of each.

These are the plays of situated_faithfulness and weigh_peer that decide by a rule: an own answer (of
the seat "alone", or the samples alone0, alone1, ...) and one with what it was told ("reader").
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes

# Of samples the one with the largest share, the first of equals: the answer that most give.
SIDES = """
    with sides as (
        select e.study, e.episode, e.subject, coalesce(e.options->>'method', 'explicit') as signal,
               s.text, regexp_replace(a.seat, '[0-9]+$', '') as side,
               a.correct::double as correct, a.confidence
        from episodes e join latest_answers a using (episode) left join subjects s using (subject)
        where e.protocol in ('situated_faithfulness', 'weigh_peer') and e.status = 'done'
          and a.stage = 0 and not a.final and ($study is null or e.study = $study)
          and (e.options->>'method') in ('token', 'stated', 'sampled')
        qualify row_number() over (
            partition by e.episode, side order by
                a.answer is not null desc, a.confidence desc nulls last,
                coalesce(try_cast(regexp_extract(a.seat, '[0-9]+$') as bigint), -1)) = 1)
    select study, signal, coalesce(any_value(text), subject) as question,
           any_value(correct) filter (side = 'alone') as own,
           any_value(confidence) filter (side = 'alone') as own_confidence,
           any_value(correct) filter (side = 'reader') as told,
           any_value(confidence) filter (side = 'reader') as told_confidence
    from sides group by study, signal, episode, subject order by study, signal, question, episode
"""


@dataclass(frozen=True, slots=True)
class Sides:
    """N pairs of an own answer and one with a text, by one signal, all (N,).

    `own` and `told` are 1 if that answer is right, 0 if wrong, nan if it cannot be read or graded;
    the confidences are in [0, 1] or nan.
    """

    study: str
    signal: str
    question: Codes
    own: Array
    own_confidence: Array
    told: Array
    told_confidence: Array


def read_contexts(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[Sides, ...]]:
    """Return the pairs of answers by study, over all its arms that decide by the same signal."""
    groups: defaultdict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for name, signal, *row in con.execute(SIDES, {"study": study}).fetchall():
        groups[name, signal].append(tuple(row))
    found: defaultdict[str, list[Sides]] = defaultdict(list)
    for (name, signal), rows in groups.items():
        questions, *columns = zip(*rows, strict=True)
        _, question = np.unique(np.array(questions, dtype=np.str_), return_inverse=True)
        numbers = (
            np.array([nan if each is None else each for each in column], dtype=np.float64)
            for column in columns
        )
        found[name].append(Sides(name, signal, question.astype(np.int64), *numbers))
    return {name: tuple(each) for name, each in found.items()}
