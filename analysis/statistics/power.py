"""Estimate the power of a planned study by simulation, with the tests of the report.

Power is the share of simulated studies in which a test detects the effect (Arnold et al.,
Simulation methods to estimate design power, BMC Medical Research Methodology 11:94, 2011): draw
many studies with the variance of a pilot (designs.py), test each, count.  The tests are those of
claims.py, motions.py and equivalence.py, written for many studies at once.  Left out: power in
closed form, which whole percents, missing ratings and the wider of two intervals do not have.

Ratings are (N, S): both sides of each debate in turn, and simulated studies; in [0, 1], nan if
missing.  A study without an interval has detected nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.claims import (
    FEWEST_DEGREES,
    FEWEST_MODELS,
    MOST_OF_ALL,
    means_in_sums,
)
from analysis.statistics.clustered import NO_SPREAD, Array, Codes, Mask
from analysis.statistics.designs import Design, draw, layout
from analysis.statistics.equivalence import (
    FEW_DEVIATIONS,
    Question,
    debates_needed,
    exact_test,
)
from analysis.statistics.judge_bias import clustered_share
from analysis.statistics.shares import wilson

# What an interval draws anew besides debates.
SPEAKS_OF: dict[str, tuple[str, ...]] = {
    "these models": (),
    "models like these": ("model",),
    "models and motions like these": ("model", "motion"),
}
THESE, LIKE_THESE, MOTIONS = SPEAKS_OF
# Studies drawn at a time: so many fit into memory whatever the number of debates.
CHUNK = 100
# In a panel's votes, as the report splits them.
READING = "one reading of one judge"
JUDGE_SOURCES = ("who debates whom", "motion", "debate", "judge", "judge by debate", READING)


@dataclass(frozen=True, slots=True)
class Power:
    """The `share` of simulated studies in which the test was significant; nan without an interval.

    `ci_low` and `ci_high` are Wilson's 95% interval for the error of simulating only so many
    `studies`; `half_width` is the median of the half widths of the report's 95% interval.
    """

    speaks_of: str
    studies: int
    share: float = nan
    ci_low: float = nan
    ci_high: float = nan
    half_width: float = nan


@dataclass(frozen=True, slots=True)
class Errors:
    """The mean, its standard error and Student's degrees of freedom of S studies, each (S,)."""

    mean: Array
    se: Array
    degrees: Array


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of the simulated studies, and asked of them.

    Ratings are `middle` and `effect` and deviations of standard deviations `sds` by source, a share
    `missing` of them missing; with `printed` they are cut to 0 to 100 and rounded to whole percents
    as ratings are.  The mean is tested against `middle`, or within a `margin` of it.
    """

    middle: float
    effect: float
    sds: Mapping[str, float]
    missing: float = 0.0
    printed: bool = True
    margin: float | None = None
    level: float = 0.05


def power(design: Design, truth: Truth, speaks_of: str, *, studies: int, seed: int = 0) -> Power:
    """Estimate the power of studies of ratings; one seed gives one result.

    Studies are nested: those of fewer debates are beginnings of larger ones.
    """
    codes = layout(design)
    if not can_speak(design, speaks_of):
        return Power(speaks_of, 0)
    found: list[Mask] = []
    widths: list[Array] = []
    for number, start in enumerate(range(0, studies, CHUNK)):
        rng = np.random.default_rng((seed, number))
        ratings = draw_ratings(codes, truth, SPEAKS_OF[speaks_of], rng)[:, : studies - start]
        detected, half = detect(ratings, codes, truth, speaks_of)
        found.append(detected)
        widths.append(half)
    return counted(speaks_of, np.concatenate(found), np.concatenate(widths))


def can_speak(design: Design, speaks_of: str) -> bool:
    """Tell whether the report has such an interval of so many models and motions."""
    fewest = {"model": design.models, "motion": design.motions}
    return all(fewest[part] >= FEWEST_MODELS for part in SPEAKS_OF[speaks_of])


def counted(speaks_of: str, found: Mask, half: Array) -> Power:
    """Return the power of studies of which `found` (S,) says whether they detected the effect."""
    there = half[~np.isnan(half)]
    detected = int(found.sum())
    width = float(np.median(there)) if there.size else nan
    limits = wilson(detected, found.size)
    return Power(speaks_of, found.size, detected / found.size, *limits, width)


def draw_ratings(
    codes: Mapping[str, Codes], truth: Truth, parts: Collection[str], rng: np.random.Generator
) -> Array:
    """Return the ratings (N, CHUNK) of simulated studies."""
    chance, lost = rng.spawn(2)
    ratings = truth.middle + truth.effect + draw(codes, truth.sds, parts, CHUNK, chance)
    if truth.printed:
        ratings = np.floor(100 * np.clip(ratings, 0, 1) + 0.5) / 100
    if truth.missing:
        ratings[lost.random(ratings.shape) < truth.missing] = nan
    return ratings


def detect(
    ratings: Array, codes: Mapping[str, Codes], truth: Truth, speaks_of: str
) -> tuple[Mask, Array]:
    """Return (whether the effect is significant, half the width of the 95% interval), both (S,)."""
    from scipy.special import stdtrit

    errors = errors_of(ratings, codes, speaks_of)
    # Without spread there is no interval, and nothing is detected.
    se = np.where(errors.se > NO_SPREAD, errors.se, nan)
    off = errors.mean - truth.middle
    if truth.margin is None:
        detected = np.abs(off) > stdtrit(errors.degrees, 1 - truth.level / 2) * se
    else:
        asked = Question(truth.middle, truth.margin, truth.level)
        detected = np.abs(off) + stdtrit(errors.degrees, 1 - truth.level) * se < truth.margin
        detected &= passes_exactly(ratings, detected, asked)
    return detected, stdtrit(errors.degrees, 0.975) * se


def passes_exactly(ratings: Array, which: Mask, asked: Question) -> Mask:
    """Return (S,) whether debates are enough for equivalence, by the exact bounds too.

    Only looked at in the studies `which` (S,) are equivalent by Student's t.
    """
    passes = which.copy()
    debates, needed = len(ratings) // 2, debates_needed(asked)
    suspects = which.copy()
    if debates > FEW_DEVIATIONS and not np.isnan(ratings).any():
        # The exact bounds count where few debates differ from the most frequent mean: in order,
        # that one stands at two places so far apart.
        means = np.sort(np.round(both_sides(ratings) / 2, 12), axis=0)
        most = debates - FEW_DEVIATIONS
        suspects &= (means[:-most] == means[most:]).any(axis=0) | (debates < needed)
    for number in np.flatnonzero(suspects).tolist():
        rated = ratings[:, number].reshape(-1, 2)
        rated = np.nanmean(rated[~np.isnan(rated).all(axis=1)], axis=1)
        passes[number] = (
            rated.size >= needed and np.nan_to_num(exact_test(rated, asked)[2]) < asked.alpha
        )
    return passes


def errors_of(ratings: Array, codes: Mapping[str, Codes], speaks_of: str) -> Errors:
    """Return the errors of means by which the report speaks of these models, or of others."""
    there = ~np.isnan(ratings)
    n = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, ratings, 0.0).sum(axis=0) / n
    influence = np.where(there, ratings - mean, 0.0) / n
    weight = there / n
    these = these_errors(mean, influence, there, codes["model"])
    if int(codes["model"].max()) + 1 < FEWEST_MODELS:
        return these
    like = like_errors(mean, influence, weight, codes["model"])
    few = (these.degrees < np.minimum(FEWEST_DEGREES, like.degrees)) & (like.se > 0)
    these = choose(few, like, these)
    if speaks_of == THESE:
        return these
    like = wider(like, these)
    if speaks_of == LIKE_THESE:
        return like
    return wider(motion_errors(mean, influence, weight, codes), like)


def these_errors(mean: Array, influence: Array, there: Mask, model: Codes) -> Errors:
    """Return the errors with models held fixed and debates drawn anew."""
    own = sums(influence, model) / np.maximum(sums(there, model), 1)
    rest = both_sides(np.where(there, influence - own[model], 0.0))
    debates = (both_sides(there) > 0).sum(axis=0)
    # As many degrees are lost as of the whole table, also where ratings are missing.
    pairs = model.reshape(-1, 2)
    models = int(model.max()) + 1
    degrees = debates - means_in_sums(pairs, models, np.ones(pairs.shape, dtype=bool))
    factor = np.where(degrees > 0, debates / np.maximum(degrees, 1), nan)
    return Errors(mean, np.sqrt(factor * np.square(rest).sum(axis=0)), degrees.astype(np.float64))


def like_errors(mean: Array, influence: Array, weight: Array, model: Codes) -> Errors:
    """Return the errors with debates and models drawn anew: two-way clusters."""
    held = sums(weight, model)
    of_models = jackknife(sums(influence, model), held)
    of_debates = jackknife(both_sides(influence), both_sides(weight))
    pairs = model.reshape(-1, 2)
    # Sides of one model are one cell, which is the debate.
    alone = bool((pairs[:, 0] == pairs[:, 1]).all())
    variance = of_models + of_debates - (of_debates if alone else jackknife(influence, weight))
    variance = np.where(variance > 0, variance, np.maximum(of_debates, of_models))
    variance[held.max(axis=0) > MOST_OF_ALL] = nan
    debates = (both_sides(weight) > 0).sum(axis=0)
    degrees = np.minimum((held > 0).sum(axis=0), debates) - 1.0
    return Errors(mean, np.sqrt(variance), degrees)


def motion_errors(
    mean: Array, influence: Array, weight: Array, codes: Mapping[str, Codes]
) -> Errors:
    """Return the errors with debates, models and motions drawn anew."""
    of_models, of_motions, of_cells = (
        jackknife(sums(influence, codes[source]), sums(weight, codes[source]))
        for source in ("model", "motion", "model by motion")
    )
    variance = of_models + of_motions - of_cells
    variance = np.where(variance > 0, variance, np.maximum(of_models, of_motions))
    fewest = min(int(codes[source].max()) + 1 for source in ("model", "motion"))
    return Errors(mean, np.sqrt(variance), np.full(mean.shape, fewest - 1.0))


def wider(errors: Errors, others: Errors) -> Errors:
    """Return for each study the errors that give the wider 95% interval."""
    from scipy.special import stdtrit

    half, other = (stdtrit(each.degrees, 0.975) * each.se for each in (errors, others))
    return choose(other > half, others, errors)


def choose(which: Mask, chosen: Errors, others: Errors) -> Errors:
    """Return the chosen errors for the studies in a mask (S,), the other ones elsewhere."""
    se = np.where(which, chosen.se, others.se)
    return Errors(others.mean, se, np.where(which, chosen.degrees, others.degrees))


def jackknife(influence: Array, weight: Array) -> Array:
    """Return (S,) the variance over clusters (C, S), of which one at a time is left out."""
    clusters = (weight > 0).sum(axis=0)
    # A cluster that has nearly everything cannot be left out; its study has no such interval.
    left = np.maximum(1 - weight, 1 - MOST_OF_ALL)
    moved = np.square(influence / left).sum(axis=0)
    result: Array = (clusters - 1) / np.maximum(clusters, 1) * moved
    return result


def sums(values: Array | Mask, code: Codes) -> Array:
    """Return (levels, S) the sums of the values (N, S) of each level."""
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    result: Array = np.add.reduceat(values[order].astype(np.float64), starts, axis=0)
    return result


def both_sides(values: Array | Mask) -> Array:
    """Return (debates, S) the sums of both sides' values (N, S)."""
    result: Array = values[::2].astype(np.float64) + values[1::2]
    return result


def majority_power(
    design: Design,
    shares: Mapping[str, float],
    lead: float,
    *,
    studies: int,
    level: float = 0.05,
    seed: int = 0,
) -> Power:
    """Estimate the power to see that the surer side wins by the majority of a panel.

    A single reading of a judge is for that side with probability 0.5 + `lead`; `shares` are those
    of sources in the variance of single readings.  The test is that of the report: pairs on a
    motion are clusters.
    """
    codes = {source: code[::2] for source, code in layout(design).items()}
    model, other = codes["model"], codes["opponent"]
    low, high = np.minimum(model, other), np.maximum(model, other)
    cluster = (codes["motion"] * design.models + low) * design.models + high
    rows = {
        "who debates whom": model * design.models + other,
        "motion": codes["motion"],
        "debate": np.arange(design.debates),
    }
    estimates = []
    for number, start in enumerate(range(0, studies, CHUNK)):
        rng = np.random.default_rng((seed, number))
        won = draw_majorities(rows, design.judges, shares, lead, rng)[:, : studies - start]
        estimates += [clustered_share(each, cluster) for each in won.T]
    found = np.array([estimate.p < level for estimate in estimates])
    half = np.array([(estimate.ci_high - estimate.ci_low) / 2 for estimate in estimates])
    return counted(THESE, found, half)


def draw_majorities(
    rows: Mapping[str, Codes],
    judges: int,
    shares: Mapping[str, float],
    lead: float,
    rng: np.random.Generator,
) -> Array:
    """Return (debates, CHUNK) 1 where the surer side wins, 0 where it loses, nan for a tie.

    Each judge reads each debate in both orders, and abstains where the readings differ.  A reading
    is the sign of a normal sum, for the proposition if it is above 0; correlations of sums are
    sin(pi / 2 * share) where those of readings are shares (Sheppard, 1899: exact without a lead).
    """
    from scipy.special import ndtri

    told = sum(share for source, share in shares.items() if source != READING)
    scale = float(np.sin(np.pi / 2 * min(told, 1.0))) / told if told else 0.0
    streams = dict(zip((*JUDGE_SOURCES, "side"), rng.spawn(len(JUDGE_SOURCES) + 1), strict=True))
    debates = rows["debate"].size

    def effect(source: str, *shape: int) -> Array:
        """Draw the effects of the levels of a source."""
        share = scale * shares.get(source, 0.0) if source != READING else 1 - scale * told
        drawn: Array = np.sqrt(share) * streams[source].standard_normal(shape)
        return drawn

    # The surer side may sit in either seat: what favours a seat favours no side.
    side = np.where(streams["side"].random((debates, CHUNK)) < 0.5, 1.0, -1.0)
    of_debate = side * ndtri(0.5 + lead)
    for source, code in rows.items():
        of_debate += effect(source, int(code.max()) + 1, CHUNK)[code]
    votes = np.zeros(side.shape)
    for judge in effect("judge", judges, CHUNK):
        read = of_debate + judge + effect("judge by debate", debates, CHUNK)
        first, second = (read + effect(READING, debates, CHUNK) > 0 for _ in range(2))
        votes += first.astype(np.float64) + second - 1
    won: Array = np.where(votes == 0, nan, (np.sign(votes) * side + 1) / 2)
    return won


def find_smallest(
    measure: Callable[[int], Power],
    target: float,
    *,
    least: int,
    most: int,
    measured: Iterable[tuple[int, Power]] = (),
) -> tuple[int, Power] | None:
    """Return the smallest number, `least` to `most`, whose power reaches the target, and the power.

    None if none does.  `measured` are results that the caller has already; `measure` is called for
    others.
    """
    # Bisection takes it that power does not fall with larger numbers; with nested studies that
    # holds but for a few studies in a thousand.
    reached: tuple[int, Power] | None = None
    low = least - 1
    for number, found in sorted(measured, key=lambda pair: pair[0]):
        if number > most or reached is not None:
            break
        if found.share >= target:
            reached = number, found
        else:
            low = max(low, number)
    while low < (most if reached is None else reached[0] - 1):
        # Double until the target is reached, then halve the gap.
        number = min(max(2 * low, least), most) if reached is None else (low + reached[0]) // 2
        found = measure(number)
        if found.share >= target:
            reached = number, found
        else:
            low = number
    return reached
