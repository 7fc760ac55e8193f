"""Lay out the debates of a planned study, and say how far each source of variance moves its mean.

Cells are played one after the other, in an order in which every beginning is balanced: each model
sits once in each seat before anybody sits again, and each goes through the motions, so that
a study of fewer debates is the beginning of a larger one.  Sources of variance have the names by
which the report splits it (variance_parts.py).

An interval draws some of the sources anew, and holds others as they are: of models like these,
those in which models or debates take part.  With c the sum of squared shares that the levels of a
source have in the ratings, the mean has the variance

    V = sum over sources drawn anew of c * sd^2

Left out: sources whose levels depend on each other, such as an opponent that is like its model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.variance_parts import VariancePart, ranked

# What levels of a source are made of.  Debates and their repeats are drawn anew by every interval.
SOURCES: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "opponent": ("model",),
    "motion": ("motion",),
    "wording": ("wording",),
    "model by motion": ("model", "motion"),
    "model by wording": ("model", "wording"),
    "the same debate": ("debate",),
    "the same repeat": ("debate",),
    "one side in one debate": ("debate",),
}


@dataclass(frozen=True, slots=True)
class Design:
    """How many there are of everything; `alone` says that each model debates itself.

    Otherwise every model meets every other, in both seats.  `repeats` are plays of one pair on one
    motion in a row; each judge of `judges` reads each debate in both orders.
    """

    debates: int
    models: int
    motions: int
    wordings: int = 1
    repeats: int = 1
    judges: int = 0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Component:
    """One source of variance: its standard deviation, where it is from, and how sure it is.

    `low` and `high` are its 80% range, equal to `sd` where it was given.
    """

    source: str
    sd: float
    low: float
    high: float
    origin: str


@lru_cache(maxsize=64)
def layout(design: Design) -> dict[str, Codes]:
    """Return the level of each source for each rating (2 * debates,): of both sides in turn."""
    models, motions = design.models, design.motions
    episode = np.arange(design.debates)
    pairs = models if design.alone else models * (models - 1)
    cell = episode // design.repeats
    # A block has each model once in each seat; the next block has other opponents.
    pair = cell % pairs
    block, first = pair // models, pair % models
    second = first if design.alone else (first + 1 + block) % models
    cells = np.column_stack((first, second))[:: design.repeats]
    motion = np.repeat(spread_motions(cells, motions), design.repeats)[: design.debates]
    # Each wording once, then each again, by a chance that is always the same.
    again = -(-design.debates // design.wordings)
    in_turn = np.tile(np.arange(design.wordings), (again, 1))
    wording = np.random.default_rng(0).permuted(in_turn, axis=1).ravel()[: design.debates]
    model = np.column_stack((first, second)).ravel()
    topic, words, play, who = (np.repeat(each, 2) for each in (motion, wording, episode, pair))
    codes = {
        "model": model,
        "opponent": model.reshape(-1, 2)[:, ::-1].ravel(),
        "motion": topic,
        "wording": words,
        "model by motion": model * motions + topic,
        "model by wording": model * design.wordings + words,
        "the same debate": (who * motions + topic) * design.wordings + words,
        "the same repeat": play,
        "one side in one debate": np.arange(2 * design.debates),
    }
    # By first appearance: a smaller study has the first of a larger one's levels.
    return {source: ranked(code) for source, code in codes.items()}


def spread_motions(pairs: Codes, motions: int) -> Codes:
    """Return the motion of each debate of `pairs` (G, 2): what both have debated least so far.

    No pair debates a motion again before all of them, and motions are debated equally often.
    """
    models = int(pairs.max()) + 1
    met = np.zeros((models, motions))
    played = np.zeros((models, models, motions))
    total = np.zeros(motions)
    found = []
    for first, second in pairs.tolist():
        often = met[first] + met[second] + len(pairs) * played[first, second]
        motion = int((often + total / models).argmin())
        for count in (met[first], met[second], played[first, second], total):
            count[motion] += 1
        found.append(motion)
    return np.array(found, dtype=np.int64)


def is_anew(source: str, parts: Collection[str]) -> bool:
    """Tell whether the levels of a source are drawn anew if these `parts` of them are."""
    return not {*parts, "debate"}.isdisjoint(SOURCES[source])


def variances_of_mean(
    codes: Mapping[str, Codes], components: Collection[Component], parts: Collection[str]
) -> dict[str, tuple[float, float, float]]:
    """Return what each source adds to the variance of the mean: estimate, low and high end.

    Only of sources that are drawn anew.
    """
    found = {}
    for each in components:
        if is_anew(each.source, parts):
            shares = np.bincount(codes[each.source]) / codes[each.source].size
            weight = float(np.square(shares).sum())
            found[each.source] = (weight * each.sd**2, weight * each.low**2, weight * each.high**2)
    return found


def variance_range(variances: Mapping[str, tuple[float, float, float]]) -> tuple[float, float]:
    """Return the 80% range of the variance of a mean, from the ranges of what it is made of.

    The ends of independent parts are put together by their squares (MOVER: Zou, 2008).
    """
    parts = np.array(list(variances.values())).reshape(-1, 3)
    middle, low, high = parts.T
    below, above = np.square(middle - low).sum(), np.square(high - middle).sum()
    total = float(middle.sum())
    return max(total - sqrt(below), 0.0), total + sqrt(above)


def sd_range(part: VariancePart, parts: Collection[VariancePart]) -> tuple[float, float]:
    """Return the 80% range of the standard deviation of one source of a split of the variance.

    The mean square of the means of L levels, which holds the source's variance and what each level
    has of finer ones, is distributed as chi-squared with L - 1 degrees (Searle, Casella and
    McCulloch, Variance Components, 1992, chapter 3).  Close where levels have about equally many
    values.
    """
    from scipy.special import chdtri

    if part.levels < 2:
        return part.sd, part.sd
    finer = sum(
        other.sd**2 * part.levels / other.levels
        for other in parts
        if other.levels > part.levels and other.sd > 0
    )
    degrees = part.levels - 1
    square = degrees * (part.sd**2 + finer)
    low, high = (
        sqrt(max(square / float(chdtri(degrees, tail)) - finer, 0.0)) for tail in (0.1, 0.9)
    )
    return low, high


def draw(
    codes: Mapping[str, Codes],
    sds: Mapping[str, float],
    parts: Collection[str],
    studies: int,
    rng: np.random.Generator,
) -> Array:
    """Return deviations (ratings, studies) from the mean of what an interval speaks of.

    Sources that are not drawn anew have a mean of 0 over their levels: they move that of a study
    only as far as it plays these unequally often.
    """
    total = np.zeros((codes["model"].size, studies))
    for (source, code), stream in zip(codes.items(), rng.spawn(len(codes)), strict=True):
        if not sds.get(source):
            continue
        # Levels come first: the first levels of a larger study are those of a smaller one.
        effect = sds[source] * stream.standard_normal((int(code.max()) + 1, studies))
        if not is_anew(source, parts):
            effect -= effect.mean(axis=0)
        total += effect[code]
    return total
