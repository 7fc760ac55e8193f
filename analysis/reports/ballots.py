"""Report the votes inside plays: for what, and how strong the contestants are whom they name.

A vote that names one of k candidates says that it beats each of the others.  By Luce's choice model
(1959) the odds of a vote for one of two candidates hang on these two alone, so that votes for
either of the two are comparisons by Bradley and Terry's model (statistics/ranking.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from analysis.read.debates import Count
from analysis.read.seats import Candidates, OptionCount, Poll, read_candidates
from analysis.read.selection import ALL, Selection
from analysis.reports.plain_json import JsonField
from analysis.reports.rules import rules
from analysis.reports.strengths import UNBEATEN, WINLESS, missing_end
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.ranking import Ranking, rank
from analysis.statistics.shares import share_intervals

SHARE = JsonField(inline=True, names={"mean": "vote_share"})
STRENGTH = JsonField(inline=True, names={"mean": "strength"})


@dataclass(frozen=True, slots=True)
class ShareRow:
    """The share of the votes that somebody got, who could get them in `episodes`.

    `by_chance` is the share if votes fell on all candidates alike.
    """

    name: str
    episodes: int
    votes: int
    votes_cast: int
    share: Annotated[Interval, SHARE]
    by_chance: float


@dataclass(frozen=True, slots=True)
class BallotFindings:
    """The votes inside the plays of a study; `missing` are those that could not be read."""

    polls: tuple[Poll, ...]
    missing: tuple[Count, ...]
    options: tuple[OptionCount, ...]
    contestants: tuple[ShareRow, ...]
    seats: tuple[ShareRow, ...]


@dataclass(frozen=True, slots=True)
class StrengthRow:
    """The strength of a contestant in logits, by votes; `missing_end` as in the standings."""

    contestant: str
    strength: Annotated[Interval, STRENGTH]
    missing_end: str | None


@dataclass(frozen=True, slots=True)
class VoteStandings:
    """Who won the votes inside the plays of a study.

    Strengths are those at equal seats.  Votes come in `clusters`, of which so many tell as much as
    one independent vote as `design_effect` says.
    """

    study: str
    simulated: bool
    episodes: int
    votes: int
    contestants: tuple[ShareRow, ...]
    strengths: tuple[StrengthRow, ...]
    seats: tuple[ShareRow, ...]
    clusters: int
    design_effect: float
    rules: Mapping[str, str]


def ballot_findings(
    polls: tuple[Poll, ...],
    missing: tuple[Count, ...],
    options: tuple[OptionCount, ...],
    candidates: Candidates,
) -> BallotFindings | None:
    """Return the findings about votes inside plays, or None without any."""
    if not polls:
        return None
    return BallotFindings(
        polls,
        missing,
        options,
        share_rows(candidates, candidates.contestant),
        share_rows(candidates, candidates.seat),
    )


def vote_standings(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> list[VoteStandings]:
    """Return the standings by votes inside plays, of one study or of all that have such votes."""
    return [
        standings_of(name, simulated, candidates)
        for name, (simulated, candidates) in read_candidates(path, study, selection).items()
    ]


def standings_of(study: str, simulated: bool, candidates: Candidates) -> VoteStandings:
    """Return the standings of one study."""
    names, code = np.unique(candidates.contestant.astype(str), return_inverse=True)
    first, second, score, cluster, columns = comparisons(candidates, code)
    # No order of the two means anything.
    ranking = rank(first, second, score, cluster, len(names), columns, seated=False)
    return VoteStandings(
        study,
        simulated,
        len(set(candidates.episode.tolist())),
        int(candidates.votes.sum()),
        share_rows(candidates, candidates.contestant),
        strength_rows(names.tolist(), ranking),
        share_rows(candidates, candidates.seat),
        ranking.clusters,
        ranking.design_effect,
        rules("ballots"),
    )


def comparisons(candidates: Candidates, code: Codes) -> tuple[Codes, Codes, Array, Codes, Array]:
    """Return (first, second, score, cluster, columns) of each vote for either of two contestants.

    `code` (C,) are contestants from 0; `columns` say by a 1 and a -1 in which seats both sat, the
    first of the seats left out.  A cluster is what the same contestants said of one subject: votes
    on it are not independent.
    """
    seats, seat = np.unique(candidates.seat.astype(str), return_inverse=True)
    rows: list[tuple[int, int, float, int, int, int]] = []
    clusters: dict[tuple[object, ...], int] = {}
    starts = np.flatnonzero(np.r_[True, candidates.episode[1:] != candidates.episode[:-1]])
    for start, end in zip(starts, [*starts[1:], len(code)], strict=True):
        own = range(start, end)
        who = sorted(code[start:end].tolist())
        cluster = clusters.setdefault((candidates.subject[start], *who), len(clusters))
        for one, other in combinations(own, 2):
            # A contestant against itself tells nothing about strengths.
            if code[one] != code[other]:
                pairs = [(one, other, 1.0)] * int(candidates.votes[one])
                pairs += [(one, other, 0.0)] * int(candidates.votes[other])
                rows += [
                    (int(code[a]), int(code[b]), won, cluster, int(seat[a]), int(seat[b]))
                    for a, b, won in pairs
                ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
    first, second, cluster_of, mine, theirs = table[:, [0, 1, 3, 4, 5]].astype(np.int64).T
    same = np.eye(len(seats))[:, 1:]
    return first, second, table[:, 2], cluster_of, same[mine] - same[theirs]


def strength_rows(names: list[str], ranking: Ranking) -> tuple[StrengthRow, ...]:
    """Return one row for each contestant, the strongest first, those without a place last."""
    ends = np.column_stack((ranking.strength, ranking.low, ranking.high)).tolist()
    rows = [
        StrengthRow(
            name, Interval(*size), missing_end(size[0], size[1], size[2], UNBEATEN, WINLESS)
        )
        for name, size in zip(names, ends, strict=True)
    ]
    # nan compares false with everything, so that it needs a key of its own to stand last.
    rows.sort(key=lambda row: (isnan(row.strength.mean), -row.strength.mean, row.contestant))
    return tuple(rows)


def share_rows(candidates: Candidates, name: NDArray[np.object_]) -> tuple[ShareRow, ...]:
    """Return the share of votes by `name` (C,), contestants or seats, the largest first.

    Subjects are the clusters of the intervals.
    """
    if not len(name):
        return ()
    subjects, subject = np.unique(candidates.subject.astype(str), return_inverse=True)
    episodes, episode = np.unique(candidates.episode.astype(str), return_inverse=True)
    rows = []
    for each in sorted(set(name.tolist())):
        mine = name == each
        # Who sits in two seats of an episode gets the votes of both.
        seats = np.bincount(episode[mine], minlength=len(episodes))
        one = np.zeros(len(episodes), dtype=np.int64)
        one[episode] = np.arange(len(episode))
        votes = np.bincount(episode[mine], candidates.votes[mine], len(episodes))
        cast = np.where(seats > 0, candidates.votes_cast[one], 0).astype(np.float64)
        top, bottom = (
            np.bincount(subject[one], counts, len(subjects)).astype(np.float64)[:, None]
            for counts in (votes, cast)
        )
        [share] = share_intervals(top[bottom[:, 0] > 0], bottom[bottom[:, 0] > 0])
        chance = (
            float((seats / candidates.rivals[one]) @ cast / cast.sum()) if cast.any() else np.nan
        )
        row = ShareRow(
            each, int((seats > 0).sum()), int(votes.sum()), int(cast.sum()), share, chance
        )
        rows.append(row)
    rows.sort(key=lambda row: (-row.share.mean, row.name))
    return tuple(rows)
