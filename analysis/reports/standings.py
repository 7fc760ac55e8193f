"""Report who won a tournament, how certain that is, and how its judges decided (`arena rank`).

Contestants with Bradley-Terry strengths and intervals, Elo, and win rates by two ways of counting;
judges with their flips, agreement with themselves and each other, and biases; and the missing
verdicts.  All judges decide who won; on request without those that judged themselves or a model of
their family, which then still count in the description of the judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from analysis.read.controls import PLAIN, read_controls
from analysis.read.debates import SIDES
from analysis.read.selection import ALL, By, Chosen, Selection
from analysis.read.verdicts import RELATIONS, Verdicts, read_verdicts
from analysis.reports.against_jury import VoteCounts
from analysis.reports.judges import SHARE, Agreement, JudgeRow, judge_agreement, judge_rows
from analysis.reports.plain_json import OPTIONAL, JsonField, JsonObject, json_object
from analysis.reports.rows import Pool, WinnerCounts
from analysis.reports.rules import rules
from analysis.reports.strengths import (
    UNBEATEN,
    WINLESS,
    EqualForm,
    FirstPlace,
    comparisons,
    equal_form,
    first_place,
    missing_end,
    places,
)
from analysis.statistics import judge_bias
from analysis.statistics.aggregation import Votes, confidence_sum, majority, unanimous
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Mask, MeanEstimate
from analysis.statistics.ranking import Ranking, rank, win_matrix
from analysis.statistics.ratings import elo, trueskill

SHUFFLES = 20
# TrueSkill takes longer, and many debates bring their own mean.
TRUESKILL_DEBATES = 100_000


@dataclass(frozen=True, slots=True)
class Jury:
    """A judging study with its number of verdicts."""

    jury: str
    verdicts: int


@dataclass(frozen=True, slots=True)
class ContestantRow:
    """A contestant: strength in logits, other ratings, and the debates won.

    `place` is 1 more than the number of contestants whose whole interval lies above its own; None
    without an interval.  `votes` on its debates against others count, `flipped` ones as
    abstentions.  Debates are won by the majority of votes, and beside it by confidence sum; a tie
    is half a win; nan if undefined.  `missing_end` says why the interval of the strength has no end
    on one side, or on both.
    """

    place: int | None
    agent: str
    strength: Annotated[Interval, JsonField(inline=True, names={"mean": "strength"})]
    missing_end: str | None
    elo: float
    trueskill: float
    trueskill_deviation: float
    votes: int
    flipped: int
    debates: int
    wins: float
    win_rate: float
    debates_by_confidence_sum: int
    wins_by_confidence_sum: float
    win_rate_by_confidence_sum: float


@dataclass(frozen=True, slots=True)
class SeatRow:
    """The advantage of the proposition in logits, whoever sits there.

    `missing_end` as for contestants; `clusters` of votes, of which `design_effect` tell as much
    about strengths as one independent vote.
    """

    advantage: Annotated[Interval, JsonField(inline=True, names={"mean": "proposition"})]
    missing_end: str | None
    clusters: int
    design_effect: float


@dataclass(frozen=True, slots=True)
class PairRow:
    """The share of its votes that `agent` won against another contestant."""

    agent: str
    against: str
    votes: int
    won: float


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """Debates by winner, by both rules, the votes that count, and how many were unanimous."""

    judged: int
    majority: WinnerCounts
    confidence_sum: WinnerCounts
    votes: VoteCounts
    unanimous: int


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """How many verdicts there are, one for each seat order, and how many are missing."""

    all: int
    missing: int


@dataclass(frozen=True, slots=True)
class RelatedVotes:
    """Votes by judges that are a contestant of the debate, or of its family.

    `judges` are `counted` or `left out`; `first` comes first as printed, `first_otherwise` if it
    were the other way; None without strengths.
    """

    judges: Literal["counted", "left out"]
    judge_is_contestant: int
    judge_of_family: int
    votes: int
    first: str | None
    first_otherwise: str | None


@dataclass(frozen=True, slots=True)
class MissingRow:
    """How many verdicts lack a winner, or a confidence in it, and why; with a `doubt` neither."""

    what: Literal["winner", "confidence", "doubt"]
    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class FailedRow:
    """How many debates ended where a call of this contestant on this side failed."""

    contestant: str | None
    side: str
    failed: int


@dataclass(frozen=True, slots=True)
class FailedDebates:
    """Debates that failed, and finished ones whose mirror image did: no strength rests on these."""

    failed: int
    without_mirror: int
    by: tuple[FailedRow, ...]


@dataclass(frozen=True, slots=True)
class Standings:
    """Everything about a judged study; shares and confidences in [0, 1], nan if undefined."""

    study: str
    juries: tuple[Jury, ...]
    simulated: bool
    debates: int
    contestants: tuple[ContestantRow, ...]
    seat: SeatRow
    equal_form: EqualForm
    first_place: FirstPlace | None
    pairs: tuple[PairRow, ...]
    outcomes: OutcomeRow
    judges: tuple[JudgeRow, ...]
    agreement: Agreement
    surer_side: Annotated[MeanEstimate, SHARE]
    verdicts: VerdictCounts
    missing: tuple[MissingRow, ...]
    related: RelatedVotes
    rules: Mapping[str, str]
    losses: FailedDebates
    by: By = "agent"
    pooled: tuple[Pool, ...] = ()
    chosen: Annotated[Chosen | None, OPTIONAL] = None


def standings(
    path: Path, study: str, *, jury: str | None = None, exclude_related: bool = False, seed: int = 0
) -> JsonObject:
    """Return the JSON of `study_standings`, as `arena rank --json` prints it; undefined is None."""
    found = study_standings(path, study, jury=jury, exclude_related=exclude_related, seed=seed)
    return json_object(found)


def study_standings(
    path: Path,
    study: str,
    *,
    jury: str | None = None,
    exclude_related: bool = False,
    seed: int = 0,
    selection: Selection = ALL,
) -> Standings:
    """Return the standings of a judged study.

    `jury` names a judging study whose verdicts alone count; with `exclude_related` judges do not
    decide debates in which they or a model of their family took part.  `selection` chooses the
    debates, and says who counts as one contestant; where it names no arms, control arms are left
    out, as in the report's headlines.  Raises StudyError without verdicts, naming the studies that
    have some, and StoreError if the store cannot be read.
    """
    if not selection.arms:
        controlled = read_controls(path, [study], selection).get(study)
        plain = [arm.arm for arm in controlled.arms if arm.role == PLAIN] if controlled else []
        selection = replace(selection, arms=tuple(plain))
    verdicts = read_verdicts(path, study, jury, selection)
    # Judges are described by all their votes, also by those that do not decide who won.
    every = verdicts.votes
    unrelated = every.select(verdicts.vote_related == 0)
    cast = unrelated if exclude_related else every
    ranking = fitted_ranking(verdicts, cast)
    return Standings(
        study,
        tuple(Jury(*row) for row in verdicts.juries),
        verdicts.simulated,
        len(verdicts.episode),
        contestant_rows(verdicts, cast, ranking, seed),
        seat_row(ranking),
        equal_form(verdicts, cast),
        first_place(verdicts, cast),
        pair_rows(verdicts, cast),
        outcome_row(verdicts, cast),
        judge_rows(verdicts, every),
        judge_agreement(verdicts, every),
        surer_side(verdicts, cast),
        VerdictCounts(len(verdicts.winner), int(np.isnan(verdicts.winner).sum())),
        missing_rows(verdicts),
        related_votes(verdicts, ranking, exclude_related),
        rules("standings"),
        failed_debates(verdicts),
        selection.by,
        tuple(Pool(*row) for row in verdicts.pooled),
        verdicts.chosen,
    )


def failed_debates(verdicts: Verdicts) -> FailedDebates:
    """Return how many debates failed, and by whose calls as far as that is known."""
    ends = Counter(
        (each.contestants[SIDES.index(each.failed_seat)], each.failed_seat)
        for each in verdicts.failed
        if each.failed_seat in SIDES
    )
    return FailedDebates(
        len(verdicts.failed),
        0 if verdicts.half is None else int(verdicts.half.sum()),
        tuple(FailedRow(*who, n) for who, n in ends.most_common()),
    )


def missing_rows(verdicts: Verdicts) -> tuple[MissingRow, ...]:
    """Return what verdicts lack or what is doubtful, the most frequent reasons first."""
    unnamed = np.isnan(verdicts.winner)
    # Who abstains is asked for no confidence.
    unrated = ~unnamed & (verdicts.winner != 0.5) & np.isnan(verdicts.judge_confidence)
    doubtful = ~unnamed & ~unrated
    doubtful &= np.array([str(each).startswith("doubtful") for each in verdicts.status], dtype=bool)
    lacks: tuple[tuple[Literal["winner", "confidence", "doubt"], Mask], ...]
    lacks = (("winner", unnamed), ("confidence", unrated), ("doubt", doubtful))
    return tuple(
        MissingRow(what, reason, n)
        for what, mask in lacks
        for reason, n in Counter(map(str, verdicts.status[mask].tolist())).most_common()
    )


def fitted_ranking(verdicts: Verdicts, cast: Votes) -> Ranking:
    """Return the strengths of the contestants by these votes."""
    first, second, score, debate = comparisons(verdicts, cast)
    return rank(first, second, score, verdicts.pair_cluster()[debate], len(verdicts.agents))


def related_votes(verdicts: Verdicts, ranking: Ranking, left_out: bool) -> RelatedVotes:
    """Return how many votes are by related judges, and whether they decide who comes first."""
    count = Counter(RELATIONS[number] for number in verdicts.vote_related.tolist())
    related = count["contestant"] + count["family"]
    first = otherwise = best(verdicts, ranking)
    if related:
        other = verdicts.votes
        if not left_out:
            other = other.select(verdicts.vote_related == 0)
        otherwise = best(verdicts, fitted_ranking(verdicts, other))
    return RelatedVotes(
        "left out" if left_out else "counted",
        count["contestant"],
        count["family"],
        verdicts.vote_related.size,
        first,
        otherwise,
    )


def best(verdicts: Verdicts, ranking: Ranking) -> str | None:
    """Return the contestant of the largest strength; None without strengths."""
    if np.isnan(ranking.strength).all():
        return None
    return verdicts.agents[int(np.nanargmax(ranking.strength))]


def contestant_rows(
    verdicts: Verdicts, cast: Votes, ranking: Ranking, seed: int
) -> tuple[ContestantRow, ...]:
    """Return one row for each contestant, the strongest first, those without a vote last."""
    by_majority = majority(cast, len(verdicts.episode))
    by_sum = confidence_sum(cast, len(verdicts.episode))
    # Elo hangs on the order of debates; strengths above do not, and are what counts.
    decided = ~np.isnan(by_majority) & ~verdicts.against_itself()
    first, second = verdicts.side[decided].T
    agents = len(verdicts.agents)
    played = first, second, by_majority[decided], agents
    rating = elo(*played, shuffles=SHUFFLES, seed=seed)
    orders = min(SHUFFLES, 1 + TRUESKILL_DEBATES // max(len(first), 1))
    skill = trueskill(*played, shuffles=orders, seed=seed)
    rows = []
    place = places(ranking.low, ranking.high)
    against_others = cast.flipped & ~verdicts.against_itself()[cast.debate]
    flipped = verdicts.side[cast.debate[against_others & (cast.winner == 0.5)]]
    for number, name in enumerate(verdicts.agents):
        size, low, high = (
            float(column[number]) for column in (ranking.strength, ranking.low, ranking.high)
        )
        mean, deviation = skill[number].tolist()
        rows.append(
            ContestantRow(
                place[number],
                name,
                Interval(size, low, high),
                missing_end(size, low, high, UNBEATEN, WINLESS),
                float(rating[number]),
                mean,
                deviation,
                int(ranking.games[number]),
                int((flipped == number).sum()),
                *wins_of(verdicts, by_majority, number),
                *wins_of(verdicts, by_sum, number),
            )
        )
    # nan needs a key of its own to stand last; equal strengths differ in bits by the machine.
    rows.sort(key=lambda row: (isnan(row.strength.mean), -round(row.strength.mean, 9), row.agent))
    return tuple(rows)


def seat_row(ranking: Ranking) -> SeatRow:
    """Return the advantage of the proposition."""
    ends = ranking.first, ranking.first_low, ranking.first_high
    reason = missing_end(*ends, "the proposition won every vote", "the opposition won every vote")
    if isnan(ranking.first) and ranking.clusters:
        reason = "nobody sat in both seats, so that seats and strengths are one"
    return SeatRow(Interval(*ends), reason, ranking.clusters, ranking.design_effect)


def wins_of(verdicts: Verdicts, winner: Array, agent: int) -> tuple[int, float, float]:
    """Return (decided debates of a contestant against others, won of these, their share)."""
    other = ~verdicts.against_itself() & ~np.isnan(winner)
    # Whichever side a contestant sat on: `winner` is 1 for the proposition.
    won = np.concatenate(
        (
            winner[other & (verdicts.side[:, 0] == agent)],
            1 - winner[other & (verdicts.side[:, 1] == agent)],
        )
    )
    return won.size, float(won.sum()), float(won.mean()) if won.size else nan


def pair_rows(verdicts: Verdicts, cast: Votes) -> tuple[PairRow, ...]:
    """Return the win matrix as rows: how much each contestant won of its votes against another."""
    first, second, score, _ = comparisons(verdicts, cast)
    won, games = win_matrix(first, second, score, len(verdicts.agents))
    return tuple(
        PairRow(verdicts.agents[a], verdicts.agents[b], int(games[a, b]), float(won[a, b]))
        for a, b in np.argwhere(games > 0).tolist()
    )


def outcome_row(verdicts: Verdicts, cast: Votes) -> OutcomeRow:
    """Return debates by winner."""
    size = len(verdicts.episode)
    by_majority = majority(cast, size)
    # A debate whose votes are all missing is not judged.
    judged = int((~np.isnan(by_majority)).sum())
    return OutcomeRow(
        judged,
        winner_counts(by_majority),
        winner_counts(confidence_sum(cast, size)),
        vote_counts(cast),
        int(unanimous(cast, size).sum()),
    )


def winner_counts(winner: Array) -> WinnerCounts:
    """Return debates by winner."""
    return WinnerCounts(*(int((winner == value).sum()) for value in (1.0, 0.0, 0.5)))


def vote_counts(cast: Votes) -> VoteCounts:
    """Return what became of votes."""
    abstained = cast.winner == 0.5
    missing = np.isnan(cast.winner)
    return VoteCounts(
        int((~abstained & ~missing).sum()),
        int(abstained.sum()),
        int((abstained & cast.flipped).sum()),
        int(missing.sum()),
    )


def surer_side(verdicts: Verdicts, cast: Votes) -> MeanEstimate:
    """Return how often the surer side wins.

    Over debates between two contestants with a winner by majority and unequal last ratings.
    """
    winner = majority(cast, len(verdicts.episode))
    # A tie has no winner to be surer than the other side.
    decided = (winner != 0.5) & ~np.isnan(winner) & ~verdicts.against_itself()
    won = judge_bias.won_by_more(winner[decided], verdicts.confidence[decided])
    return judge_bias.clustered_share(won, verdicts.pair_cluster()[decided])
