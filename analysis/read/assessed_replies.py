"""Read what others made of stored replies: verdicts of critics, and confidences of listeners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array, Codes

# One row is a reply with the answer that it holds: the last one of its seat.  Who scored sits in
# the seat `scorer` of the scoring.
ASSESSED = """
    with given as (
        from latest_answers where episode in (select episode from latest_scores)
        qualify row_number() over (partition by episode, seat order by stage desc, final) = 1)
    select e.study, e.arm, e.subject, w.model as model, w.agent as speaker, j.model as by_model,
           j.agent as by_agent, e.episode, t.phase, length(t.public)::double as characters,
           t.flags, g.correct::double as correct, g.canonical, f.confidence as stated, s.value,
           s.status
    from latest_scores s join episodes e using (episode)
    join latest_turns t using (episode, seat, step) join seats w using (episode, seat)
    left join seats j on j.episode = s.scoring and j.seat = 'scorer'
    left join given g using (episode, seat)
    left join (from latest_answers where final) f on f.episode = e.episode
    where s.name = $name and ($study is null or e.study = $study)
    order by e.study, e.arm, w.agent, j.agent, e.subject, e.episode, s.seat, s.step
"""
# A verdict that a seat gave inside the play, on the reply that it was shown.  Its answer is that of
# the judged seat at the stage of its round, where a reply was written anew.
VERDICTS = """
    select e.study, e.arm, e.subject, w.model as model, w.agent as speaker, j.model as by_model,
           j.agent as by_agent, e.episode, t.phase, length(t.public)::double as characters,
           t.flags, g.correct::double as correct, g.canonical, null::double as stated,
           case v.answer when 'right' then 1.0 when 'wrong' then 0.0 end as value,
           coalesce(v.answer, 'no verdict') as status
    from latest_turns v join episodes e using (episode)
    join saw x on x.episode = v.episode and x.seat = v.seat and x.step = v.step
    join latest_turns t on t.episode = x.seen_episode and t.seat = x.seen_seat
        and t.step = x.seen_step
    join seats w on w.episode = t.episode and w.seat = t.seat
    join seats j on j.episode = v.episode and j.seat = v.seat
    left join latest_answers g on g.episode = t.episode and g.seat = t.seat and g.stage = t.round
    where v.phase in ('critique', 'feedback') and e.status = 'done'
      and e.protocol in ('self_check', 'critique_and_revision', 'self_refine')
      and ($study is null or e.study = $study)
    order by e.study, e.arm, w.agent, j.agent, e.subject, e.episode, t.seat, t.step
"""


@dataclass(frozen=True, slots=True)
class AssessedReplies:
    """N replies of one speaker in one arm, as one assessor took them; all arrays are (N,).

    `question` and `answer` are codes, of answers by value within a question, -1 without one.
    `value` is in [0, 1], nan where `status` says why; `correct` is nan if unknown.  `characters`
    is the length of the public words, and `stated` the confidence in the final answer of the play;
    `own` says that the assessor is the speaker's agent.
    """

    study: str
    arm: str
    speaker: str
    model: str
    assessor: str
    assessor_model: str
    question: Codes
    episode: NDArray[np.str_]
    phase: NDArray[np.str_]
    characters: Array
    flagged: tuple[frozenset[str], ...]
    correct: Array
    answer: Codes
    stated: Array
    value: Array
    status: tuple[str, ...]

    @property
    def own(self) -> bool:
        """Return whether the assessor is the agent that spoke."""
        return (self.speaker, self.model) == (self.assessor, self.assessor_model)


def read_assessed(
    con: duckdb.DuckDBPyConnection, name: str, study: str | None
) -> dict[str, tuple[AssessedReplies, ...]]:
    """Return the replies that an estimator has scored, by the study in which they were spoken."""
    return grouped(con.execute(ASSESSED, {"name": name, "study": study}))


def read_verdicts(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[AssessedReplies, ...]]:
    """Return the replies that were judged right or wrong inside their own plays, by study."""
    return grouped(con.execute(VERDICTS, {"study": study}))


def grouped(cursor: duckdb.DuckDBPyConnection) -> dict[str, tuple[AssessedReplies, ...]]:
    """Return the rows of a query by study, and by arm, speaker and assessor within it."""
    columns = [each[0] for each in cursor.description or ()]
    groups: defaultdict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        names = ("study", "arm", "speaker", "model", "by_agent", "by_model")
        groups[tuple(str(row[each] or "") for each in names)].append(row)
    found: defaultdict[str, list[AssessedReplies]] = defaultdict(list)
    for key, rows in groups.items():
        found[key[0]].append(assessed(key[0], key[1:], rows))
    return {own: tuple(each) for own, each in found.items()}


def assessed(study: str, names: Sequence[str], rows: list[dict[str, object]]) -> AssessedReplies:
    """Return the replies of one group."""
    arm, speaker, model, assessor, assessor_model = names

    def numbers(column: str) -> Array:
        """Return a column of numbers, nan where there is none."""
        return np.array([nan if row[column] is None else row[column] for row in rows], np.float64)

    def texts(column: str) -> NDArray[np.str_]:
        """Return a column of words."""
        return np.array([str(row[column] or "") for row in rows])

    answers = [None if row["canonical"] is None else row["canonical"] for row in rows]
    return AssessedReplies(
        study,
        arm,
        speaker,
        model,
        assessor,
        assessor_model,
        codes_by(rows, lambda row: row["subject"]),
        texts("episode"),
        texts("phase"),
        numbers("characters"),
        tuple(frozenset(flags_of(row)) for row in rows),
        numbers("correct"),
        np.where(
            np.array([answer is None for answer in answers]),
            -1,
            codes_by(rows, lambda row: (row["subject"], row["canonical"])),
        ),
        numbers("stated"),
        numbers("value"),
        tuple(str(row["status"]) for row in rows),
    )


def flags_of(row: dict[str, object]) -> Sequence[str]:
    """Return the flags of a reply."""
    flags = row["flags"]
    return flags if isinstance(flags, list) else ()


def codes_by(
    rows: Sequence[dict[str, object]], key: Callable[[dict[str, object]], object]
) -> Codes:
    """Return a code from 0 for each row, equal ones for equal keys."""
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(key(row), len(codes)) for row in rows], np.int64)
