"""How many debates are needed to see an effect: the share of simulated studies in which a test finds it.

Power by simulation, after the usual recipe (say, Arnold et al., Simulation methods to estimate design power, BMC Medical Research
Methodology 11:94, 2011): draw many studies, test each, count.  The tests are those of the report, written for many studies at once:
debates as clusters, the ratio estimator and Student's t of clusters.py.  The equivalence test is Schuirmann's two one-sided tests (1987),
the unpaired difference has the degrees of freedom of Welch and Satterthwaite.  Left out: power in closed form, which clipped, rounded and
missing ratings do not have.

Ratings are (S, G, 2, P): studies, debates, sides, phases, in [0, 1], nan where missing.  A test gives one p for each study, (S,), nan where
it is undefined (no spread, or fewer than 2 debates); such a study has found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import NO_SPREAD, Array

Ratings = tuple[Array, ...]
Draw = Callable[[int, int, np.random.Generator], Ratings]
Test = Callable[[Ratings], Array]
# Studies drawn at a time.  It does not depend on the number of debates, so that each study has the same random numbers for all of them.
CHUNK = 100
Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Power:
    """The `share` of simulated studies with so many debates in which the test found its claim.

    `ci_low` and `ci_high` are Wilson's 95% interval for the error of simulating only so many `studies`; `undefined` counts studies whose
    test had no value, and which therefore found nothing.
    """

    debates: int
    studies: int
    share: float
    ci_low: float
    ci_high: float
    undefined: int


@dataclass(frozen=True, slots=True)
class Means:
    """Means of S studies with debates as clusters, each (S,); nan where undefined."""

    mean: Array
    se: Array
    clusters: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """What a stored study tells about its noise: standard deviations of one rating and of what a debate shares, in [0, 1].

    `missing` is the share of ratings that were asked for and are missing; `debates` have at least one of the `ratings`.
    """

    noise: float
    debate_sd: float
    missing: float
    debates: int
    ratings: int


def power(
    draw: Draw, test: Test, debates: int, *, studies: int = 2000, level: float = 0.05, seed: int = 0
) -> Power:
    """The share of `studies` simulated studies of so many debates whose p is below `level`; the same for the same seed.

    `draw(studies, debates, rng)` gives ratings, one (S, G, 2, P) for each kind of study that `test` compares.  Where the first debates of
    its larger studies are those of its smaller ones, so are they here, for every number of debates.
    """
    found = undefined = 0
    for number, start in enumerate(range(0, studies, CHUNK)):
        # A whole chunk is drawn even at the end, so that more studies are these studies and others.
        p = test(draw(CHUNK, debates, np.random.default_rng((seed, number))))[: studies - start]
        found += int((p < level).sum())
        undefined += int(np.isnan(p).sum())
    return Power(debates, studies, found / studies, *wilson(found, studies), undefined)


def find_smallest(
    measure: Callable[[int], Power],
    target: float,
    *,
    most: int,
    measured_powers: Iterable[Power] = (),
) -> Power | None:
    """The power at the smallest number of debates, from 2 to `most`, that reaches the target; None where none does.

    By bisection, which takes it that power does not fall with more debates; `known` is what has been measured already.  With nested
    studies (see `power`) that holds but for a few studies in a thousand.
    """
    reached: Power | None = None
    low = 1  # one debate cannot be tested
    for one in sorted(measured_powers, key=lambda one: one.debates):
        if one.debates > most or reached is not None:
            break
        if one.share >= target:
            reached = one
        else:
            low = max(low, one.debates)
    while low < (most if reached is None else reached.debates - 1):
        tried = measure(min(2 * low, most) if reached is None else (low + reached.debates) // 2)
        if tried.share >= target:
            reached = tried
        else:
            low = tried.debates
    return reached


def wilson(found: int, of: int) -> tuple[float, float]:
    """(low, high): Wilson's 95% interval for a share, counted as `found` out of `of` (above 0)."""
    share, spread = found / of, Z95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return (0.0 if found == 0 else middle - half), (1.0 if found == of else middle + half)


def rise_test(ratings: Array) -> Array:
    """p (S,) that ratings differ between the first and the last phase: the two-sided test of analysis.overconfidence.rise."""
    found = clustered_means(ratings[..., -1] - ratings[..., 0])
    return two_sided_p(found.mean, found.se, found.clusters - 1.0)


def above_half_test(ratings: Array) -> Array:
    """p (S,) that ratings of the last phase differ from 50%: the two-sided test of analysis.overconfidence.against_half."""
    found = clustered_means(ratings[..., -1])
    return two_sided_p(found.mean - 0.5, found.se, found.clusters - 1.0)


def equivalence_test(ratings: Array, margin: float) -> Array:
    """p (S,) that the mean rating of the last phase is within `margin`, in (0, 0.5), of 50%: the larger p of two one-sided tests."""
    found = clustered_means(ratings[..., -1])
    degrees = found.clusters - 1.0
    off = found.mean - 0.5
    return np.maximum(
        one_sided_p(off + margin, found.se, degrees), one_sided_p(margin - off, found.se, degrees)
    )


def difference_test(first: Array, second: Array, *, paired: bool = False) -> Array:
    """p (S,), two-sided, that the mean of `first` differs from that of `second`; both (S, G, members), nan where missing.

    Paired, the mean of `first - second` is tested, with rows as clusters, as `arena compare` does: rows are debates in which both speak, or
    motions that both debate seat by seat, and a rating without its partner is left out.  Otherwise rows are clusters of their own.
    """
    if paired:
        change = clustered_means(first - second)
        return two_sided_p(change.mean, change.se, change.clusters - 1.0)
    one, other = clustered_means(first), clustered_means(second)
    squares = np.square(one.se), np.square(other.se)
    freedom = np.maximum(one.clusters - 1.0, 1.0), np.maximum(other.clusters - 1.0, 1.0)
    below = np.square(squares[0]) / freedom[0] + np.square(squares[1]) / freedom[1]
    degrees = np.divide(
        np.square(squares[0] + squares[1]), below, out=np.full(below.shape, nan), where=below > 0
    )
    return two_sided_p(one.mean - other.mean, np.hypot(one.se, other.se), degrees)


def clustered_means(values: Array) -> Means:
    """The estimator of clusters.clustered_mean for many studies at once; values are (S, G, members)."""
    there = ~np.isnan(values)
    n = there.sum(axis=(1, 2)).astype(np.float64)
    n[n == 0] = nan
    mean = np.where(there, values, 0.0).sum(axis=(1, 2)) / n
    within = np.where(there, values - mean[:, None, None], 0.0).sum(axis=2) / n[:, None]
    clusters = there.any(axis=2).sum(axis=1)
    factor = np.where(clusters > 1, clusters / np.maximum(clusters - 1.0, 1.0), nan)
    se = np.sqrt(factor * np.square(within).sum(axis=1))
    return Means(mean, np.where(se <= NO_SPREAD, 0.0, se), clusters)


def two_sided_p(off: Array, se: Array, degrees: Array) -> Array:
    """Two-sided p (S,) of differences from 0, nan where the error is 0 or undefined."""
    return 2 * one_sided_p(np.abs(off), se, degrees)


def one_sided_p(off: Array, se: Array, degrees: Array) -> Array:
    """One-sided p (S,) that differences are above 0, nan where the error is 0 or undefined."""
    from scipy.special import stdtr

    t = np.divide(off, se, out=np.full(off.shape, nan), where=se > 0)
    p: Array = stdtr(degrees, -t)
    return p


def estimate_spread(confidence: Array, asked: NDArray[np.bool_], kind: NDArray[np.int64]) -> Spread:
    """Noise, what a debate shares, and the share missing of a stored study; `confidence` and `asked` (G, 2, P), `kind` (G, 2) codes from 0.

    Moment estimators of a one-way random effect (Searle, Casella and McCulloch, Variance Components, 1992, chapter 3, for unequal numbers):
    the mean of its kind of debater and phase is taken from each rating, and what is left is compared between and within debates.
    A difference that lasts between the two sides of a debate therefore counts as noise.  With several kinds the degrees of freedom are
    approximate.  Clipped ratings spread less than what lies behind them, which makes both too small.  nan without degrees of freedom.
    """
    there = ~np.isnan(confidence)
    n = there.sum(axis=(1, 2))
    debates, ratings = int((n > 0).sum()), int(n.sum())
    missing = 1 - ratings / int(asked.sum()) if asked.any() else nan
    phases = confidence.shape[2]
    # Which kind of debater in which phase, for each rating there is.
    _, cell = np.unique((kind[:, :, None] * phases + np.arange(phases))[there], return_inverse=True)
    kinds, cells = np.unique(kind[there.any(axis=2)]).size, int(cell.max(initial=-1)) + 1
    between, within = debates - kinds, ratings - debates - (cells - kinds)
    if between < 1 or within < 1:
        return Spread(nan, nan, missing, debates, ratings)
    left = np.zeros(confidence.shape)
    left[there] = (
        confidence[there] - (np.bincount(cell, confidence[there]) / np.bincount(cell))[cell]
    )
    sums, n = left.sum(axis=(1, 2))[n > 0], n[n > 0]
    ms_between = float((np.square(sums) / n).sum()) / between
    ms_within = (float(np.square(left).sum()) - float((np.square(sums) / n).sum())) / within
    effective = (ratings - float(np.square(n).sum()) / ratings) / (debates - 1)
    return Spread(
        sqrt(max(ms_within, 0.0)),
        sqrt(max((ms_between - ms_within) / effective, 0.0)),
        missing,
        debates,
        ratings,
    )
