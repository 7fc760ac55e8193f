"""Report ratings and words by seat and phase in protocols with any seats, and the votes inside.

No protocol declares whose ratings are chances of one event, so that they cannot all be high.  Votes
inside the plays tell: the seats that they name are rivals, of whom one wins, and ratings of k
rivals can be right at 1 / k on average at most.  Without such votes nothing is said of sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.seats import SeatRatings, SeatRecord, Spoken
from analysis.reports.ballots import BallotFindings, ballot_findings
from analysis.reports.plain_json import INLINE, JsonField, interval_as
from analysis.reports.rows import CLAIMS, EpisodeCounts, episode_counts
from analysis.statistics.claims import Claims, mean_claims
from analysis.statistics.clustered import Array, Codes, Mask, MeanEstimate
from analysis.statistics.multiplicity import holm
from analysis.statistics.overconfidence import Rise, rise

# Of so many seats of one name each has its own row; more are pooled, such as an audience.
MOST_SEATS = 4
RATING = JsonField(
    inline=True,
    only=("n", "clusters", "mean", "sd", "ci_low", "ci_high"),
    names={"clusters": "episodes"},
)


@dataclass(frozen=True, slots=True)
class SeatPhaseRow:
    """The ratings of one seat, or of the seats of one name, in one phase.

    `source` is what kind of number they are, empty if unknown; `missing` were asked for and could
    not be read.
    """

    arm: str
    seat: str
    phase: str
    source: str
    rating: Annotated[MeanEstimate, RATING]
    claims: Annotated[Claims, CLAIMS]
    missing: int


@dataclass(frozen=True, slots=True)
class ContestantRow:
    """The ratings of a contestant in its first and its last phase, in whatever seats.

    In arms where rivals are known only their seats count: a moderator rates something else.  The
    rise is None with a single phase; `rise_p_holm` is its p adjusted for the number of
    contestants.
    """

    contestant: str
    n: int
    first_phase: str
    first: float
    last_phase: str
    last: float
    rise: Annotated[Rise | None, interval_as("rise", p="rise_p")]
    missing: int
    rise_p_holm: float = nan


@dataclass(frozen=True, slots=True)
class RivalsRow:
    """The ratings of the rivals of an arm in one phase, over episodes in which all gave one.

    `at_most` is the mean at which they can be right, 1 over their number; `two_above_half` counts
    episodes in which two or more were above 50%, `all_above_half` those in which all were.
    """

    arm: str
    seats: tuple[str, ...]
    phase: str
    rating: Annotated[MeanEstimate, RATING]
    claims: Annotated[Claims, CLAIMS]
    at_most: float
    two_above_half: int
    all_above_half: int


@dataclass(frozen=True, slots=True)
class SeatFindings:
    """The findings about a study's plays with any seats; ratings and shares in [0, 1]."""

    episodes: EpisodeCounts
    ratings: tuple[SeatPhaseRow, ...]
    rivals: tuple[RivalsRow, ...]
    contestants: tuple[ContestantRow, ...]
    words: tuple[Annotated[Spoken, INLINE], ...]
    ballots: BallotFindings | None


def seat_findings(record: SeatRecord) -> SeatFindings:
    """Return the findings about a study's plays with any seats."""
    ratings = name_seats(record.ratings)
    return SeatFindings(
        episode_counts(record.episodes),
        phase_rows(ratings),
        rivals_rows(record),
        contestant_rows(of_rivals(record)),
        record.spoken,
        ballot_findings(record.polls, record.no_vote, record.options, record.candidates),
    )


def name_seats(ratings: SeatRatings) -> SeatRatings:
    """Return the ratings with the name of the row of each as its role."""
    many: dict[tuple[str, str], set[str]] = {}
    places = list(
        zip(ratings.arm.tolist(), ratings.role.tolist(), ratings.seat.tolist(), strict=True)
    )
    for arm, role, seat in places:
        many.setdefault((arm, role), set()).add(seat)
    names = [role if len(many[arm, role]) > MOST_SEATS else seat for arm, role, seat in places]
    return replace(ratings, role=np.array(names, dtype=object))


def block(ratings: SeatRatings, chosen: Mask) -> tuple[Array, Codes]:
    """Return (confidence, code of the model) of the chosen ratings, both (episodes, seats).

    A seat without a rating is nan; of a seat that was asked twice in a phase the last rating stays.
    """
    _, episode = np.unique(ratings.episode[chosen].astype(str), return_inverse=True)
    seats, seat = np.unique(ratings.seat[chosen].astype(str), return_inverse=True)
    _, model = np.unique(ratings.model[chosen].astype(str), return_inverse=True)
    values = np.full((episode.max(initial=-1) + 1, len(seats)), nan)
    codes = np.zeros(values.shape, dtype=np.int64)
    values[episode, seat] = ratings.confidence[chosen]
    codes[episode, seat] = model
    return values, codes


def phase_rows(ratings: SeatRatings) -> tuple[SeatPhaseRow, ...]:
    """Return the ratings by arm, seat and phase, in the order of play."""
    keys = list(
        zip(ratings.arm.tolist(), ratings.role.tolist(), ratings.phase.tolist(), strict=True)
    )
    rows = []
    for arm, seat, phase in dict.fromkeys(keys):
        mine = (ratings.arm == arm) & (ratings.role == seat) & (ratings.phase == phase)
        sources = dict.fromkeys(filter(None, ratings.source[mine].tolist()))
        missing = int(np.isnan(ratings.confidence[mine]).sum())
        estimate = mean_claims(*block(ratings, mine))
        rows.append(SeatPhaseRow(arm, seat, phase, " and ".join(sources), *estimate, missing))
    return tuple(rows)


def rivals_rows(record: SeatRecord) -> tuple[RivalsRow, ...]:
    """Return the ratings of the seats that votes name, by arm and phase; two rivals at least."""
    ratings = record.ratings
    rows = []
    for arm in dict.fromkeys(record.candidates.arm.tolist()):
        named = set(record.candidates.seat[record.candidates.arm == arm].tolist())
        rival = (ratings.arm == arm) & np.isin(ratings.seat, list(named))
        for phase in dict.fromkeys(ratings.phase[rival].tolist()):
            mine = rival & (ratings.phase == phase)
            seats = tuple(sorted(set(ratings.seat[mine].tolist())))
            if len(seats) < 2:
                continue
            values, model = block(ratings, mine)
            whole = ~np.isnan(values).any(axis=1)
            at_most = 1 / len(seats)
            estimate = mean_claims(values[whole], model[whole], against=at_most)
            sure = (values[whole] > 0.5).sum(axis=1)
            both = int((sure >= 2).sum()), int((sure == len(seats)).sum())
            rows.append(RivalsRow(arm, seats, phase, *estimate, at_most, *both))
    return tuple(rows)


def of_rivals(record: SeatRecord) -> SeatRatings:
    """Return the ratings of rivals; all of those in arms without votes that name two seats."""
    ratings, candidates = record.ratings, record.candidates
    chosen = np.ones(ratings.arm.shape, dtype=bool)
    for arm in set(candidates.arm.tolist()):
        named = set(candidates.seat[candidates.arm == arm].tolist())
        if len(named) > 1:
            chosen &= (ratings.arm != arm) | np.isin(ratings.seat, list(named))
    columns = {field.name: getattr(ratings, field.name)[chosen] for field in fields(SeatRatings)}
    return SeatRatings(**columns)


def contestant_rows(ratings: SeatRatings) -> tuple[ContestantRow, ...]:
    """Return the ratings of each contestant, by name; its rise from its first phase to its last."""
    rows = []
    for name in sorted(set(ratings.contestant.tolist())):
        mine = ratings.contestant == name
        phases = list(dict.fromkeys(ratings.phase[mine].tolist()))
        ends = [
            mean_of(ratings, mine & (ratings.phase == phase)) for phase in (phases[0], phases[-1])
        ]
        change = rise_of(ratings, mine, phases) if len(phases) > 1 else None
        missing = int(np.isnan(ratings.confidence[mine]).sum())
        held = len({*zip(ratings.episode[mine].tolist(), ratings.seat[mine].tolist(), strict=True)})
        rows.append(
            ContestantRow(name, held, phases[0], ends[0], phases[-1], ends[1], change, missing)
        )
    # The rises of all contestants are one family of tests.
    adjusted = holm([row.rise.p if row.rise else nan for row in rows]).tolist()
    return tuple(replace(row, rise_p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def mean_of(ratings: SeatRatings, chosen: Mask) -> float:
    """Return the mean of the chosen ratings, nan without one."""
    values = ratings.confidence[chosen]
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else nan


def rise_of(ratings: SeatRatings, chosen: Mask, phases: Sequence[str]) -> Rise:
    """Return the rise of the chosen ratings from the first of the phases to the last."""
    held: dict[tuple[str, str], dict[str, float]] = {}
    for place in np.flatnonzero(chosen):
        key = ratings.episode[place], ratings.seat[place]
        held.setdefault(key, {})[ratings.phase[place]] = float(ratings.confidence[place])
    episodes = {episode: row for row, episode in enumerate(sorted({key[0] for key in held}))}
    seats = {seat: column for column, seat in enumerate(sorted({key[1] for key in held}))}
    ends = np.full((2, len(episodes), len(seats)), nan)
    for (episode, seat), said in held.items():
        for end, phase in enumerate((phases[0], phases[-1])):
            ends[end, episodes[episode], seats[seat]] = said.get(phase, nan)
    return rise(ends[0], ends[1])
