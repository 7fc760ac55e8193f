"""Give an estimate two intervals: of models like these, and of these models alone.

Ratings of one model are alike, as those of one debate are.  An interval that takes debates alone as
clusters is too narrow for a claim about models, and of the models that were asked it says less than
the data do.  So there are two:

- these models: debates are drawn anew, the models stay.  Each contribution is taken from the mean
  of its model; debates are clusters (strata: Cochran, Sampling Techniques, 1977, chapter 5).
  Where that leaves fewer than 5 degrees of freedom, the other interval stands for both.
- models like these: debates and models are drawn anew.  Two-way clusters of Cameron, Gelbach and
  Miller (2011), V = V_debate + V_model - V_cell, a cell being one model in one debate; Student's t
  with as many degrees as there are fewer of debates or models, minus 1.  Each V is a jackknife over
  its clusters (MacKinnon, Nielsen and Webb, 2023), which is the usual one where clusters are of one
  size, and still holds where one model sits in every debate.

A share of debates belongs to both of a debate's models at once; its variance is that of dyads
(Aronow, Samii and Assenova, 2015), its interval the exact one with the number of debates that it is
worth (shares.py).  Left out: motions as a third cluster.

Arrays are (debates, 2), or (plays, seats) where a protocol has any number of seats: a row per
debate, a column per side, nan if missing; `model`, of the same shape, holds codes from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import isnan, nan, sqrt

import numpy as np

from analysis.statistics.clustered import (
    ANY,
    NO_SPREAD,
    SHARE,
    Array,
    Codes,
    Mask,
    MeanEstimate,
    check_rows,
    clustered_mean,
    moments,
    row_sums,
    student_interval,
    student_test,
)
from analysis.statistics.shares import Z95, clopper_pearson, share_interval

LIKE_THESE = "models like these"
THESE = "these models"
# With fewer, Student's quantile and the variance of the models say more about chance than about
# models (Cameron, Gelbach and Miller, 2008, begin at 5 to 6).
FEWEST_MODELS = 6
# With fewer degrees of freedom the variance within models is hardly known: Student's quantile is
# 12.7 with one, 2.8 with four.
FEWEST_DEGREES = 5
# One cluster with more of the data than this cannot be left out: nothing would be estimated.
MOST_OF_ALL = 0.75
TOO_FEW = "fewer than 2 debates"
NO_SPREAD_WORDS = "no spread: all debates say the same"
WIDER_WORDS = "few debates a model: the interval of these models is that of models like these"


@dataclass(frozen=True, slots=True)
class Claims:
    """The intervals and tests of one estimate; nan where there is none.

    `speaks_of` says which claim `se`, `ci_low`, `ci_high`, `t` and `p` are for: "models like these"
    where they can be spoken for, else "these models"; `these_ci_low`, `these_ci_high` and `these_p`
    are always for these models.  Intervals are cut to the range that is possible.  `models` counts
    those with a value, `note` says in words why a claim or an interval is missing.
    """

    speaks_of: str
    models: int
    se: float = nan
    ci_low: float = nan
    ci_high: float = nan
    t: float = nan
    p: float = nan
    these_ci_low: float = nan
    these_ci_high: float = nan
    these_p: float = nan
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard errors of both claims with Student's degrees of freedom; nan where undefined.

    Where `is_wider`, those of these models are those of models like these.
    """

    debates: int
    models: int
    these: float
    these_degrees: int
    like: float
    like_degrees: int
    is_wider: bool = False


def mean_claims(
    values: Array,
    model: Codes | None = None,
    *,
    against: float = 0.0,
    level: float = 0.95,
    within: tuple[float, float] = SHARE,
) -> tuple[MeanEstimate, Claims]:
    """Return the mean of all values, with the interval of the wider claim, and both claims.

    `model` is None where one model gave all the values.
    """
    if model is None:
        plain = clustered_mean(values, against=against, level=level, within=within)
        return plain, claims_of_one(plain)
    check_rows(values)
    there, n, mean, sd = moments(values)
    share = np.where(there, 1 / max(n, 1), nan)
    both = claims(
        mean, (values - mean) * share, share, model, against=against, level=level, within=within
    )
    clusters = int((row_sums(there.astype(np.float64)) > 0).sum())
    test = both.se, both.ci_low, both.ci_high, both.t, both.p
    return MeanEstimate(n, clusters, mean, sd, *test), both


def claims_of_one(plain: MeanEstimate) -> Claims:
    """Return the claims of a mean over debates of one model: there is only the narrower."""
    note = too_few_models(1)
    if not plain.se > 0:
        note = TOO_FEW if plain.clusters < 2 else NO_SPREAD_WORDS
    limits = plain.ci_low, plain.ci_high
    test = plain.se, *limits, plain.t, plain.p, *limits, plain.p
    return Claims(THESE, min(plain.n, 1), *test, note)


def claims(
    estimate: float,
    influence: Array,
    weight: Array,
    model: Codes,
    *,
    against: float = 0.0,
    level: float = 0.95,
    within: tuple[float, float] = ANY,
) -> Claims:
    """Return both claims of an estimate, tested against a value.

    `influence` is what each debater adds to the estimate's error, and sums to 0; `weight` is the
    share of the data that is his, and sums to 1.
    """
    spread = spreads(influence, weight, model)
    low, high, _, p = interval_and_test(
        estimate, spread.these, spread.these_degrees, against, level, within
    )
    se, degrees, speaks_of = spread.these, spread.these_degrees, THESE
    if spread.like > 0:
        se, degrees, speaks_of = spread.like, spread.like_degrees, LIKE_THESE
    wider = interval_and_test(estimate, se, degrees, against, level, within)
    note = missing_words(spread)
    return Claims(speaks_of, spread.models, se, *wider, low, high, p, note)


def interval_and_test(
    estimate: float,
    se: float,
    degrees: int,
    against: float,
    level: float,
    within: tuple[float, float],
) -> tuple[float, float, float, float]:
    """Return (low, high, t, p) by Student's t; all nan without spread or degrees of freedom."""
    if not se > 0 or degrees < 1:
        return nan, nan, nan, nan
    limits = student_interval(estimate, se, degrees + 1, level=level, within=within)
    return *limits, *student_test(estimate - against, se, degrees)


def missing_words(spread: Spread) -> str | None:
    """Say why there is no interval, or none of models like these; None if there are both."""
    if spread.debates < 2:
        return TOO_FEW
    if not spread.these > 0 and not spread.like > 0:
        if spread.these_degrees < 1:
            return f"{spread.debates} debates of {spread.models} models are too few"
        return NO_SPREAD_WORDS
    if not spread.these > 0:
        reason = "no spread within models" if spread.these_degrees > 0 else "too few debates"
        return f"no interval of these models: {reason}"
    if spread.like > 0:
        return WIDER_WORDS if spread.is_wider else None
    if spread.models < FEWEST_MODELS:
        return too_few_models(spread.models)
    return "one model gave most of the ratings: models like these cannot be spoken for"


def too_few_models(models: int) -> str:
    """Say that so few models do not allow a claim about models like these."""
    one = "one model" if models == 1 else f"{models} models"
    return f"{one}, fewer than {FEWEST_MODELS}: models like these cannot be spoken for"


def spreads(influence: Array, weight: Array, model: Codes) -> Spread:
    """Return the standard errors of both claims; the arguments are those of `claims`."""
    there = ~np.isnan(influence)
    rows = row_sums(there.astype(np.float64)) > 0
    if not rows.all():
        influence, weight, model, there = influence[rows], weight[rows], model[rows], there[rows]
    debates = len(influence)
    if not debates:
        return Spread(0, 0, nan, 0, nan, 0)
    code, models = pack(model, there)
    if debates < 2:
        return Spread(debates, models, nan, 0, nan, 0)
    # A debater that is missing adds nothing, whatever its code is.
    influence, weight = np.where(there, influence, 0.0), np.where(there, weight, 0.0)
    these, degrees = stratified_error(influence, code, models, there)
    held = sums_of(weight, code, models)
    if models < FEWEST_MODELS or max(held.max(), row_sums(weight).max()) > MOST_OF_ALL:
        return Spread(debates, models, these, degrees, nan, 0)
    of_models = jackknife(sums_of(influence, code, models), held)
    like = two_way_error(influence, weight, of_models, code, there)
    like_degrees = min(debates, models) - 1
    # An interval that models are drawn anew for holds these models as well, only more often.
    if degrees < min(FEWEST_DEGREES, like_degrees) and like > 0:
        return Spread(debates, models, like, like_degrees, like, like_degrees, is_wider=True)
    # Whatever is uncertain of these models is so of models like these: theirs is never narrower.
    if half_width(these, degrees) > half_width(like, like_degrees):
        like, like_degrees = these, degrees
    return Spread(debates, models, these, degrees, like, like_degrees)


def half_width(se: float, degrees: int) -> float:
    """Return half the width of the 95% interval, 0 if there is none."""
    low, high = student_interval(0.0, se, degrees + 1)
    return 0.0 if isnan(low) else high


def pack(model: Codes, there: Mask) -> tuple[Codes, int]:
    """Return codes of models renumbered without gaps, in their order, and how many there are.

    The code of a debater that is missing is any of them.
    """
    found = np.bincount(model.ravel(), there.ravel()) > 0
    return np.maximum(np.cumsum(found) - 1, 0)[model], int(found.sum())


def sums_of(values: Array | Mask, code: Codes, models: int) -> Array:
    """Return (models,) the sums of the values (debates, 2) of each model."""
    sums: Array = np.bincount(code.ravel(), values.ravel(), models).astype(np.float64)
    return sums


def stratified_error(influence: Array, code: Codes, models: int, there: Mask) -> tuple[float, int]:
    """Return (standard error, degrees of freedom) with models held fixed and debates drawn anew.

    `influence` is 0 where a debater is missing.
    """
    means = sums_of(influence, code, models) / sums_of(there, code, models)
    # What the debaters of a model share is the model, not chance.
    rest = row_sums((influence - means[code]) * there)
    debates = len(rest)
    degrees = debates - means_in_sums(code, models, there)
    if degrees < 1:
        return nan, degrees
    se = sqrt(debates / degrees * float(np.square(rest).sum()))
    return (se if se > NO_SPREAD else 0.0), degrees


def means_in_sums(code: Codes, models: int, there: Mask) -> int:
    """Return how many means of models the sums of debates lose.

    One where two models meet in every debate, all where each model debates itself.
    """
    # The rank of the table that says how often each model sits in each debate, by its square.
    table = np.diag(sums_of(there, code, models))
    for one, other in combinations(range(there.shape[1]), 2):
        both = there[:, one] & there[:, other]
        met = np.bincount(code[:, one] * models + code[:, other], both, models**2)
        table += met.reshape(models, models) + met.reshape(models, models).T
    return rank(table.tobytes(), models)


@lru_cache(maxsize=16)
def rank(table: bytes, models: int) -> int:
    """Return the rank of a symmetric table (models, models): all phases of a study have one."""
    rows = np.frombuffer(table).reshape(models, models)
    return int(np.linalg.matrix_rank(rows, hermitian=True))


def two_way_error(
    influence: Array, weight: Array, of_models: float, code: Codes, there: Mask
) -> float:
    """Return the standard error with debates and models drawn anew; 0 without spread.

    `of_models` is the variance over models; influence and weight are 0 where a debater is missing.
    """
    sums, weights = row_sums(influence), row_sums(weight)
    of_debates = jackknife(sums, weights)
    # Sides of one model are one cell of the table of debates and models, else each is one.
    if there.shape[1] > 2:
        cell = (np.arange(len(code))[:, None] * (int(code.max()) + 1) + code)[there]
        _, cell = np.unique(cell, return_inverse=True)
        each, share = (np.bincount(cell, values[there]) for values in (influence, weight))
        cells = np.square(each / (1 - share)).sum()
        number = each.size
    else:
        same = there[:, 0] & there[:, -1] & (code[:, 0] == code[:, -1])
        alone = ~same[:, None]
        cells = np.square(influence / (1 - weight) * alone).sum()
        cells += np.square(sums / (1 - weights) * same).sum()
        number = int((there & alone).sum() + same.sum())
    variance = of_debates + of_models - (number - 1) / number * float(cells)
    # A difference of variances may fall below 0 by chance.
    if not variance > 0:
        variance = max(of_debates, of_models)
    se = sqrt(variance)
    return se if se > NO_SPREAD else 0.0


def jackknife(sums: Array, weights: Array) -> float:
    """Return the variance of an estimate over clusters, of which one at a time is left out.

    `sums` are the clusters' influences, `weights` their shares of the data, below 1.
    """
    clusters = sums.size
    # An estimate without a cluster moves by its influence over what is left.
    return (clusters - 1) / clusters * float(np.square(sums / (1 - weights)).sum())


def share_claims(values: Array, model: Codes) -> tuple[float, Claims]:
    """Return (share, claims) of debates (G,) for which something holds: 1 or 0, nan if unknown.

    Of these models the interval is the exact one of the count, of models like these the exact one
    of the number of debates that the share is worth.  There is no test.
    """
    there = ~np.isnan(values)
    debates = int(there.sum())
    if not debates:
        return nan, Claims(THESE, 0, note="no debate with both ratings")
    holds, pairs = values[there], model[there]
    share = float(holds.mean())
    packed, models = pack(pairs, np.ones(pairs.shape, dtype=bool))
    these = clopper_pearson(float(holds.sum()), debates)
    few = models < FEWEST_MODELS
    worth = debates if few else debates_worth(holds, packed, models)
    wider = share_interval(share, worth)
    return share, Claims(
        THESE if few else LIKE_THESE,
        models,
        ci_low=wider.ci_low,
        ci_high=wider.ci_high,
        these_ci_low=these[0],
        these_ci_high=these[1],
        note=too_few_models(models) if few else None,
    )


def debates_worth(holds: Array, code: Codes, models: int) -> float:
    """Return how many independent debates a share of debates is worth, models drawn anew.

    `holds` (G,) is 0 or 1, `code` (G, 2) lies in [0, models).
    """
    share, debates = float(holds.mean()), holds.size
    if share in (0.0, 1.0):
        # All debates alike: each model has said so once.
        return float(min(models, debates))
    rest = (holds - share) / debates
    own = code[:, 0] == code[:, 1]
    sums, held = (
        sums_of(each, code[:, 0], models) + sums_of(each[~own], code[~own, 1], models)
        for each in (rest, np.full(debates, 1 / debates))
    )
    # A jackknife, as of means: with few models a third of the debates is of one.  One that is in
    # nearly all of them cannot be left out, and counts as its equal part.
    held = np.where(held > MOST_OF_ALL, 1 / models, held)
    # A debate between two models stands in the sums of both.
    variance = jackknife(sums, held) - float(np.square(rest[~own]).sum())
    alone = share * (1 - share) / debates
    from scipy.special import stdtrit

    # The variance is known from so many models: Student's quantile, as fewer debates (Korn and
    # Graubard).
    quantile = float(stdtrit(min(models, debates) - 1, 0.975))
    return share * (1 - share) / max(variance, alone) * (Z95 / quantile) ** 2
