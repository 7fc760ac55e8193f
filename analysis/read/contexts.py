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
# A question has a right and a wrong text, which are two subjects with the same words.
TOLD = """
    select e.study, coalesce(e.options->>'method', 'explicit') as method, s.agent,
           coalesce(m.text, e.subject) as question, e.subject,
           avg(coalesce(a.correct, false)::integer) as correct
    from episodes e join seats s on s.episode = e.episode and s.seat = 'solver'
    join subjects m using (subject)
    left join (from latest_answers where final) a on a.episode = e.episode
    where e.protocol = 'situated_faithfulness' and e.status = 'done' and m.gold is not null
      and ($study is null or e.study = $study)
    group by all order by all
"""


@dataclass(frozen=True, slots=True)
class Told:
    """How often one method was right on each of N questions, over a right and a wrong text.

    `question` (N,) are their words, `correct` (N,) in [0, 1] the mean over both texts, an answer
    that cannot be read counted as not right.  Questions with one text alone are left out.
    """

    method: str
    agent: str
    question: tuple[str, ...]
    correct: Array


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


def read_told(con: duckdb.DuckDBPyConnection, study: str | None) -> dict[str, tuple[Told, ...]]:
    """Return how often each method of a study was right over right and wrong texts."""
    groups: defaultdict[tuple[str, str, str], defaultdict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for name, method, agent, question, _, correct in con.execute(TOLD, {"study": study}).fetchall():
        groups[name, agent, method][question].append(correct)
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for (name, agent, method), texts in groups.items():
        both = {question: np.mean(each) for question, each in texts.items() if len(each) > 1}
        if both:
            values = np.array(list(both.values()), dtype=np.float64)
            found[name].append(Told(method, agent, tuple(both), values))
    return {name: tuple(each) for name, each in found.items()}
