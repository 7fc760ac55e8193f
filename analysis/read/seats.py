"""Read plays of protocols with any seats: ratings and words by seat, and the votes inside a play.

Read are the plays that are no debate of two sides, judge no stored debate, and have no right
answer: three debaters with a moderator, an audience that votes.  Of a debate of two sides only its
other seats are here, such as a moderator, and its votes; its sides are in debates.py, and a judge
whose ruling is the play's own verdict is in verdicts.py.  Texts are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.read.answers import Columns, fetch_columns, rows_of
from analysis.read.debates import MISSING, STUDIES, Count, counts_of, oldest_first
from analysis.read.selection import ALL, LABELS, Chosen, Selection, open_selected
from analysis.statistics.clustered import Array, Codes
from arena.store.views.debates import with_labels
from arena.store.views.seats import PHASES_OF

PLAYS = """
    create temp table seat_plays as
    with sided as (
        select distinct episode from seats where seat in ('proposition', 'opposition')),
    beside as (
        select episode, seat, agent from seats semi join (
            select episode from plays where protocol <> 'judging') using (episode)
        where seat not in ('proposition', 'opposition')),
    others as (
        select distinct episode from beside b anti join rulings r on r.episode = b.episode
        and r.judge = b.agent)
    select e.study, e.arm, e.episode, e.subject, e.status, d.episode is not null as two_sided
    from episodes e left join subjects s using (subject) left join sided d on d.episode = e.episode
    anti join gradable g on g.episode = e.episode
    where (e.study = $1 or $1 is null) and e.protocol <> 'judging'
      and coalesce(s.kind, '') <> 'debate'
      and (d.episode is null or e.status = 'done' and e.episode in (select episode from others))
"""
STUDIES_HERE = "select distinct study from seat_plays"
EPISODES = """
    select study, arm, status, null as phase, null as reason, count(*) as n
    from seat_plays where not two_sided group by all order by all
"""
TURNS = """
    select r.* replace (c.{label} as contestant), row_number() over (
               partition by r.episode order by r.started_at, r.round, r.step, r.seat) as place
    from seat_turns r join seat_plays p using (episode)
    left join contestants c on c.episode = r.episode and c.seat = r.seat
    where p.status = 'done'
      and not (p.two_sided and r.seat in ('proposition', 'opposition'))
      and not exists (
          from rulings v join seats s on s.episode = v.episode and s.agent = v.judge
          where v.episode = r.episode and s.seat = r.seat)
"""
# Phases in playing order; arms of a study share a phase by its name, wherever it stands in each.
RATED = """
    select study, arm, episode, seat, role, coalesce(contestant, 'unknown') as contestant,
           coalesce(model, 'unknown') as model, label as phase, confidence,
           coalesce(confidence_source, '') as source,
           max(round) over (partition by study, label) as late
    from turns_here where asked order by study, late, min(place) over (partition by study, role),
        role, episode, seat, step
"""
SPOKEN = """
    select study, arm, role, count(distinct seat) as seats, count(*) as turns,
           avg(words) as mean_words, count(*) filter (words is null) as no_speech,
           bool_or(asked) as rated
    from turns_here group by study, arm, role order by study, arm, min(place), role
"""
POLLS = """
    select study, arm, count(*) as episodes, sum(voters)::bigint as voters,
           sum(votes)::bigint as votes, count(*) filter (tie) as ties,
           count(*) filter (votes > 1 and most = votes) as unanimous,
           count(*) filter (result is not null and result is distinct from leader) as overruled
    from ballot_counts where study = $1 or $1 is null group by study, arm order by all
"""
OPTIONS = """
    select study, arm, option, count(*) as n from ballots
    where option is not null and (study = $1 or $1 is null)
    group by study, arm, option order by study, arm, n desc, option
"""
NO_VOTE = """
    select study, arm, reason as what, null as phase, null as reason, count(*) as n from ballots
    where option is null and (study = $1 or $1 is null) group by all order by all
"""
CANDIDATES = """
    select d.study, d.arm, d.episode, coalesce(d.subject, d.episode) as subject, d.seat,
           coalesce(c.{label}, 'unknown') as contestant, d.votes::bigint as votes,
           d.votes_cast::bigint as votes_cast, d.rivals::bigint as rivals, d.place::bigint as place
    from candidates d left join contestants c using (episode, seat)
    where d.study = $1 or $1 is null order by d.study, d.arm, d.episode, d.place
"""
NAMED = """
    select count(*) from ballots where candidate is not null and (study = $1 or $1 is null)
"""


@dataclass(frozen=True, slots=True)
class SeatRatings:
    """R ratings that were asked for, all (R,), phases and seats in the order of play.

    `confidence` is in [0, 1], nan without one; `source` says what kind of number it is, empty if
    unknown; `role` is the seat without the number of a seat of many.
    """

    arm: NDArray[np.object_]
    episode: NDArray[np.object_]
    seat: NDArray[np.object_]
    role: NDArray[np.object_]
    contestant: NDArray[np.object_]
    model: NDArray[np.object_]
    phase: NDArray[np.object_]
    confidence: Array
    source: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Spoken:
    """How much one seat, or the seats of one name, spoke in an arm; `mean_words` may be nan."""

    arm: str
    role: str
    seats: int
    turns: int
    mean_words: float | None
    no_speech: int
    rated: bool


@dataclass(frozen=True, slots=True)
class Poll:
    """The votes inside the episodes of an arm.

    `overruled` counts episodes whose final answer is not the option with most votes.
    """

    arm: str
    episodes: int
    voters: int
    votes: int
    ties: int
    unanimous: int
    overruled: int


@dataclass(frozen=True, slots=True)
class OptionCount:
    """How many votes an option got in an arm."""

    arm: str
    option: str
    n: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """C seats that votes can name, all (C,), a row for each episode: see the view candidates."""

    arm: NDArray[np.object_]
    episode: NDArray[np.object_]
    subject: NDArray[np.object_]
    seat: NDArray[np.object_]
    contestant: NDArray[np.object_]
    votes: Codes
    votes_cast: Codes
    rivals: Codes
    place: Codes


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """One study's plays of protocols with any seats.

    `episodes` counts plays by status, without debates of two sides; `no_vote` counts votes that
    could not be read by their reason; `chosen` says what is left out, None: nothing.
    """

    study: str
    simulated: bool
    origin: str | None
    ratings: SeatRatings
    spoken: tuple[Spoken, ...]
    polls: tuple[Poll, ...]
    options: tuple[OptionCount, ...]
    no_vote: tuple[Count, ...]
    candidates: Candidates
    episodes: tuple[Count, ...]
    missing: tuple[Count, ...]
    chosen: Chosen | None = None


def read_seats(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> list[SeatRecord]:
    """Return every study that has such plays, or such seats in debates, oldest first, or one study.

    The list is empty if a named study has none.  Raises StoreError if the store cannot be read.
    """
    label = LABELS[selection.by]
    with open_selected(path, selection) as (con, left_out):
        con.execute(PLAYS, [study])
        names = {name for (name,) in con.execute(STUDIES_HERE).fetchall()}
        # Most stores have none: their turns need not be looked through.
        if not names:
            return []
        heads = {name: head for name, *head in con.execute(STUDIES).fetchall()}
        episodes = con.execute(EPISODES).fetchall()
        turns = with_labels(TURNS.format(label=label), PHASES_OF)
        con.execute(f"create temp table turns_here as {turns}")
        rated = fetch_columns(con, RATED)
        spoken = con.execute(SPOKEN).fetchall()
        polls, options, no_vote = (
            con.execute(sql, [study]).fetchall() for sql in (POLLS, OPTIONS, NO_VOTE)
        )
        candidates = fetch_candidates(con, study, label)
        missing = con.execute(MISSING, {"some_only": bool(selection.filters)}).fetchall()
    records = []
    for name in oldest_first(heads, names):
        simulated, origin = heads.get(name, (False, None))
        ratings = rows_of(rated, name)
        records.append(
            SeatRecord(
                name,
                simulated,
                origin,
                SeatRatings(**{key: ratings[key] for key in SeatRatings.__slots__}),
                tuple(Spoken(*row) for own, *row in spoken if own == name),
                tuple(Poll(*row) for own, *row in polls if own == name),
                tuple(OptionCount(*row) for own, *row in options if own == name),
                counts_of(no_vote, name),
                candidates_of(candidates, name),
                counts_of(episodes, name),
                counts_of(missing, name),
                left_out.get(name),
            )
        )
    return records


def read_candidates(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, tuple[bool, Candidates]]:
    """Return {study: (simulated, candidates)} of the studies whose own votes name seats.

    Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection) as (con, _):
        heads = {name: simulated for name, simulated, _ in con.execute(STUDIES).fetchall()}
        columns = fetch_candidates(con, study, LABELS[selection.by])
    names = oldest_first(heads, set(columns["study"].tolist()))
    return {name: (heads.get(name, False), candidates_of(columns, name)) for name in names}


def fetch_candidates(con: duckdb.DuckDBPyConnection, study: str | None, label: str) -> Columns:
    """Return the columns of the candidates of one study, or of all, named by such a label."""
    # Most stores have none, which the ballots alone tell in a third of the time.
    some: tuple[int] | None = con.execute(NAMED, [study]).fetchone()
    sql = CANDIDATES.format(label=label) + (" limit 0" if some == (0,) else "")
    return {
        name: np.ma.getdata(values)
        for name, values in con.execute(sql, [study]).fetchnumpy().items()
    }


def candidates_of(columns: Columns, study: str) -> Candidates:
    """Return the candidates of one study."""
    own: dict[str, Any] = rows_of(columns, study)
    return Candidates(**{key: own[key] for key in Candidates.__slots__})
