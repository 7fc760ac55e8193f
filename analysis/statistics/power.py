"""Find how many debates are needed to detect an effect, by simulation.

Power is the share of simulated studies in which a test detects the effect (say, Arnold et al.,
Simulation methods to estimate design power, BMC Medical Research Methodology 11:94, 2011): draw
many studies, test each, count.  The tests are those of the report, written for many studies at
once: debates as clusters, the ratio estimator and Student's t of clustered.py.  The equivalence
test is Schuirmann's two one-sided tests (1987), with the bounds of equivalence.py, the unpaired
difference has the degrees of freedom of Welch and Satterthwaite.  Left out: power in closed form,
which clipped, rounded and missing ratings do not have.

Ratings are (S, G, 2, P): studies, debates, sides, phases, in [0, 1], nan if missing.  A test gives
one p for each study, (S,), nan if it is undefined (no spread, or fewer than 2 debates); such a
study has detected nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from analysis.statistics.clustered import NO_SPREAD, Array, Codes, Mask, divide
from analysis.statistics.equivalence import Question, debates_needed, exact_test
from analysis.statistics.shares import wilson

Ratings = tuple[Array, ...]
Draw = Callable[[int, int, np.random.Generator], Ratings]
Test = Callable[[Ratings], Array]
# Studies drawn at a time.  It does not depend on the number of debates, so that each study has the
# same random numbers for all of them.
CHUNK = 100


@dataclass(frozen=True, slots=True)
class Power:
    """The `share` of simulated studies of `debates` debates in which the test was significant.

    `ci_low` and `ci_high` are Wilson's 95% interval for the error of simulating only so many
    `studies`; `undefined` counts studies whose test had no value, and which therefore detected
    nothing.
    """

    debates: int
    studies: int
    share: float
    ci_low: float
    ci_high: float
    undefined: int


@dataclass(frozen=True, slots=True)
class Means:
    """Means of S studies with debates as clusters; all fields are (S,), nan if undefined."""

    mean: Array
    se: Array
    clusters: Array


@dataclass(frozen=True, slots=True)
class Spread:
    """The noise of a stored study.

    `noise` and `debate_sd` are standard deviations in [0, 1], of one rating and of the part that
    the ratings of a debate share.  `missing` is the share of ratings that were asked for and are
    missing; `debates` have at least one of the `ratings`.
    """

    noise: float
    debate_sd: float
    missing: float
    debates: int
    ratings: int


def power(
    draw: Draw, test: Test, debates: int, *, studies: int = 2000, level: float = 0.05, seed: int = 0
) -> Power:
    """Estimate the power of studies of `debates` debates, from `studies` simulated ones.

    `draw(studies, debates, rng)` gives ratings, one (S, G, 2, P) for each kind of study that `test`
    compares; a study has detected the effect if its p is below `level`.  One seed gives one result.
    If the first debates that `draw` gives for larger studies are those of its smaller ones, studies
    are nested here too, for every number of debates.
    """
    detected = undefined = 0
    for number, start in enumerate(range(0, studies, CHUNK)):
        # A whole chunk is drawn even at the end, so that more studies are these studies and others.
        p = test(draw(CHUNK, debates, np.random.default_rng((seed, number))))[: studies - start]
        # A p of nan is not below the level.
        detected += int((p < level).sum())
        undefined += int(np.isnan(p).sum())
    return Power(debates, studies, detected / studies, *wilson(detected, studies), undefined)


def find_smallest(
    measure: Callable[[int], Power],
    target: float,
    *,
    most: int,
    measured_powers: Iterable[Power] = (),
) -> Power | None:
    """Return the power at the smallest number of debates, 2 to `most`, that reaches the target.

    None if none does.  `measured_powers` are results that the caller has already; `measure` is
    called for others.
    """
    # Bisection takes it that power does not fall with more debates; with nested studies (see
    # `power`) that holds but for a few studies in a thousand.
    reached: Power | None = None
    low = 1  # one debate cannot be tested
    for measured in sorted(measured_powers, key=lambda result: result.debates):
        if measured.debates > most or reached is not None:
            break
        if measured.share >= target:
            reached = measured
        else:
            low = max(low, measured.debates)
    while low < (most if reached is None else reached.debates - 1):
        # Double until the target is reached, then halve the gap.
        result = measure(min(2 * low, most) if reached is None else (low + reached.debates) // 2)
        if result.share >= target:
            reached = result
        else:
            low = result.debates
    return reached


def rise_test(ratings: Array) -> Array:
    """Return two-sided p (S,) that ratings differ between the first and the last phase.

    The test of overconfidence.rise.
    """
    rises = clustered_means(ratings[..., -1] - ratings[..., 0])
    return two_sided_p(rises.mean, rises.se, rises.clusters - 1)


def above_half_test(ratings: Array) -> Array:
    """Return two-sided p (S,) that ratings of the last phase differ from 50%.

    The test of overconfidence.against_half.
    """
    last = clustered_means(ratings[..., -1])
    return two_sided_p(last.mean - 0.5, last.se, last.clusters - 1)


def equivalence_test(ratings: Array, margin: float, *, alpha: float = 0.05) -> Array:
    """Return p (S,) that the mean rating of the last phase is within `margin` of 50%.

    The larger p of two one-sided tests at level `alpha`, as in equivalence.py; `margin` is in
    (0, 0.5).  p is 1 in studies of too few debates to call any mean equivalent.
    """
    last = clustered_means(ratings[..., -1])
    off = last.mean - 0.5
    above = one_sided_p(off + margin, last.se, last.clusters - 1)
    p = np.maximum(above, one_sided_p(margin - off, last.se, last.clusters - 1))
    asked = Question(0.5, margin, alpha)
    enough = last.clusters >= debates_needed(asked)
    for number in np.flatnonzero(enough).tolist():
        rated = ratings[number, :, :, -1]
        debates = np.nanmean(rated[~np.isnan(rated).all(axis=1)], axis=1)
        p[number] = np.fmax(p[number], exact_test(debates, asked)[2])
    return np.where(enough | (last.clusters < 2), p, 1.0)


def difference_test(first: Array, second: Array, *, paired: bool = False) -> Array:
    """Return two-sided p (S,) that the mean of `first` differs from that of `second`.

    Both are (S, G, members), nan if missing.  Paired, the mean of `first - second` is tested, with
    rows as clusters, as `arena compare` does: rows are debates in which both speak, or motions that
    both debate seat by seat, and a rating without its partner is left out.  Otherwise rows are
    clusters of their own, and the degrees of freedom Welch's and Satterthwaite's.
    """
    if paired:
        change = clustered_means(first - second)
        return two_sided_p(change.mean, change.se, change.clusters - 1)
    means, others = clustered_means(first), clustered_means(second)
    variance, other_variance = np.square(means.se), np.square(others.se)
    below = np.square(variance) / np.maximum(means.clusters - 1, 1)
    below += np.square(other_variance) / np.maximum(others.clusters - 1, 1)
    # The fourth powers of errors are tiny without being 0: only a true 0 leaves no degrees.
    degrees = divide(np.square(variance + other_variance), below, above=0.0)
    return two_sided_p(means.mean - others.mean, np.hypot(means.se, others.se), degrees)


def clustered_means(values: Array) -> Means:
    """Return the estimates of clustered.clustered_mean for many studies (S, G, members) at once."""
    there = ~np.isnan(values)
    n = there.sum(axis=(1, 2)).astype(np.float64)
    n[n == 0] = nan
    mean = np.where(there, values, 0.0).sum(axis=(1, 2)) / n
    within = np.where(there, values - mean[:, None, None], 0.0).sum(axis=2) / n[:, None]
    clusters = there.any(axis=2).sum(axis=1).astype(np.float64)
    factor = np.where(clusters > 1, clusters / np.maximum(clusters - 1, 1), nan)
    se = np.sqrt(factor * np.square(within).sum(axis=1))
    return Means(mean, np.where(se <= NO_SPREAD, 0.0, se), clusters)


def two_sided_p(off: Array, se: Array, degrees: Array) -> Array:
    """Return two-sided p (S,) of differences from 0, nan if the error is 0 or undefined."""
    return 2 * one_sided_p(np.abs(off), se, degrees)


def one_sided_p(off: Array, se: Array, degrees: Array) -> Array:
    """Return one-sided p (S,) that differences are above 0, nan if the error is 0 or undefined."""
    from scipy.special import stdtr

    p: Array = stdtr(degrees, -divide(off, se, above=0.0))
    return p


def estimate_spread(confidence: Array, asked: Mask, kind: Codes) -> Spread:
    """Estimate the noise of a stored study, the spread of debates, and the share missing.

    `confidence` and `asked` are (G, 2, P), `kind` (G, 2) holds codes from 0 of kinds of debater.

    Moment estimators of a one-way random effect (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 3, for unequal numbers): the mean of its kind of debater and phase is
    taken from each rating, and the rest is compared between and within debates.  A difference that
    lasts between the two sides of a debate therefore counts as noise.  With several kinds the
    degrees of freedom are approximate.  Clipped ratings spread less than the beliefs behind them,
    which makes both too small.  nan without degrees of freedom.
    """
    there = ~np.isnan(confidence)
    n = there.sum(axis=(1, 2))
    debates = int((n > 0).sum())
    ratings = int(n.sum())
    missing = 1 - ratings / int(asked.sum()) if asked.any() else nan
    phases = confidence.shape[2]
    # A cell is one kind of debater in one phase; here is the cell of each rating.
    _, cell = np.unique((kind[:, :, None] * phases + np.arange(phases))[there], return_inverse=True)
    kinds = np.unique(kind[there.any(axis=2)]).size
    cells = int(cell.max(initial=-1)) + 1
    # One mean for each kind is estimated between debates, those of its other phases within.
    between = debates - kinds
    within = ratings - debates - (cells - kinds)
    if between < 1 or within < 1:
        return Spread(nan, nan, missing, debates, ratings)
    left = np.zeros(confidence.shape)
    left[there] = (
        confidence[there] - (np.bincount(cell, confidence[there]) / np.bincount(cell))[cell]
    )
    sums = left.sum(axis=(1, 2))[n > 0]
    n = n[n > 0]
    between_debates = float((np.square(sums) / n).sum())
    ms_between = between_debates / between
    ms_within = (float(np.square(left).sum()) - between_debates) / within
    # The number of ratings of a debate, if all had equally many.
    effective = (ratings - float(np.square(n).sum()) / ratings) / (debates - 1)
    # A difference of mean squares can fall below 0 by chance: then debates share nothing.
    debate_sd = sqrt(max((ms_between - ms_within) / effective, 0.0))
    return Spread(sqrt(max(ms_within, 0.0)), debate_sd, missing, debates, ratings)
