"""Read how judges decided who cannot read the text, and what was argued before them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.read.assessed_replies import codes_by
from analysis.statistics.clustered import Array, Codes, Mask
from arena.quotes import quotes_in
from arena.store.query import read_result

PROTOCOLS = {"judge_alone", "judged_debate", "judged_argument", "consultancy"}
# A stored debate that is judged later was argued in the episode that its subject names, about the
# question of that episode: debates of one question hang together.
DECISIONS = """
    select e.study, e.arm, e.episode, e.protocol, e.options,
           coalesce(argued.subject, e.subject) as question, j.agent as judge,
           j.model as judge_model, m.gold,
           case when e.protocol = 'judged_argument' then m.source else e.episode end as argument,
           a.seat = 'judge swapped' as swapped, a.answer, a.correct::double as correct, a.confidence
    from episodes e join seats j on j.episode = e.episode and j.seat = 'judge'
    join subjects m using (subject)
    left join episodes argued on e.protocol = 'judged_argument' and argued.episode = m.source
    join latest_answers a on a.episode = e.episode and not a.final
        and a.seat in ('judge as drawn', 'judge swapped')
    where e.status = 'done' and ($study is null or e.study = $study)
      and e.protocol in ('judge_alone', 'judged_debate', 'judged_argument', 'consultancy')
    order by e.study, e.arm, j.agent, question, e.episode, a.seat
"""
SPEECHES = """
    select e.episode, e.options, t.seat, s.agent, t.phase, t.answer, t.public, t.confidence,
           m.gold, m.passage
    from episodes e join latest_turns t using (episode) join seats s using (episode, seat)
    join subjects m using (subject)
    where e.status = 'done' and e.protocol in ('judged_debate', 'consultancy')
      and t.phase in ('speech', 'refined speech')
    order by e.episode, t.round, t.seat, t.step
"""
FOLLOWUPS = """
    select e.episode, count(*) as n from episodes e join latest_turns t using (episode)
    where t.phase = 'question' and t.public <> '' group by all
"""


@dataclass(frozen=True, slots=True)
class Argument:
    """What was argued in one play.

    `claims` has the agent of each side with whether it argued for the right answer; `first_right`
    is that of the debater or the consultant, None without a speech that can be read.  `quotes` are
    (argues for the right answer, stands in the text), one for each quote; `ratings` are (argues
    for the right answer, rating of its chances, agent).  `questions` counts the judge's.
    """

    claims: Mapping[str, tuple[str, bool]]
    first_right: bool | None
    quotes: tuple[tuple[bool, bool], ...]
    ratings: tuple[tuple[bool, float, str], ...]
    questions: int


@dataclass(frozen=True, slots=True)
class JudgeDecisions:
    """N decisions of one judge in one arm; all arrays are (N,).

    `question` are codes that all arms of a study share.
    `swapped` says in which order of the letters a decision was made.  `correct` is nan for one that
    cannot be read, `confidence` where none is stated.  `argument` is what was argued in its play,
    None where nobody spoke.  `options` are those of the arm as JSON.
    """

    study: str
    arm: str
    judge: str
    protocol: str
    options: str
    question: Codes
    episode: NDArray[np.str_]
    swapped: Mask
    correct: Array
    confidence: Array
    argument: tuple[Argument | None, ...]


def read_oversight(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[JudgeDecisions, ...]]:
    """Return the decisions of each study, by judge and arm."""
    rows = read_result(con, DECISIONS, {"study": study}).dicts()
    arguments = read_arguments(con)
    questions = codes_by(rows, lambda row: row["question"])
    groups: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[str(row["study"]), str(row["arm"]), str(row["judge"])].append(place)
    found: defaultdict[str, list[JudgeDecisions]] = defaultdict(list)
    for (own, arm, judge), places in groups.items():
        some = [rows[place] for place in places]
        found[own].append(decisions(own, arm, judge, some, questions[places], arguments))
    return {own: tuple(each) for own, each in found.items()}


def decisions(
    study: str,
    arm: str,
    judge: str,
    rows: Sequence[dict[str, object]],
    questions: Codes,
    arguments: Mapping[str, Argument],
) -> JudgeDecisions:
    """Return the decisions of one judge in one arm."""

    def numbers(column: str) -> Array:
        """Return a column of numbers, nan where there is none."""
        return np.array([nan if row[column] is None else row[column] for row in rows], np.float64)

    return JudgeDecisions(
        study,
        arm,
        judge,
        str(rows[0]["protocol"]),
        str(rows[0]["options"] or "{}"),
        questions,
        np.array([str(row["episode"]) for row in rows]),
        np.array([bool(row["swapped"]) for row in rows]),
        numbers("correct"),
        numbers("confidence"),
        tuple(arguments.get(str(row["argument"])) for row in rows),
    )


def read_arguments(con: duckdb.DuckDBPyConnection) -> dict[str, Argument]:
    """Return what was argued in each play, by episode."""
    plays: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for row in read_result(con, SPEECHES, {}).dicts():
        plays[str(row["episode"])].append(row)
    asked = {str(episode): int(n) for episode, n in con.execute(FOLLOWUPS).fetchall()}
    return {episode: argument_of(rows, asked.get(episode, 0)) for episode, rows in plays.items()}


def argument_of(rows: Sequence[dict[str, object]], questions: int) -> Argument:
    """Return what was argued in one play; a candidate's seat has a number behind its side."""
    claims: dict[str, tuple[str, bool]] = {}
    quotes: list[tuple[bool, bool]] = []
    ratings: list[tuple[bool, float, str]] = []
    for row in rows:
        if row["answer"] is None:
            continue
        side, is_right = str(row["seat"]).partition(" ")[0], row["answer"] == row["gold"]
        claims.setdefault(side, (str(row["agent"]), is_right))
        if row["passage"]:
            found = quotes_in(str(row["public"] or ""), str(row["passage"]))
            quotes += [(is_right, quote.verified) for quote in found]
        if isinstance(row["confidence"], float):
            ratings.append((is_right, row["confidence"], str(row["agent"])))
    first = claims.get("debater") or claims.get("consultant")
    return Argument(
        claims, None if first is None else first[1], tuple(quotes), tuple(ratings), questions
    )
