"""Report who won a tournament, how certain that is, and how its judges decided (`arena rank`).

Contestants with Bradley-Terry strengths and intervals, Elo, and win rates by two ways of counting;
judges with their flips, agreement with themselves and each other, and biases; and what is missing.
Judges of debates in which they, or a model of their family, took part are left out of all that
decides who won, unless they are asked for, and kept in what describes judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.read.verdicts import RELATIONS, Verdicts, read_verdicts
from analysis.reports.plain_json import JsonField, JsonObject, json_object
from analysis.reports.rows import WinnerCounts
from analysis.statistics.aggregation import Votes, confidence_sum, majority, unanimous, votes
from analysis.statistics.agreement import (
    VALUES,
    alpha_interval,
    krippendorff_alpha,
    raw_agreement,
    value_counts,
)
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, MeanEstimate
from analysis.statistics.judge_bias import (
    EFFECTS,
    Readings,
    clustered_share,
    effects,
    longer_won,
    self_preference,
    surer_won,
)
from analysis.statistics.ranking import Ranking, elo, rank, win_matrix

Codes = NDArray[np.int64]
Related = Literal["exclude", "include"]
ELO_SHUFFLES = 20
RULES = {
    "vote": "What a judge says of a debate in all the seat orders that it read: a winner, or an"
    " abstention where it abstained or the winner changed with the order. Where one of its readings"
    " is missing, so is the vote.",
    "related": "Judges that are the same model as a contestant, or of its family by name, are left"
    " out of strengths and wins (--include-related keeps them).",
    "strength": "Bradley-Terry in logits with mean 0, over votes, an abstention half a win for"
    " both, the advantage of the proposition held fixed. A contestant wins against one d below it"
    " with the chance 1 / (1 + exp(-d)), as this jury sees it: judges that favour a side or an"
    " order draw the strengths together.",
    "interval": "95%. Strengths: 1,000 resamples of clusters, a cluster being the debates of one"
    " pair on one motion. Shares and effects: Student's t over the same clusters. Alpha: 2,000"
    " resamples of debates.",
    "wins": "Share of debates won by the majority of votes, and by the larger sum of the judges'"
    " confidences; a tie is half a win.",
    "elo": f"From 1000 with K = 32, the mean of {ELO_SHUFFLES} shuffles of the debates; a reference"
    " that hangs on their order.",
    "flips": "Of the debates that a judge decided in both seat orders, how many it decided"
    " differently.",
    "retest": "Of pairs of readings of one debate by one judge in one seat order, how many name the"
    " same winner; agreement: by two judges.",
    "alpha": "Krippendorff's, nominal, over the first vote of each judge: 1 is perfect, 0 is"
    " chance.",
    "shares": "Of the winners that a judge names, the share that is the proposition, and the share"
    " that spoke more words.",
    "effects": "Logits by which a judge favours the proposition (side), who is read first, the"
    " longer side (per unit of log of the ratio of words) and its family, with strengths held"
    " fixed; fitted to all readings together.",
    "own_family": "DBG score: what a judge's votes give its own family minus what the votes of"
    " judges of neither family give it, in points.",
    "surer": "Share of decided debates won by the side whose last rating was higher.",
}
SHARE = JsonField(only=("n", "mean", "ci_low", "ci_high", "p"))


@dataclass(frozen=True, slots=True)
class Jury:
    """A judging study with its number of verdicts."""

    jury: str
    verdicts: int


@dataclass(frozen=True, slots=True)
class ContestantRow:
    """A contestant: strength in logits, Elo, and shares of debates won, a tie half; nan if
    undefined.
    """

    agent: str
    strength: Annotated[Interval, JsonField(inline=True, names={"mean": "strength"})]
    elo: float
    votes: int
    debates: int
    win_rate: float
    win_rate_by_sum: float


@dataclass(frozen=True, slots=True)
class SeatRow:
    """The advantage of the proposition in logits, whoever sits there."""

    advantage: Annotated[Interval, JsonField(inline=True, names={"mean": "proposition"})]
    clusters: int


@dataclass(frozen=True, slots=True)
class PairRow:
    """What `agent` won of its votes against another contestant."""

    agent: str
    against: str
    votes: int
    won: float


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """Debates by winner, counted both ways, and how many were unanimous."""

    judged: int
    majority: WinnerCounts
    confidence_sum: WinnerCounts
    unanimous: int


@dataclass(frozen=True, slots=True)
class EffectRow:
    """Logits by which a judge favours something; nan if the readings do not tell."""

    size: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """A judge: its readings, flips and retest, and what it favours.

    `both_orders` counts debates, by repeat, that it decided in both seat orders, `flips` those that
    it decided differently.  `effects` by the names of EFFECTS; `own_family` is the DBG score.
    """

    judge: str
    model: str
    readings: int
    missing: int
    abstained: int
    both_orders: int
    flips: int
    flip_rate: float
    retest: float
    retest_pairs: int
    proposition: Annotated[MeanEstimate, SHARE]
    longer: Annotated[MeanEstimate, SHARE]
    effects: Mapping[str, EffectRow]
    own_family: Annotated[MeanEstimate, SHARE]


@dataclass(frozen=True, slots=True)
class AgreementPair:
    """In what share of pairs of readings of the same debate two judges name the same winner."""

    judges: tuple[str, str]
    pairs: int
    same: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha over the judges' first votes, and raw agreement of each two judges."""

    alpha: Annotated[Interval, JsonField(inline=True, names={"mean": "alpha"})]
    raw: tuple[AgreementPair, ...]


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """How many readings there are, how many count towards who won, and how many judges are related."""

    all: int
    missing: int
    counted: int
    judge_is_contestant: int
    judge_of_family: int


@dataclass(frozen=True, slots=True)
class MissingRow:
    """How many verdicts are missing for one reason."""

    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class Standings:
    """Everything about a judged study; shares and confidences in [0, 1], nan if undefined."""

    study: str
    juries: tuple[Jury, ...]
    simulated: bool
    debates: int
    contestants: tuple[ContestantRow, ...]
    seat: SeatRow
    pairs: tuple[PairRow, ...]
    outcomes: OutcomeRow
    judges: tuple[JudgeRow, ...]
    agreement: Agreement
    surer_side: Annotated[MeanEstimate, SHARE]
    verdicts: VerdictCounts
    missing: tuple[MissingRow, ...]
    related: Related
    rules: Mapping[str, str]


def standings(
    path: Path, study: str, *, jury: str | None = None, related: Related = "exclude", seed: int = 0
) -> JsonObject:
    """Return the JSON of `study_standings`, as `arena rank --json` prints it; undefined is None."""
    return json_object(study_standings(path, study, jury=jury, related=related, seed=seed))


def study_standings(
    path: Path, study: str, *, jury: str | None = None, related: Related = "exclude", seed: int = 0
) -> Standings:
    """Return the standings of a judged study.

    `jury` names a judging study whose verdicts alone count.  Raises StudyError without verdicts,
    naming the studies that have some, and StoreError if the store cannot be read.
    """
    verdicts = read_verdicts(path, study, jury)
    chosen = np.ones(len(verdicts.debate), dtype=bool)
    if related == "exclude":
        chosen = verdicts.related == 0
    cast = cast_votes(verdicts, chosen)
    ranking = rank(*comparisons(verdicts, cast), len(verdicts.agents), seed=seed)
    reasons = Counter(map(str, verdicts.status[np.isnan(verdicts.winner)].tolist()))
    every = cast_votes(verdicts, np.ones(len(chosen), dtype=bool))
    return Standings(
        study,
        tuple(Jury(*row) for row in verdicts.juries),
        verdicts.simulated,
        len(verdicts.episode),
        contestant_rows(verdicts, cast, ranking, seed),
        SeatRow(Interval(ranking.first, ranking.first_low, ranking.first_high), ranking.clusters),
        pair_rows(verdicts, cast),
        outcome_row(verdicts, cast),
        judge_rows(verdicts, every),
        agreement(verdicts, every),
        surer_side(verdicts, cast),
        verdict_counts(verdicts, chosen),
        tuple(MissingRow(*row) for row in reasons.most_common()),
        related,
        RULES,
    )


def cast_votes(verdicts: Verdicts, chosen: NDArray[np.bool_]) -> Votes:
    """Return the votes out of the chosen readings, a mask (N,)."""
    return votes(
        verdicts.debate[chosen],
        verdicts.judge[chosen],
        verdicts.repeat[chosen],
        verdicts.winner[chosen],
        verdicts.judge_confidence[chosen],
    )


def comparisons(verdicts: Verdicts, cast: Votes) -> tuple[Codes, Codes, Array, Codes]:
    """Return (first, second, score, cluster) of the votes on debates between two contestants."""
    there = ~np.isnan(cast.winner) & ~verdicts.against_itself()[cast.debate]
    debate = cast.debate[there]
    first, second = verdicts.side[debate].T
    return first, second, cast.winner[there], verdicts.pair_cluster()[debate]


def contestant_rows(
    verdicts: Verdicts, cast: Votes, ranking: Ranking, seed: int
) -> tuple[ContestantRow, ...]:
    """Return one row for each contestant, the strongest first, those without a vote last."""
    by_majority = majority(cast, len(verdicts.episode))
    by_sum = confidence_sum(cast, len(verdicts.episode))
    decided = ~np.isnan(by_majority) & ~verdicts.against_itself()
    first, second = verdicts.side[decided].T
    agents = len(verdicts.agents)
    rating = elo(first, second, by_majority[decided], agents, shuffles=ELO_SHUFFLES, seed=seed)
    rows = []
    for number, name in enumerate(verdicts.agents):
        ends = (ranking.strength[number], ranking.low[number], ranking.high[number])
        wins, debates = win_rate(verdicts, by_majority, number)
        wins_by_sum, _ = win_rate(verdicts, by_sum, number)
        rows.append(
            ContestantRow(
                name,
                Interval(*map(float, ends)),
                float(rating[number]),
                int(ranking.games[number]),
                debates,
                wins,
                wins_by_sum,
            )
        )
    rows.sort(key=lambda row: (isnan(row.strength.mean), -row.strength.mean, row.agent))
    return tuple(rows)


def win_rate(verdicts: Verdicts, winner: Array, agent: int) -> tuple[float, int]:
    """Return (share of decided debates against others that a contestant won, how many there are)."""
    other = ~verdicts.against_itself() & ~np.isnan(winner)
    won = np.concatenate(
        (
            winner[other & (verdicts.side[:, 0] == agent)],
            1 - winner[other & (verdicts.side[:, 1] == agent)],
        )
    )
    return (float(won.mean()) if won.size else nan), won.size


def pair_rows(verdicts: Verdicts, cast: Votes) -> tuple[PairRow, ...]:
    """Return the win matrix as rows: what each contestant won of its votes against each other."""
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
    judged = int((~np.isnan(by_majority)).sum())
    return OutcomeRow(
        judged,
        winner_counts(by_majority),
        winner_counts(confidence_sum(cast, size)),
        int(unanimous(cast, size).sum()),
    )


def winner_counts(winner: Array) -> WinnerCounts:
    """Return debates by winner."""
    return WinnerCounts(*(int((winner == value).sum()) for value in (1.0, 0.0, 0.5)))


def judge_rows(verdicts: Verdicts, every: Votes) -> tuple[JudgeRow, ...]:
    """Return one row for each judge, over all its readings and votes."""
    own, cluster = verdicts.own_family(), verdicts.pair_cluster()
    preference = self_preference(every.winner, every.debate, every.judge, own, cluster)
    sizes = judge_effects(verdicts)
    retest, retest_pairs = reading_agreement(verdicts)
    rows = []
    for number, name in enumerate(verdicts.judges):
        mine = verdicts.judge == number
        named = mine & ~np.isnan(verdicts.winner)
        decided = named & (verdicts.winner != 0.5)
        winner, debate = verdicts.winner[decided], verdicts.debate[decided]
        plays = np.stack((debate, verdicts.repeat[decided]))
        _, orders = np.unique(plays, axis=1, return_counts=True)
        both_orders = int((orders > 1).sum())
        flips = int(every.flipped[every.judge == number].sum())
        rows.append(
            JudgeRow(
                name,
                verdicts.judge_models[number],
                int(mine.sum()),
                int((mine & ~named).sum()),
                int((named & ~decided).sum()),
                both_orders,
                flips,
                flips / both_orders if both_orders else nan,
                float(retest[number, number]),
                int(retest_pairs[number, number]),
                clustered_share(winner, cluster[debate]),
                clustered_share(longer_won(winner, verdicts.words[debate]), cluster[debate]),
                dict(zip(EFFECTS, sizes[number], strict=True)),
                preference[number],
            )
        )
    return tuple(rows)


def reading_agreement(verdicts: Verdicts) -> tuple[Array, Array]:
    """Return (share of the same winner, pairs of readings), each (judges, judges); see
    `raw_agreement`.
    """
    # The same debate in another seat order is another thing to read: only then does a pair of readings
    # hold everything else fixed.
    unit = verdicts.debate * len(verdicts.orders) + verdicts.order
    judges = len(verdicts.judges)
    return raw_agreement(value_counts(unit, verdicts.judge, verdicts.winner, judges))


def judge_effects(verdicts: Verdicts) -> list[list[EffectRow]]:
    """Return the effects of `judge_bias.effects`, by judge, in the order of EFFECTS.

    They are fitted to all readings of debates between two contestants who both spoke.
    """
    there = (
        ~np.isnan(verdicts.winner)
        & ~verdicts.against_itself()[verdicts.debate]
        & (verdicts.words[verdicts.debate] > 0).all(axis=1)
    )
    debate = verdicts.debate[there]
    swapped = np.array([order == "swapped" for order in verdicts.orders])[verdicts.order[there]]
    own = np.zeros((len(verdicts.judges), len(verdicts.agents)), dtype=bool)
    families = verdicts.own_family()
    for side in (0, 1):
        own[:, verdicts.side[:, side]] |= families[:, :, side]
    proposition, opposition = verdicts.side[debate].T
    readings = Readings(
        proposition,
        opposition,
        verdicts.judge[there],
        verdicts.winner[there],
        np.where(swapped, -1.0, 1.0),
        np.log(verdicts.words[debate, 0] / verdicts.words[debate, 1]),
        own,
        verdicts.pair_cluster()[debate],
    )
    sizes = effects(readings)
    columns = np.stack((sizes.size, sizes.low, sizes.high), axis=-1).tolist()
    return [[EffectRow(*row) for row in rows] for rows in columns]


def agreement(verdicts: Verdicts, every: Votes) -> Agreement:
    """Return how far the judges agree with each other."""
    judges = len(verdicts.judges)
    # Votes stand in order of debate, judge, repeat: the first of each debate and judge is its first.
    _, first = np.unique(np.stack((every.debate, every.judge)), axis=1, return_index=True)
    by_judge = value_counts(every.debate[first], every.judge[first], every.winner[first], judges)
    counts = by_judge.sum(axis=1)
    same, pairs = reading_agreement(verdicts)
    raw = tuple(
        AgreementPair((verdicts.judges[a], verdicts.judges[b]), int(pairs[a, b]), float(same[a, b]))
        for a in range(judges)
        for b in range(a + 1, judges)
        if pairs[a, b]
    )
    limits = alpha_interval(counts.reshape(-1, len(VALUES)))
    return Agreement(Interval(float(krippendorff_alpha(counts)), *limits), raw)


def surer_side(verdicts: Verdicts, cast: Votes) -> MeanEstimate:
    """Return how often the surer side wins.

    Over debates between two contestants with a winner by majority and unequal last ratings.
    """
    winner = majority(cast, len(verdicts.episode))
    decided = (winner != 0.5) & ~np.isnan(winner) & ~verdicts.against_itself()
    won = surer_won(winner[decided], verdicts.confidence[decided])
    return clustered_share(won, verdicts.pair_cluster()[decided])


def verdict_counts(verdicts: Verdicts, chosen: NDArray[np.bool_]) -> VerdictCounts:
    """Return how many readings there are, and how many of them count towards who won."""
    relations = Counter(RELATIONS[number] for number in verdicts.related.tolist())
    missing = np.isnan(verdicts.winner)
    return VerdictCounts(
        len(verdicts.winner),
        int(missing.sum()),
        int((chosen & ~missing).sum()),
        relations["contestant"],
        relations["family"],
    )
