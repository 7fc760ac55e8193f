"""Read the verdicts on one study's debates as arrays: all readings and votes, or those of a jury.

Texts are not read; of the speeches only their numbers of words, list items and headings are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.read.debates import Unfinished, read_unfinished
from analysis.read.selection import ALL, Chosen, Selection, label_sql, open_selected
from analysis.statistics.aggregation import Votes
from analysis.statistics.clustered import Array, Codes, Mask
from analysis.statistics.model_families import relation
from arena.errors import StudyError

# A line that begins with a bullet or a number.
ITEM = r"^\s*([-*•]|\d{1,3}[.)])\s"
RELATIONS = ("none", "family", "contestant")
WINNER = {"opposition": 0.0, "abstain": 0.5, "proposition": 1.0, None: nan}

SIMULATED = """
    select coalesce(bool_or(simulated), false) from studies
    where study = $study or study in (select study from judged)
"""
JUDGED = """
    create temp table judged as
    select j.study, v.*, s.model as judge_model from verdicts v
    join episodes j on j.episode = v.episode
    join episodes d on d.episode = v.debate and d.study = $study and d.status = 'done'
    left join seats s on s.episode = v.episode and s.seat = 'judge'
    where $jury is null or j.study = $jury
"""
DEBATES = """
    with spoken as (
        select episode, seat, last(confidence order by step) as confidence, sum(words) as words
        from rated_turns where study = $study group by episode, seat),
    formed as (
        select episode, seat, sum(len(list_filter(lines, lambda line: regexp_matches(line, $item))))
                   as items,
               sum(len(list_filter(lines, lambda line: starts_with(line, '#')))) as headings
        from (select t.episode, t.seat, string_split(t.public, chr(10)) as lines
              from latest_turns t join episodes e using (episode) where e.study = $study)
        group by episode, seat)
    select d.episode, d.subject, coalesce({labels[0]}, 'unknown'),
           coalesce({labels[1]}, 'unknown'), proposition_model, opposition_model, p.words, o.words,
           p.confidence, o.confidence, pf.items, of.items, pf.headings, of.headings, d.arm,
           coalesce(d.repeat, 0)
    from debates d {joins}
    left join spoken p on p.episode = d.episode and p.seat = 'proposition'
    left join spoken o on o.episode = d.episode and o.seat = 'opposition'
    left join formed pf on pf.episode = d.episode and pf.seat = 'proposition'
    left join formed of on of.episode = d.episode and of.seat = 'opposition'
    where d.study = $study order by d.started_at, d.episode
"""
POOLED = """
    select label, list(distinct contestant order by contestant) from (
        select {labels[0]} as label, d.proposition_contestant as contestant, d.study
        from debates d {joins}
        union all select {labels[1]}, d.opposition_contestant, d.study from debates d {joins})
    where study = $study and label is not null
    group by label having count(distinct contestant) > 1 order by label
"""
SOME_FAILED = "from episodes where study = $study and status = 'failed' limit 1"
JURIES = "select study, count(*) from judged group by all order by all"
READINGS = """
    select debate, judge, judge_model, seat_order, repeat, winner, confidence, status
    from judged order by debate, judge, seat_order, repeat
"""
VOTES = """
    select debate, judge, winner, confidence, flipped, both_orders from votes
    where study = $study and ($jury is null or jury = $jury)
    order by debate, judge, jury, repeat
"""
JUDGED_STUDIES = """
    select study, sum(verdicts)::bigint, list(jury order by jury) from juries
    group by study order by study
"""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """G debates, oldest first, N readings of them by judges, and the V votes that these make.

    `juries` are the judging studies with their numbers of readings.  `agents` are the labels of
    contestants, `pooled` has those that count as one, by its label, and `chosen` says what is left
    out, None: nothing.  `judges` are names, `judge_models` the judges' models, `orders` the seat
    orders; arrays refer to them by position.  Of debates: `episode` ids, `motion` codes (G,),
    `side` (G, 2) agents, `side_model` (G, 2) their models, `words`, `items` and `headings` (G, 2)
    of all speeches, `confidence` (G, 2) the last rating in [0, 1].  Of readings, (N,): `debate`,
    `judge`, `order`, `repeat`, `winner` (1 proposition, 0 opposition, 0.5 abstained, nan missing),
    `judge_confidence` in [0, 1] or nan, `status` in words, and `related`, the closest relation of
    the judge to a side (0 none, 1 of the family, 2 the same model); `vote_related` (V,) is the same
    of the votes.
    """

    study: str
    simulated: bool
    juries: tuple[tuple[str, int], ...]
    agents: tuple[str, ...]
    judges: tuple[str, ...]
    judge_models: tuple[str, ...]
    orders: tuple[str, ...]
    episode: tuple[str, ...]
    motion: Codes
    side: Codes
    side_model: NDArray[np.object_]
    words: Array
    confidence: Array
    items: Array
    headings: Array
    debate: Codes
    judge: Codes
    order: Codes
    repeat: Codes
    winner: Array
    judge_confidence: Array
    status: NDArray[np.object_]
    related: Codes
    votes: Votes
    vote_related: Codes
    pooled: tuple[tuple[str, tuple[str, ...]], ...] = ()
    chosen: Chosen | None = None
    failed: tuple[Unfinished, ...] = ()
    half: Mask | None = None

    def pair_cluster(self) -> Codes:
        """Return (G,) codes of pairs of contestants on a motion, whichever sat on which side."""
        low = self.side.min(axis=1)
        high = self.side.max(axis=1)
        pair: Codes = (self.motion * len(self.agents) + low) * len(self.agents) + high
        return pair

    def against_itself(self) -> Mask:
        """Return (G,) whether one contestant held both seats."""
        result: Mask = self.side[:, 0] == self.side[:, 1]
        return result

    def own_family(self) -> Mask:
        """Return (judges, G, 2) whether a judge is the same model as a side, or of its family."""
        cells = [
            [[relation(judge, model) != "none" for model in pair] for pair in self.side_model]
            for judge in self.judge_models
        ]
        return np.array(cells, dtype=bool).reshape(len(self.judges), len(self.episode), 2)


def read_verdicts(
    path: Path, study: str, jury: str | None = None, selection: Selection = ALL
) -> Verdicts:
    """Return the debates of a study with all verdicts on them, or those of the study `jury` alone.

    Raises StudyError if there are no verdicts, naming the studies that have some, and StoreError if
    the store cannot be read.
    """
    labels, joins = label_sql(selection.by)
    with open_selected(path, selection) as (con, left_out):
        con.execute(JUDGED, {"study": study, "jury": jury})
        sql = DEBATES.format(labels=labels, joins=joins)
        debates = con.execute(sql, {"study": study, "item": ITEM}).fetchall()
        pooled = []
        if selection.by != "agent":
            sql = POOLED.format(labels=labels, joins=joins)
            pooled = con.execute(sql, {"study": study}).fetchall()
        readings = con.execute(READINGS).fetchall()
        votes = con.execute(VOTES, {"study": study, "jury": jury}).fetchall()
        failed = []
        if con.execute(SOME_FAILED, {"study": study}).fetchall():
            unfinished = read_unfinished(con, study, selection.by)
            failed = [each for _, each in unfinished if each.status == "failed"]
        (simulated,) = con.execute(SIMULATED, {"study": study}).fetchall()[0]
        juries = tuple(con.execute(JURIES).fetchall())
        others = con.execute(JUDGED_STUDIES).fetchall() if not readings else []
    if not readings:
        by_jury = f" by the jury {jury!r}" if jury else ""
        there_are = ", ".join(f"{name} ({count})" for name, count, _ in others) or "none"
        omits = study in left_out and left_out[study].leaves_out
        note = f"; {left_out[study].note}" if omits else ""
        of_these = " among the chosen" if note else ""
        raise StudyError(
            f"{path} holds no verdict{by_jury} on debates of a study {study!r}; studies with"
            f" verdicts{of_these}: {there_are}{note}"
        )
    found = build_verdicts((study, simulated, juries), debates, readings, votes)
    pools = tuple((label, tuple(names)) for label, names in pooled)
    half = mirror_failed(debates, failed) if failed else None
    return replace(found, pooled=pools, chosen=left_out.get(study), failed=tuple(failed), half=half)


def mirror_failed(debates: list[tuple[Any, ...]], failed: Sequence[Unfinished]) -> Mask:
    """Return (G,) whether the mirror image of a debate, a row of DEBATES, has failed."""
    finished = {(row[14], row[1], row[15], row[2], row[3]) for row in debates}
    lost = {(each.arm, each.subject, each.repeat, *each.contestants) for each in failed}
    # A pair of which a repeat was finished later is whole.
    mirrored = {(arm, subject, repeat, b, a) for arm, subject, repeat, a, b in lost - finished}
    return np.array(
        [(row[14], row[1], row[15], row[2], row[3]) in mirrored for row in debates], dtype=bool
    )


def judged_studies(path: Path, selection: Selection = ALL) -> dict[str, list[str]]:
    """Return the studies whose chosen debates have verdicts, with the studies that judged each."""
    with open_selected(path, selection, ("juries",)) as (con, _):
        return {study: juries for study, _, juries in con.execute(JUDGED_STUDIES).fetchall()}


def build_verdicts(
    head: tuple[str, bool, tuple[tuple[str, int], ...]],
    debates: list[tuple[Any, ...]],
    readings: list[tuple[Any, ...]],
    votes: list[tuple[Any, ...]],
) -> Verdicts:
    """Return the rows of three queries as arrays; `head` is (study, whether simulated, juries)."""
    agents = tuple(sorted({name for row in debates for name in row[2:4]}))
    models = {judge: model or judge for _, judge, model, *_ in readings}
    judges = tuple(sorted(models))
    orders = tuple(sorted({row[3] for row in readings}))
    episodes = tuple(row[0] for row in debates)
    side_model = np.array([row[4:6] for row in debates], dtype=object).reshape(len(debates), 2)
    debate = to_codes([row[0] for row in readings], episodes)
    judge = to_codes([row[1] for row in readings], judges)
    judge_models = [models[name] for name in judges]
    cast = build_votes(votes, episodes, judges)
    motions = [row[1] or "" for row in debates]
    return Verdicts(
        *head,
        agents,
        judges,
        tuple(judge_models),
        orders,
        episodes,
        to_codes(motions, sorted(set(motions))),
        to_codes([name for row in debates for name in row[2:4]], agents).reshape(-1, 2),
        side_model,
        to_floats([value for row in debates for value in row[6:8]], missing=0.0).reshape(-1, 2),
        to_floats([value for row in debates for value in row[8:10]]).reshape(-1, 2),
        to_floats([value for row in debates for value in row[10:12]], missing=0.0).reshape(-1, 2),
        to_floats([value for row in debates for value in row[12:14]], missing=0.0).reshape(-1, 2),
        debate,
        judge,
        to_codes([row[3] for row in readings], orders),
        np.array([row[4] for row in readings], dtype=np.int64),
        np.array([WINNER.get(row[5], nan) for row in readings]),
        to_floats([row[6] for row in readings]),
        np.array([row[7] for row in readings], dtype=object),
        closest_relations(judge, debate, judge_models, side_model),
        cast,
        closest_relations(cast.judge, cast.debate, judge_models, side_model),
    )


def build_votes(
    rows: list[tuple[Any, ...]], episodes: Sequence[str], judges: Sequence[str]
) -> Votes:
    """Return the rows of VOTES as arrays."""
    return Votes(
        to_codes([row[0] for row in rows], episodes),
        to_codes([row[1] for row in rows], judges),
        np.array([WINNER.get(row[2], nan) for row in rows], dtype=np.float64),
        to_floats([row[3] for row in rows]),
        np.array([row[4] for row in rows], dtype=bool),
        np.array([row[5] for row in rows], dtype=bool),
    )


def closest_relations(
    judge: Codes, debate: Codes, judge_models: Sequence[str], side_model: NDArray[np.object_]
) -> Codes:
    """Return the closest relation, its place in RELATIONS, of each judge to a side of its debate.

    `judge` and `debate` are codes (N,).
    """
    pairs = [
        (judge_models[j], *side_model[d])
        for j, d in zip(judge.tolist(), debate.tolist(), strict=True)
    ]
    closest = {
        key: max(RELATIONS.index(relation(key[0], model or "")) for model in key[1:])
        for key in set(pairs)
    }
    return np.array([closest[key] for key in pairs], dtype=np.int64)


def to_codes(names: list[str], coded: Sequence[str]) -> Codes:
    """Return the code of each name, its place in `coded`."""
    codes = {name: number for number, name in enumerate(coded)}
    return np.array([codes[name] for name in names], dtype=np.int64)


def to_floats(values: list[float | None], missing: float = nan) -> Array:
    """Return the values with `missing` in the place of None."""
    return np.array([missing if value is None else value for value in values], dtype=np.float64)
