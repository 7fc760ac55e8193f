"""Verdicts out of the store as arrays: beside frames.py the only reader of the store.

One study's finished debates and every reading of them by any jury, or by the jury named.  Texts are left out; of the speeches only their
number of words is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.aggregation import Codes
from analysis.statistics.clustered import Array
from analysis.statistics.model_families import relation
from arena.errors import StudyError
from arena.store.database import open_live

SIDES = ("proposition", "opposition")
RELATIONS = ("none", "family", "contestant")
WINNER = {"opposition": 0.0, "abstain": 0.5, "proposition": 1.0, None: nan}

HEAD = "select coalesce(bool_or(simulated), false) from runs where study = $study or study in (select study from judged)"
JUDGED = """
    create temp table judged as
    select j.study, v.*, s.model as judge_model from verdicts v join episodes j on j.episode = v.episode
    join episodes d on d.episode = v.debate and d.study = $study and d.status = 'done'
    left join seats s on s.episode = v.episode and s.seat = 'judge' where $jury is null or j.study = $jury
"""
# Words stand between spaces and line breaks; splitting at a regular expression would take a hundred times as long.
DEBATES = """
    with said as (
        select episode, seat, last(confidence order by step) as sure,
               sum(len(list_filter(string_split(translate(public, chr(9) || chr(10) || chr(13), '   '), ' '), lambda w: w <> ''))) as words
        from turns where seat in ('proposition', 'opposition') group by all)
    select e.episode, e.subject, p.agent, o.agent, p.model, o.model, pw.words, ow.words, pw.sure, ow.sure
    from episodes e join seats p on p.episode = e.episode and p.seat = 'proposition'
    join seats o on o.episode = e.episode and o.seat = 'opposition'
    left join said pw on pw.episode = e.episode and pw.seat = 'proposition'
    left join said ow on ow.episode = e.episode and ow.seat = 'opposition'
    where e.study = $study and e.status = 'done' order by e.started_at, e.episode
"""
JURIES = "select study, count(*) from judged group by all order by all"
READINGS = """
    select debate, judge, judge_model, seat_order, repeat, winner, confidence, status from judged order by debate, judge, seat_order, repeat
"""
JUDGED_STUDIES = """
    select d.study, count(*), list(distinct j.study) as juries from verdicts v
    join episodes d on d.episode = v.debate join episodes j on j.episode = v.episode group by all order by 1
"""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """G debates, oldest first, and N readings of them by judges.

    `juries` are the judging studies with their numbers of readings.  `agents`, `judges` are names, `orders` the seat orders, all coded by
    position; of `judges`, `judge_models` are the models.
    Of debates: `episode` ids, `motion` codes (G,), `side` (G, 2) agents, `side_model` (G, 2) their models, `words` (G, 2) of all speeches,
    `confidence` (G, 2) last rating in [0, 1].
    Of readings, (N,): `debate`, `judge`, `order`, `repeat`, `winner` (1 proposition, 0 opposition, 0.5 abstained, nan missing), `sure` the
    judge's confidence in [0, 1] or nan, `status` in words, `related` the worst of what the judge is to the two sides (0 nothing, 1 of the
    family, 2 the same model).
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
    debate: Codes
    judge: Codes
    order: Codes
    repeat: Codes
    winner: Array
    judge_confidence: Array
    status: NDArray[np.object_]
    related: Codes

    def pair_cluster(self) -> Codes:
        """(G,) the cluster of each debate: the same two contestants, whoever sat where, on the same motion."""
        low, high = self.side.min(axis=1), self.side.max(axis=1)
        return (self.motion * len(self.agents) + low) * len(self.agents) + high

    def against_itself(self) -> NDArray[np.bool_]:
        """(G,) whether one contestant held both seats."""
        result: NDArray[np.bool_] = self.side[:, 0] == self.side[:, 1]
        return result

    def own_family(self) -> NDArray[np.bool_]:
        """(judges, G, 2) whether a judge is the same model as a side, or of its family."""
        cells = [
            [[relation(judge, model) != "none" for model in pair] for pair in self.side_model]
            for judge in self.judge_models
        ]
        return np.array(cells, dtype=bool).reshape(len(self.judges), len(self.episode), 2)


def read_verdicts(path: Path, study: str, jury: str | None = None) -> Verdicts:
    """The debates of a study with all that judges said of them, or the judges of the study `jury` alone.

    Raises StudyError where there are no verdicts, naming the studies that have some, and StoreError where the store cannot be read.
    """
    with open_live(path) as con:
        con.execute(JUDGED, {"study": study, "jury": jury})
        debates = con.execute(DEBATES, {"study": study}).fetchall()
        readings = con.execute(READINGS).fetchall()
        (simulated,) = con.execute(HEAD, {"study": study}).fetchall()[0]
        juries = tuple(con.execute(JURIES).fetchall())
        others = con.execute(JUDGED_STUDIES).fetchall() if not readings else []
    if not readings:
        by_jury = f" by the jury {jury!r}" if jury else ""
        there_are = ", ".join(f"{name} ({count})" for name, count, _ in others) or "none"
        raise StudyError(
            f"{path} holds no verdict{by_jury} on debates of a study {study!r}; studies with verdicts: {there_are}"
        )
    return build_verdicts((study, simulated, juries), debates, readings)


def judged_studies(path: Path) -> dict[str, list[str]]:
    """The studies whose debates have verdicts, by name, each with the studies that judged them."""
    with open_live(path, ("episodes", "verdicts")) as con:
        return {
            study: sorted(juries) for study, _, juries in con.execute(JUDGED_STUDIES).fetchall()
        }


def build_verdicts(
    head: tuple[str, bool, tuple[tuple[str, int], ...]],
    debates: list[tuple[Any, ...]],
    readings: list[tuple[Any, ...]],
) -> Verdicts:
    """The rows of both queries as arrays; `head` is (study, whether simulated, juries)."""
    agents = tuple(sorted({name for row in debates for name in row[2:4]}))
    models = {judge: model or judge for _, judge, model, *_ in readings}
    judges, orders = tuple(sorted(models)), tuple(sorted({row[3] for row in readings}))
    episodes = tuple(row[0] for row in debates)
    place = {episode: number for number, episode in enumerate(episodes)}
    side_model = np.array([row[4:6] for row in debates], dtype=object).reshape(len(debates), 2)
    debate = to_codes([row[0] for row in readings], place)
    judge = to_codes(
        [row[1] for row in readings], {name: number for number, name in enumerate(judges)}
    )
    pairs = [
        (models[judges[j]], *side_model[d])
        for j, d in zip(judge.tolist(), debate.tolist(), strict=True)
    ]
    worst = {
        key: max(RELATIONS.index(relation(key[0], model or "")) for model in key[1:])
        for key in set(pairs)
    }
    motions = {
        subject: number for number, subject in enumerate(sorted({row[1] or "" for row in debates}))
    }
    return Verdicts(
        *head,
        agents,
        judges,
        tuple(models[name] for name in judges),
        orders,
        episodes,
        to_codes([row[1] or "" for row in debates], motions),
        to_codes(
            [name for row in debates for name in row[2:4]],
            {name: number for number, name in enumerate(agents)},
        ).reshape(-1, 2),
        side_model,
        to_floats([value for row in debates for value in row[6:8]], missing=0.0).reshape(-1, 2),
        to_floats([value for row in debates for value in row[8:10]]).reshape(-1, 2),
        debate,
        judge,
        to_codes(
            [row[3] for row in readings], {name: number for number, name in enumerate(orders)}
        ),
        np.array([row[4] for row in readings], dtype=np.int64),
        np.array([WINNER.get(row[5], nan) for row in readings]),
        to_floats([row[6] for row in readings]),
        np.array([row[7] for row in readings], dtype=object),
        np.array([worst[key] for key in pairs], dtype=np.int64),
    )


def to_codes(names: list[str], codes: dict[str, int]) -> Codes:
    """The names as codes."""
    return np.array([codes[name] for name in names], dtype=np.int64)


def to_floats(values: list[float | None], missing: float = nan) -> Array:
    """The values with `missing` in the place of None."""
    return np.array([missing if value is None else value for value in values], dtype=np.float64)
