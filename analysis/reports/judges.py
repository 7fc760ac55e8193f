"""Report how the judges of a study decided: flips, agreement and biases.

All readings and votes of a judge count here, also those that do not decide who won.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.verdicts import Verdicts
from analysis.reports.plain_json import JsonField
from analysis.statistics import agreement, judge_bias
from analysis.statistics.aggregation import Votes
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, MeanEstimate

SHARE = JsonField(only=("n", "mean", "ci_low", "ci_high", "p"))


@dataclass(frozen=True, slots=True)
class EffectRow:
    """Logits by which a judge favours something; nan if the readings do not tell."""

    size: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """A judge: its readings, flips and retest, and its biases.

    `both_orders` counts votes in which it named a side in both seat orders, `flips` those in which
    the sides differ.  `effects` by the names of EFFECTS; `own_family` is against the panel's
    share of votes, `own_family_dbg`, the DBG score, against its majority.
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
    own_family_dbg: Annotated[MeanEstimate, SHARE]


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


def judge_rows(verdicts: Verdicts, every: Votes) -> tuple[JudgeRow, ...]:
    """Return one row for each judge, over all its readings and votes."""
    own = verdicts.own_family()
    cluster = verdicts.pair_cluster()
    votes = every.winner, every.debate, every.judge, own, cluster
    preference = judge_bias.self_preference(*votes)
    by_majority = judge_bias.self_preference(*votes, by_majority=True)
    sizes = judge_effects(verdicts)
    retest, retest_pairs = reading_agreement(verdicts)
    rows = []
    for number, name in enumerate(verdicts.judges):
        mine = verdicts.judge == number
        named = mine & ~np.isnan(verdicts.winner)
        # An abstention names no side, and can neither flip nor favour one.
        decided = named & (verdicts.winner != 0.5)
        # Shares are of verdicts that name a side.
        winner = verdicts.winner[decided]
        debate = verdicts.debate[decided]
        cast = every.select(every.judge == number)
        both_orders = int(cast.both_orders.sum())
        flips = int(cast.flipped.sum())
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
                judge_bias.clustered_share(winner, cluster[debate]),
                judge_bias.clustered_share(
                    judge_bias.won_by_more(winner, verdicts.words[debate]), cluster[debate]
                ),
                dict(zip(judge_bias.EFFECTS, sizes[number], strict=True)),
                preference[number],
                by_majority[number],
            )
        )
    return tuple(rows)


def reading_agreement(verdicts: Verdicts) -> tuple[Array, Array]:
    """Return (share of pairs with the same winner, pairs of readings), each (judges, judges).

    The diagonal is a judge's agreement with itself: its retest.
    """
    # A debate in another seat order is another text: only readings of one text hold all else
    # fixed, so that a difference is the judge's.
    unit = verdicts.debate * len(verdicts.orders) + verdicts.order
    judges = len(verdicts.judges)
    return agreement.raw_agreement(
        agreement.value_counts(unit, verdicts.judge, verdicts.winner, judges)
    )


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
    # In swapped order the opposition is read first.
    swapped = np.array([order == "swapped" for order in verdicts.orders])[verdicts.order[there]]
    # A judge has one effect for its family, whichever contestant of it sits in the debate.
    own = np.zeros((len(verdicts.judges), len(verdicts.agents)), dtype=bool)
    families = verdicts.own_family()
    for side in (0, 1):
        own[:, verdicts.side[:, side]] |= families[:, :, side]
    proposition, opposition = verdicts.side[debate].T
    readings = judge_bias.Readings(
        proposition,
        opposition,
        verdicts.judge[there],
        verdicts.winner[there],
        np.where(swapped, -1.0, 1.0),
        np.log(verdicts.words[debate, 0] / verdicts.words[debate, 1]),
        own,
        verdicts.pair_cluster()[debate],
    )
    # One fit for all judges: strengths are held fixed by all of their readings together.
    sizes = judge_bias.effects(readings)
    columns = np.stack((sizes.size, sizes.low, sizes.high), axis=-1).tolist()
    return [[EffectRow(*row) for row in rows] for rows in columns]


def judge_agreement(verdicts: Verdicts, every: Votes) -> Agreement:
    """Return how far the judges agree with each other."""
    judges = len(verdicts.judges)
    # Votes stand by debate, judge and repeat, and `unique` finds the first of each: one vote a
    # judge, however often it was asked.
    _, first = np.unique(np.stack((every.debate, every.judge)), axis=1, return_index=True)
    by_judge = agreement.value_counts(
        every.debate[first], every.judge[first], every.winner[first], judges
    )
    counts = by_judge.sum(axis=1)
    same, pairs = reading_agreement(verdicts)
    # Pairs of judges that never read the same text have no row.
    raw = tuple(
        AgreementPair((verdicts.judges[a], verdicts.judges[b]), int(pairs[a, b]), float(same[a, b]))
        for a in range(judges)
        for b in range(a + 1, judges)
        if pairs[a, b]
    )
    limits = agreement.alpha_interval(counts.reshape(-1, len(agreement.VALUES)))
    return Agreement(Interval(float(agreement.krippendorff_alpha(counts)), *limits), raw)
