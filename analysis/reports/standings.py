"""`arena rank`: who won a tournament, how certain that is, and what the judges are worth.

Contestants with Bradley-Terry strengths and intervals, Elo and win rates by two ways of counting; judges with their flips, agreement with
themselves and each other, and biases; and what is missing.  Judges of debates in which they, or their family, sat are left out of all
that decides who won, unless they are asked for, and kept in what describes judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any, Literal

import numpy as np

from analysis.read.verdicts import RELATIONS, Verdicts, judged_studies, read_verdicts
from analysis.reports.debates import json_value
from analysis.reports.tables.standings import print_standings
from analysis.statistics.aggregation import Votes, confidence_sum, majority, unanimous, votes
from analysis.statistics.agreement import (
    VALUES,
    alpha_interval,
    krippendorff_alpha,
    raw_agreement,
    value_counts,
)
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

__all__ = ["print_judged", "print_standings", "standings"]

Json = dict[str, Any]
Related = Literal["exclude", "include"]
ELO_SHUFFLES = 20
RULES = {
    "vote": "What a judge says of a debate in all the seat orders that it read: a winner, or an abstention where it abstained or the winner"
    " changed with the order. Where one of its readings is missing, so is the vote.",
    "related": "Judges that are the same model as a contestant, or of its family by name, are left out of strengths and wins"
    " (--include-related keeps them).",
    "strength": "Bradley-Terry in logits with mean 0, over votes, an abstention half a win for both, the advantage of the proposition held"
    " fixed. A contestant wins against one d below it with the chance 1 / (1 + exp(-d)), as this jury sees it: judges that favour a side or"
    " an order draw the strengths together.",
    "interval": "95%. Strengths: 1,000 resamples of clusters, a cluster being the debates of one pair on one motion. Shares and effects:"
    " Student's t over the same clusters. Alpha: 2,000 resamples of debates.",
    "wins": "Share of debates won by the majority of votes, and by the larger sum of the judges' confidences; a tie is half a win.",
    "elo": f"From 1000 with K = 32, the mean of {ELO_SHUFFLES} shuffles of the debates; a reference that hangs on their order.",
    "flips": "Of the debates that a judge decided in both seat orders, how many it decided differently.",
    "retest": "Of pairs of readings of one debate by one judge in one seat order, how many name the same winner; agreement: by two judges.",
    "alpha": "Krippendorff's, nominal, over the first vote of each judge: 1 is perfect, 0 is chance.",
    "shares": "Of the winners that a judge names, the share that is the proposition, and the share that spoke more words.",
    "effects": "Logits by which a judge favours the proposition (side), who is read first, the longer side (per unit of log of the ratio of"
    " words) and its family, with strengths held fixed; fitted to all readings together.",
    "own_family": "DBG score: what a judge's votes give its own family minus what the votes of judges of neither family give it, in points.",
    "surer": "Share of decided debates won by the side whose last rating was higher.",
}


def standings(
    path: Path, study: str, *, jury: str | None = None, related: Related = "exclude", seed: int = 0
) -> Json:
    """Everything above as one JSON-ready object; shares and confidences in [0, 1], undefined is None.

    `jury` names the judging study where only its verdicts count.  Raises StudyError where there are no verdicts, naming the studies that
    have some, and StoreError where the store cannot be read.
    """
    found = read_verdicts(path, study, jury)
    chosen = np.ones(len(found.debate), dtype=bool) if related == "include" else found.related == 0
    cast = votes(
        *(
            column[chosen]
            for column in (
                found.debate,
                found.judge,
                found.repeat,
                found.winner,
                found.judge_confidence,
            )
        )
    )
    every = votes(found.debate, found.judge, found.repeat, found.winner, found.judge_confidence)
    ranking = rank(*comparisons(found, cast), len(found.agents), seed=seed)
    result = json_value(
        {
            "study": study,
            "juries": [{"jury": name, "verdicts": count} for name, count in found.juries],
            "simulated": found.simulated,
            "debates": len(found.episode),
            "contestants": contestant_rows(found, cast, ranking, seed),
            "seat": seat_row(ranking),
            "pairs": pair_rows(found, cast),
            "outcomes": outcome_row(found, cast),
            "judges": judge_rows(found, every),
            "agreement": agreement_rows(found, every),
            "surer_side": surer_row(found, cast),
            "verdicts": verdict_counts(found, chosen),
            "missing": [
                {"reason": reason, "n": n} for reason, n in missing_counts(found).most_common()
            ],
            "related": related,
            "rules": RULES,
        }
    )
    assert isinstance(result, dict)
    return result


def print_judged(path: Path, juries: Collection[str]) -> list[str]:
    """Print the standings of every study that one of these judging studies has judged, by its verdicts; returns the names of those studies."""
    judged = [
        (study, jury) for study, by in judged_studies(path).items() for jury in by if jury in juries
    ]
    for study, jury in judged:
        print()
        print_standings(standings(path, study, jury=jury), rules=False)
    return [study for study, _ in judged]


def comparisons(found: Verdicts, cast: Votes) -> tuple[Any, Any, Any, Any]:
    """(first, second, score, cluster) of the votes on debates between two contestants."""
    there = ~np.isnan(cast.winner) & ~found.against_itself()[cast.debate]
    debate = cast.debate[there]
    return (
        found.side[debate, 0],
        found.side[debate, 1],
        cast.winner[there],
        found.pair_cluster()[debate],
    )


def contestant_rows(found: Verdicts, cast: Votes, ranking: Ranking, seed: int) -> list[Json]:
    """One row for each contestant, the strongest first, those without a vote last."""
    agents = len(found.agents)
    by_majority, by_sum = (
        majority(cast, len(found.episode)),
        confidence_sum(cast, len(found.episode)),
    )
    decided = ~np.isnan(by_majority) & ~found.against_itself()
    rating = elo(
        *found.side[decided].T, by_majority[decided], agents, shuffles=ELO_SHUFFLES, seed=seed
    )
    rows: list[Json] = []
    for number, name in enumerate(found.agents):
        own = {
            "strength": ranking.strength[number],
            "ci_low": ranking.low[number],
            "ci_high": ranking.high[number],
        }
        wins, debates = win_rate(found, by_majority, number)
        wins_by_sum, _ = win_rate(found, by_sum, number)
        rates = {
            "votes": int(ranking.games[number]),
            "debates": debates,
            "win_rate": wins,
            "win_rate_by_sum": wins_by_sum,
        }
        rows.append(
            {
                "agent": name,
                **{key: float(value) for key, value in own.items()},
                "elo": float(rating[number]),
                **rates,
            }
        )
    return sorted(rows, key=lambda row: (isnan(row["strength"]), -row["strength"], row["agent"]))


def win_rate(found: Verdicts, winner: Array, agent: int) -> tuple[float, int]:
    """(share of decided debates against others that a contestant won, how many there are)."""
    other = ~found.against_itself() & ~np.isnan(winner)
    won = np.concatenate(
        (
            winner[other & (found.side[:, 0] == agent)],
            1 - winner[other & (found.side[:, 1] == agent)],
        )
    )
    return (float(won.mean()) if won.size else float("nan")), won.size


def seat_row(ranking: Ranking) -> Json:
    """The advantage of the proposition in logits, whoever sits there."""
    return {
        "proposition": ranking.first,
        "ci_low": ranking.first_low,
        "ci_high": ranking.first_high,
        "clusters": ranking.clusters,
    }


def pair_rows(found: Verdicts, cast: Votes) -> list[Json]:
    """The win matrix as rows: what each contestant won of its votes against each other."""
    won, games = win_matrix(*comparisons(found, cast)[:3], len(found.agents))
    return [
        {
            "agent": found.agents[a],
            "against": found.agents[b],
            "votes": int(games[a, b]),
            "won": float(won[a, b]),
        }
        for a, b in np.argwhere(games > 0).tolist()
    ]


def outcome_row(found: Verdicts, cast: Votes) -> Json:
    """Debates by winner, counted both ways, and how many were unanimous."""
    size = len(found.episode)

    def count(winner: Array) -> Json:
        """Debates by winner."""
        return {
            name: int((winner == value).sum())
            for name, value in (("proposition", 1.0), ("opposition", 0.0), ("tie", 0.5))
        }

    by_majority = majority(cast, size)
    ways = {"majority": count(by_majority), "confidence_sum": count(confidence_sum(cast, size))}
    return {
        "judged": int((~np.isnan(by_majority)).sum()),
        **ways,
        "unanimous": int(unanimous(cast, size).sum()),
    }


def judge_rows(found: Verdicts, every: Votes) -> list[Json]:
    """One row for each judge: readings, what is missing, flips, retest, shares, effects, and what it gives its own family."""
    own = found.own_family()
    preference = self_preference(every.winner, every.debate, every.judge, own, found.pair_cluster())
    sizes = judge_effects(found)
    # The same debate in another order is another thing to read: only then does a retest hold everything else fixed.
    retest, pairs = raw_agreement(
        value_counts(
            found.debate * len(found.orders) + found.order,
            found.judge,
            found.winner,
            len(found.judges),
        )
    )
    rows: list[Json] = []
    for number, name in enumerate(found.judges):
        mine = (found.judge == number) & ~np.isnan(found.winner)
        winner, debate, cluster = (
            found.winner[mine],
            found.debate[mine],
            found.pair_cluster()[found.debate[mine]],
        )
        decided = winner != 0.5
        side = clustered_share(winner[decided], cluster[decided])
        longer = clustered_share(
            longer_won(winner[decided], found.words[debate[decided]]), cluster[decided]
        )
        rows.append(
            {
                "judge": name,
                "model": found.judge_models[number],
                "readings": int((found.judge == number).sum()),
                "missing": int(((found.judge == number) & np.isnan(found.winner)).sum()),
                "abstained": int((winner == 0.5).sum()),
                **flip_row(found, number),
                "retest": float(retest[number, number]),
                "retest_pairs": int(pairs[number, number]),
                "proposition": estimate_row(side),
                "longer": estimate_row(longer),
                "effects": {
                    effect: {key: float(value[number, k]) for key, value in sizes.items()}
                    for k, effect in enumerate(EFFECTS)
                },
                "own_family": estimate_row(preference[number]),
            }
        )
    return rows


def estimate_row(estimate: MeanEstimate) -> Json:
    """What of an estimate is reported."""
    kept = ("n", "mean", "ci_low", "ci_high", "p")
    return {key: value for key, value in asdict(estimate).items() if key in kept}


def flip_row(found: Verdicts, judge: int) -> Json:
    """Of a judge's debates that it decided in both orders, by repeat: how many, how many differently, and the share."""
    mine = (found.judge == judge) & ~np.isnan(found.winner) & (found.winner != 0.5)
    _, row, size = np.unique(
        np.stack((found.debate[mine], found.repeat[mine])),
        axis=1,
        return_inverse=True,
        return_counts=True,
    )
    named = np.bincount(row.ravel(), found.winner[mine], len(size))
    both = size > 1
    flips = int((both & (named > 0) & (named < size)).sum())
    return {
        "both_orders": int(both.sum()),
        "flips": flips,
        "flip_rate": flips / int(both.sum()) if both.any() else float("nan"),
    }


def judge_effects(found: Verdicts) -> dict[str, Array]:
    """The effects of `analysis.bias.effects` over all readings of debates between two contestants; {size, ci_low, ci_high} (judges, 4)."""
    there = (
        ~np.isnan(found.winner)
        & ~found.against_itself()[found.debate]
        & (found.words[found.debate] > 0).all(axis=1)
    )
    debate, judge = found.debate[there], found.judge[there]
    swapped = np.array([order == "swapped" for order in found.orders])[found.order[there]]
    own = np.zeros((len(found.judges), len(found.agents)), dtype=bool)
    families = found.own_family()
    for side in (0, 1):
        own[:, found.side[:, side]] |= families[:, :, side]
    log_length = np.log(found.words[debate, 0] / found.words[debate, 1])
    first_read = np.where(swapped, -1.0, 1.0)
    readings = Readings(
        *found.side[debate].T,
        judge,
        found.winner[there],
        first_read,
        log_length,
        own,
        found.pair_cluster()[debate],
    )
    sizes = effects(readings)
    return {"size": sizes.size, "ci_low": sizes.low, "ci_high": sizes.high}


def agreement_rows(found: Verdicts, every: Votes) -> Json:
    """Krippendorff's alpha over the judges' first votes, and raw agreement of each two judges."""
    unit = found.debate * len(found.orders) + found.order
    same, pairs = raw_agreement(value_counts(unit, found.judge, found.winner, len(found.judges)))
    # Votes stand in order of debate, judge, repeat: the first of each debate and judge is its first.
    _, first = np.unique(np.stack((every.debate, every.judge)), axis=1, return_index=True)
    counted = value_counts(
        every.debate[first], every.judge[first], every.winner[first], len(found.judges)
    ).sum(axis=1)
    low, high = alpha_interval(counted.reshape(-1, len(VALUES)))
    between = [
        (a, b)
        for a in range(len(found.judges))
        for b in range(a + 1, len(found.judges))
        if pairs[a, b]
    ]
    rows = [
        {
            "judges": [found.judges[a], found.judges[b]],
            "pairs": int(pairs[a, b]),
            "same": float(same[a, b]),
        }
        for a, b in between
    ]
    return {
        "alpha": float(krippendorff_alpha(counted)),
        "ci_low": low,
        "ci_high": high,
        "raw": rows,
    }


def surer_row(found: Verdicts, cast: Votes) -> Json:
    """How often the surer side wins, over debates between two contestants with a winner by majority and unequal last ratings."""
    winner = majority(cast, len(found.episode))
    decided = (winner != 0.5) & ~np.isnan(winner) & ~found.against_itself()
    return estimate_row(
        clustered_share(
            surer_won(winner[decided], found.confidence[decided]), found.pair_cluster()[decided]
        )
    )


def verdict_counts(found: Verdicts, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Json:
    """How many readings there are, and how many count towards who won."""
    relations = Counter(RELATIONS[number] for number in found.related.tolist())
    missing = np.isnan(found.winner)
    return {
        "all": len(found.winner),
        "missing": int(missing.sum()),
        "counted": int((chosen & ~missing).sum()),
        "judge_is_contestant": relations["contestant"],
        "judge_of_family": relations["family"],
    }


def missing_counts(found: Verdicts) -> Counter[str]:
    """How often each reason for a missing winner stands."""
    return Counter(str(status) for status in found.status[np.isnan(found.winner)].tolist())
