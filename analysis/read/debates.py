"""The only reader of the store: SQL in, arrays out, for the finished debates of each study.

All frames are read over one connection, so they show one moment of a store that is being written, journals included.  A study's ratings
lie in one block (debates, 2 sides, phases), so that everything that follows is arithmetic on axes.  A debate is an episode with the
seats proposition and opposition, whatever its protocol.  Left out: texts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array
from arena.errors import StudyError
from arena.store.database import open_live

Names = NDArray[np.object_]
SIDES = ("proposition", "opposition")

EPISODES = """
    select study, arm, s.episode is not null as debate, status, count(*) as n
    from episodes e left join seats s on s.episode = e.episode and s.seat = 'proposition' group by all order by all
"""
STUDIES = "select study, coalesce(simulated, false), origin from studies order by created_at, study"
DEBATES = """
    create temp table debate_rows as
    select e.study, e.arm, e.episode, e.subject, e.repeat, p.model as proposition, o.model as opposition, v.confidence_sum, v.majority,
           coalesce(v.votes_proposition + v.votes_opposition, 0) as votes, coalesce(v.abstained, 0) as abstained,
           coalesce(v.missing, 0) as missing, row_number() over (order by e.study, e.arm, e.episode) - 1 as row
    from episodes e
    left join seats p on p.episode = e.episode and p.seat = 'proposition'
    left join seats o on o.episode = e.episode and o.seat = 'opposition'
    left join outcomes v on v.debate = e.episode
    where p.episode is not null and o.episode is not null and e.status = 'done' and (e.study = $1 or $1 is null)
"""
ROWS = """
    select arm, proposition, opposition, confidence_sum, majority, votes, abstained, missing, study, episode, subject, coalesce(repeat, 0)
    from debate_rows order by row
"""
SLOTS = """
    create temp table turn_rows as
    select d.study, d.arm, d.row, t.seat, t.round, t.confidence, t.confidence_status <> 'not asked' as asked,
           coalesce(len(t.flags), 0) > 0 as flagged,
           t.phase || case when row_number() over same > 1 then ' #' || row_number() over same else '' end as phase
    from turns t join debate_rows d using (episode)
    window same as (partition by t.episode, t.seat, t.round, t.phase order by t.step);
    create temp table slot_rows as
    select study, arm, round, phase, row_number() over () - 1 as slot from turn_rows group by study, arm, round, phase having bool_or(asked)
"""
TURNS = """
    select t.row, (t.seat = 'opposition')::integer as side, s.slot, t.confidence, t.asked, t.flagged
    from turn_rows t join slot_rows s using (study, arm, round, phase)
    where t.seat in ('proposition', 'opposition')
"""
FLAGS = """
    select study, arm, phase, flag, count(*) from (
        select d.study, d.arm, t.phase, unnest(t.flags) as flag from turns t join debate_rows d using (episode))
    group by all order by all
"""
JUDGED_BY_SIMULATED = """
    select distinct d.study from rulings r join plays j on j.episode = r.episode join plays d on d.episode = r.debate
    join studies s on s.study = j.study where s.simulated
"""
MISSING = "select study, arm, what, phase, reason, n from missing order by all"


@dataclass(frozen=True, slots=True)
class Debates:
    """G finished debates with two sides (proposition, opposition) and P phases in which ratings were asked for, in playing order.

    `confidence` (G, 2, P) in [0, 1], nan where there is none; `asked` (G, 2, P), whether a rating was asked for; `flagged` (G, 2, P),
    whether its turn carries a flag, a doubt in words; `arm` (G,) labels; `model` (G, 2) model references, None where unknown; `winner`
    (G,) "proposition", "opposition" or "tie" by the larger sum of the judges' confidences, and `majority` (G,) by their votes, None where
    not judged; `votes` (G, 3) judges' verdicts that named a winner, abstained, could not be read; `episode` (G,) ids, `subject` (G,) ids
    of motions, None where unknown, and `repeat` (G,), 0 where unknown.
    """

    phases: tuple[str, ...]
    confidence: Array
    asked: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    arm: Names
    model: Names
    winner: Names
    majority: Names
    votes: NDArray[np.int64]
    episode: Names
    subject: Names
    repeat: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> Debates:
        """The debates where the mask (G,) is true, with only those phases in which they were asked for a rating."""
        asked = self.asked[chosen]
        phases: NDArray[np.bool_] = np.any(asked, axis=(0, 1))
        return Debates(
            tuple(phase for phase, kept in zip(self.phases, phases, strict=True) if kept),
            self.confidence[chosen][:, :, phases],
            asked[:, :, phases],
            self.flagged[chosen][:, :, phases],
            self.arm[chosen],
            self.model[chosen],
            self.winner[chosen],
            self.majority[chosen],
            self.votes[chosen],
            self.episode[chosen],
            self.subject[chosen],
            self.repeat[chosen],
        )

    def against_itself(self) -> NDArray[np.bool_]:
        """(G,) whether both seats were held by the same model."""
        same: NDArray[np.bool_] = (self.model[:, 0] == self.model[:, 1]) & (
            self.model[:, 0] != None
        )  # noqa: E711
        return same

    def outcome(self) -> Array:
        """(G, 2) 1 for the side that won, 0 for the one that lost, 0.5 for both in a tie, nan where not judged."""
        result = np.full(self.model.shape, np.nan)
        for side, name in enumerate(SIDES):
            result[self.winner == name] = np.eye(2)[side]
        result[self.winner == "tie"] = 0.5
        return result


@dataclass(frozen=True, slots=True)
class Count:
    """How often something holds in an arm: flags (`what` is the flag), missing values, episodes by status; `phase` None: of no phase."""

    arm: str
    what: str
    phase: str | None
    reason: str | None
    n: int


@dataclass(frozen=True, slots=True)
class DebateRecord:
    """All that the analysis reads of one study: its finished debates as arrays, and counts of what is flagged, missing or not finished.

    `episodes` counts debates by status (`what`), `flags` turns of finished debates, `missing` what the view `missing` lists.
    `judges_simulated`: whether any verdict on its debates is of a simulated judge's study.
    """

    study: str
    simulated: bool
    origin: str | None
    debates: Debates
    episodes: tuple[Count, ...]
    flags: tuple[Count, ...]
    missing: tuple[Count, ...]
    judges_simulated: bool


def read_records(path: Path, study: str | None = None) -> list[DebateRecord]:
    """The record of every study in the store that has debates, oldest first, or of the one named.

    Raises StoreError where the store cannot be read, and StudyError where the study is unknown or has no debates.
    """
    with open_live(path) as con:
        known = {
            name: (simulated, origin) for name, simulated, origin in con.execute(STUDIES).fetchall()
        }
        episodes = con.execute(EPISODES).fetchall()
        with_debates = {name for name, _, debate, _, _ in episodes if debate}
        chosen = [
            name
            for name in [*known, *sorted(with_debates - set(known))]
            if name in with_debates and study in (None, name)
        ]
        if study is not None and not chosen:
            raise StudyError(
                unknown_study_message(
                    study, study in known, [name for name in known if name in with_debates], path
                )
            )
        con.execute(DEBATES, [study])
        con.execute(SLOTS)
        debates = read_debates(con, chosen)
        flags, missing = con.execute(FLAGS).fetchall(), con.execute(MISSING).fetchall()
        simulated_juries = {name for (name,) in con.execute(JUDGED_BY_SIMULATED).fetchall()}
    return [
        DebateRecord(
            name,
            *known.get(name, (False, None)),
            debates[name],
            tuple(
                Count(arm, status, None, None, n)
                for owner, arm, debate, status, n in episodes
                if owner == name and debate
            ),
            tuple(
                Count(arm, flag, phase, None, n)
                for owner, arm, phase, flag, n in flags
                if owner == name
            ),
            tuple(
                Count(arm, what, phase, reason, n)
                for owner, arm, what, phase, reason, n in missing
                if owner == name
            ),
            name in simulated_juries,
        )
        for name in chosen
    ]


def unknown_study_message(study: str, is_known: bool, others: list[str], path: Path) -> str:
    """The sentence for a study that cannot be reported."""
    found = (
        f"the study {study!r} has no debates"
        if is_known
        else f"there is no study {study!r} in {path}"
    )
    return f"{found}; with debates there are: {', '.join(others) or 'none'}"


def read_debates(con: duckdb.DuckDBPyConnection, studies: list[str]) -> dict[str, Debates]:
    """The finished debates of each study, from the temporary tables debate_rows and slot_rows."""
    rows = con.execute(ROWS).fetchall()
    columns = np.array(rows, dtype=object).reshape(len(rows), 12)
    slots = con.execute(
        "select study, arm, round, phase, slot from slot_rows order by all"
    ).fetchall()
    orders = {
        study: order_phases([rest for owner, *rest in slots if owner == study]) for study in studies
    }
    place = np.zeros(len(slots), dtype=np.int64)
    for _, positions in orders.values():
        for slot, position in positions.items():
            place[slot] = position
    confidence = np.full(
        (len(rows), 2, max((len(phases) for phases, _ in orders.values()), default=0)), np.nan
    )
    asked, flagged = np.zeros(confidence.shape, dtype=bool), np.zeros(confidence.shape, dtype=bool)
    turns = con.execute(TURNS).fetchnumpy()
    where = turns["row"], turns["side"], place[turns["slot"]]
    confidence[where] = np.ma.filled(turns["confidence"].astype(np.float64), np.nan)
    asked[where], flagged[where] = turns["asked"], turns["flagged"]
    found = {}
    for study, (phases, _) in orders.items():
        own = columns[:, 8] == study
        arm, model, winner, majority = (
            columns[own, 0],
            columns[own, 1:3],
            columns[own, 3],
            columns[own, 4],
        )
        ratings = (block[own, :, : len(phases)] for block in (confidence, asked, flagged))
        votes, repeat = columns[own, 5:8].astype(np.int64), columns[own, 11].astype(np.int64)
        found[study] = Debates(
            phases,
            *ratings,
            arm,
            model,
            winner,
            majority,
            votes,
            columns[own, 9],
            columns[own, 10],
            repeat,
        )
    return found


def order_phases(slots: list[list[Any]]) -> tuple[tuple[str, ...], dict[int, int]]:
    """(phases in playing order, position by slot) of slots given as [arm, round, phase, slot].

    Arms of a study share a phase by its name, wherever it stands in each, so that closings are closings.  A name that one arm uses for
    several rounds gets the round added.
    """
    uses = Counter((arm, phase) for arm, _, phase, _ in slots)
    label = {
        slot: phase if uses[arm, phase] == 1 else f"{phase}, round {round}"
        for arm, round, phase, slot in slots
    }
    latest: dict[str, int] = {}
    for _, round, _, slot in slots:
        latest[label[slot]] = max(round, latest.get(label[slot], 0))
    phases = tuple(sorted(latest, key=lambda phase: (latest[phase], phase)))
    return phases, {slot: phases.index(label[slot]) for slot in label}
