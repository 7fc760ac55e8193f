"""Say what the ratings of debates are, and where their variance comes from.

A stake is no confidence: who stakes s and meets o expects p o - (1 - p) s with a chance of winning
p, which is most at s = 0 for every p below 1.  Chances of winning and of losing that were asked for
apart add up to more or less than 1.  What was varied as a random factor is pooled in all other
findings, and has its part of the variance here (variance_parts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.debates import SIDES, Debates
from analysis.read.rating_kinds import KindCount, RatingKinds
from analysis.reports.plain_json import OPTIONAL, JsonField
from analysis.reports.rows import CLAIMS
from analysis.statistics.claims import Claims, mean_claims
from analysis.statistics.clustered import Array, Codes, MeanEstimate
from analysis.statistics.variance_parts import VariancePart, variance_parts

STAKE = "stake"
SUM = JsonField(only=("n", "clusters", "mean", "sd"), names={"clusters": "debates"})
# What both sides share of one pair on one motion, and of one play of it.
DEBATE = "the same debate"
REPEAT = "the same repeat"
# Chances are read to the percent: half of one is no difference.
SAME = 0.005


@dataclass(frozen=True, slots=True)
class ChancesRow:
    """Chances of winning and of losing in one phase, asked for apart, of those who stated both.

    `total` is their sum, in [0, 2]; it was above, at or below 100% so many times.
    """

    phase: str
    winning: float
    losing: float
    total: Annotated[MeanEstimate, SUM]
    claims: Annotated[Claims, CLAIMS]
    above: int
    exact: int
    below: int


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Where the variance of `what` comes from, of `n` values of `phase`; None for verdicts."""

    what: str
    phase: str | None
    n: int
    parts: tuple[VariancePart, ...]


@dataclass(frozen=True, slots=True)
class RatingFindings:
    """What the ratings are by arm, what was varied in them, and what follows from both.

    `word` is what a rating may be called: "confidence", "stake", or "rating" where several kinds
    stand together.  `varied` has how many values of each option were played.
    """

    word: str
    kinds: tuple[KindCount, ...]
    varied: dict[str, int]
    chances: Annotated[tuple[ChancesRow, ...] | None, OPTIONAL]
    variance: Annotated[tuple[VarianceSplit, ...] | None, OPTIONAL]


def rating_findings(debates: Debates, kinds: RatingKinds, *, split: bool) -> RatingFindings:
    """Return what is known of the ratings of a set of debates.

    The variance is split where an option was varied, or with `split`.
    """
    arms = set(debates.arm.tolist())
    counts = tuple(count for count in kinds.counts if count.arm in arms)
    chosen = set(debates.episode.tolist())
    varied = {
        option: len({value for episode, value in values.items() if episode in chosen})
        for option, values in kinds.varied.items()
    }
    varied = {option: count for option, count in varied.items() if count > 1}
    splits = variance_splits(debates, kinds) if split or varied else ()
    return RatingFindings(
        word_for({count.source for count in counts}),
        counts,
        varied,
        chances_rows(debates, kinds) or None,
        splits or None,
    )


def word_for(sources: set[str]) -> str:
    """Return what ratings of these sources may be called."""
    if sources == {STAKE}:
        return STAKE
    return "rating" if STAKE in sources else "confidence"


def chances_rows(debates: Debates, kinds: RatingKinds) -> tuple[ChancesRow, ...]:
    """Return the sums of both chances by phase; none where they were not asked for apart."""
    losing = np.full(debates.confidence.shape, nan)
    row = {episode: number for number, episode in enumerate(debates.episode.tolist())}
    place = {phase: number for number, phase in enumerate(debates.phases)}
    for episode, side, phase, value in kinds.losing:
        if episode in row and phase in place:
            losing[row[episode], side, place[phase]] = value
    rows = []
    model = debates.model_code
    for number, phase in enumerate(debates.phases):
        winning = debates.confidence[:, :, number]
        total = winning + losing[:, :, number]
        there = ~np.isnan(total)
        if not there.any():
            continue
        excess = total[there] - 1
        rows.append(
            ChancesRow(
                phase,
                float(winning[there].mean()),
                float(losing[:, :, number][there].mean()),
                *mean_claims(total, model),
                int((excess > SAME).sum()),
                int((np.abs(excess) <= SAME).sum()),
                int((excess < -SAME).sum()),
            )
        )
    return tuple(rows)


def variance_splits(debates: Debates, kinds: RatingKinds) -> tuple[VarianceSplit, ...]:
    """Split the variance of the last phase's ratings, and of verdicts if there are any."""
    if not debates.phases:
        return ()
    splits = [rating_split(debates, kinds)]
    verdicts = verdict_split(debates, kinds)
    return (*splits, verdicts) if verdicts else tuple(splits)


def codes_of(values: Sequence[object]) -> Codes:
    """Return a code for each value."""
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([known[value] for value in values], dtype=np.int64)


def combined(*codes: Codes) -> Codes:
    """Return a code for each combination of codes."""
    return codes_of(list(zip(*(code.tolist() for code in codes), strict=True)))


def rating_split(debates: Debates, kinds: RatingKinds) -> VarianceSplit:
    """Split the variance of ratings of the last phase."""
    values: Array = debates.confidence[:, :, -1]
    parts = rating_parts(values, debates, kinds)
    return VarianceSplit("ratings", debates.phases[-1], int((~np.isnan(values)).sum()), parts)


def rating_parts(values: Array, debates: Debates, kinds: RatingKinds) -> tuple[VariancePart, ...]:
    """Split the variance of numbers (G, 2), one of each side; sides and arms are held apart."""
    sides = len(SIDES)
    who = codes_of(debates.contestant.ravel().tolist())
    against = codes_of(debates.contestant[:, ::-1].ravel().tolist())
    motion = np.repeat(codes_of(debates.subject.tolist()), sides)
    episode = np.repeat(np.arange(len(debates.episode)), sides)
    arm = np.repeat(codes_of(debates.arm.tolist()), sides)
    varied = varied_codes(debates, kinds)
    options = {name: np.repeat(codes, sides) for name, codes in varied.items()}
    pair = np.repeat(codes_of(list(map(tuple, debates.contestant.tolist()))), sides)
    factors = {
        "model": who,
        "opponent": against,
        "motion": motion,
        **options,
        "model by motion": combined(who, motion),
        **{f"model by {name}": combined(who, codes) for name, codes in options.items()},
        DEBATE: combined(arm, pair, motion, *options.values()),
        REPEAT: episode,
    }
    fixed = combined(arm, np.tile(np.arange(sides), len(debates.episode)))
    return variance_parts(values.ravel(), factors, fixed, "one side in one debate")


def verdict_split(debates: Debates, kinds: RatingKinds) -> VarianceSplit | None:
    """Split the variance of single verdicts, 1 for the proposition and 0 for the opposition."""
    row = {episode: number for number, episode in enumerate(debates.episode.tolist())}
    readings = [reading for reading in kinds.readings if reading[0] in row]
    if not readings:
        return None
    debate = np.array([row[name] for name, *_ in readings], dtype=np.int64)
    judge, order, words = (codes_of([each[place] for each in readings]) for place in (1, 2, 3))
    pair, motion, arm = (
        codes_of(each)[debate]
        for each in (
            list(map(tuple, debates.contestant.tolist())),
            debates.subject.tolist(),
            debates.arm.tolist(),
        )
    )
    options = {name: codes[debate] for name, codes in varied_codes(debates, kinds).items()}
    factors = {
        "who debates whom": pair,
        "motion": motion,
        **options,
        "debate": debate,
        "judge": judge,
        **({"judge's wording": words} if len(set(words.tolist())) > 1 else {}),
        "judge by debate": combined(judge, debate),
    }
    values = np.array([result for *_, result in readings])
    parts = variance_parts(values, factors, combined(arm, order), "one reading of one judge")
    return VarianceSplit("verdicts", None, len(readings), parts)


def varied_codes(debates: Debates, kinds: RatingKinds) -> dict[str, Codes]:
    """Return the codes (G,) of each option that was varied, by its name."""
    episodes = debates.episode.tolist()
    found = {
        option: [values.get(episode) for episode in episodes]
        for option, values in kinds.varied.items()
    }
    return {option: codes_of(values) for option, values in found.items() if len(set(values)) > 1}
