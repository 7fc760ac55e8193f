"""Estimate a mean over models, debates and motions as crossed random effects, by REML.

    rating = mean + its model + its debate + its motion + the rest

The restricted likelihood of Patterson and Thompson (Recovery of inter-block information when block
sizes are unequal, 1971) is maximised over the three standard deviations (profiled as in Bates,
Maechler, Bolker and Walker, Fitting linear mixed-effects models using lme4, 2015); one of 0 is a
good answer, and says that the data show no such effect.  The interval is of models like these, with
Student's t and as many degrees of freedom as there are models, minus 1: it stands beside the
two-way clusters of claims.py, which assume nothing about how effects are distributed, while these
take them as normal and independent.  Left out: Kenward and Roger's degrees of freedom, and models
that differ in how far their debates do.

Arrays are (debates, 2): a row per debate, a column per side, nan if missing; `model` of that shape
and `motion` (debates,) hold codes from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from analysis.statistics.claims import (
    FEWEST_MODELS,
    NO_SPREAD_WORDS,
    TOO_FEW,
    interval_and_test,
    pack,
    too_few_models,
)
from analysis.statistics.clustered import NO_SPREAD, SHARE, Array, Codes, check_rows

EFFECTS = ("models", "debates", "motions")
# Of a variance over that of the rest: an effect below the first is none, and one that reaches the
# second leaves no rest.
NO_EFFECT, ALL_EFFECT = 1e-6, 1e6
STARTS = (1.0, 0.01)
# With more models and motions, or debates, a fit takes minutes.
MOST_LEVELS, MOST_DEBATES = 500, 2_000


@dataclass(frozen=True, slots=True)
class CrossedFit:
    """A mean of `n` ratings with its interval of models like these; nan for undefined numbers.

    `p` is two-sided, of the mean against a value.  Standard deviations in [0, 1]: of the effects of
    models, debates and motions, and of the rest; nan where an effect cannot be told from another.
    `note` says why numbers are nan, or which effects the data do not show.
    """

    n: int
    debates: int
    models: int
    motions: int
    mean: float = nan
    se: float = nan
    ci_low: float = nan
    ci_high: float = nan
    p: float = nan
    sd_model: float = nan
    sd_debate: float = nan
    sd_motion: float = nan
    sd_rest: float = nan
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Products:
    """The sums of products that the likelihood is made of, all effects but those of debates.

    `own` (K, K) are those of the columns: one a level of each effect, then 1 and the ratings;
    `by_debate` (debates, K) the columns' sums in each debate, of `sizes` (debates,) ratings.
    `effect` (K - 2,) says to which effect a level belongs: 0 models, 1 motions.
    """

    own: Array
    by_debate: Array
    sizes: Array
    effect: Codes


def crossed_mean(
    values: Array,
    model: Codes,
    motion: Codes,
    *,
    against: float = 0.0,
    within: tuple[float, float] = SHARE,
    sample: int | None = None,
    seed: int = 0,
) -> CrossedFit:
    """Estimate the mean of all values, with its 95% interval cut to the range `within`.

    `sample` says how many debates to draw, by `seed`, if there are more; without it more than 2,000
    are not fitted, nor with it more than 500 models and motions.
    """
    check_rows(values)
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    if sample is not None and rows.size > sample:
        rows = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    values, model, motion = values[rows], model[rows], motion[rows]
    there = ~np.isnan(values)
    debates, n = len(values), int(there.sum())
    if debates < 2:
        return CrossedFit(n, debates, debates, debates, note=TOO_FEW)
    codes, models = pack(model, there)
    _, topic = np.unique(motion, return_inverse=True)
    motions = int(topic.max()) + 1
    found = values[there]
    average = float(found.mean())
    if found.std() <= NO_SPREAD:
        return CrossedFit(n, debates, models, motions, average, note=NO_SPREAD_WORDS)
    if models < FEWEST_MODELS:
        return CrossedFit(n, debates, models, motions, average, note=too_few_models(models))
    # The effect of a motion that is debated once is a part of its debate's.
    told = 1 < motions < debates
    if debates > MOST_DEBATES or models + told * motions > MOST_LEVELS:
        note = f"left out: {debates:,} debates on {motions:,} motions take too long"
        return CrossedFit(n, debates, models, motions, average, note=note)
    products = make_products(values, codes, topic if told else np.zeros_like(topic), there)
    ratios = fit(products, told)
    _, off, se, rest = solve(products, ratios)
    mean = average + off
    low, high, _, p = interval_and_test(mean, se, models - 1, against, 0.95, within)
    sds = [rest * sqrt(ratio) if ratio > NO_EFFECT else 0.0 for ratio in ratios]
    absent = [name for name, sd in zip(EFFECTS, sds, strict=True) if not sd]
    notes = [] if told else ["motions cannot be told from debates"]
    absent = absent if told else [name for name in absent if name != "motions"]
    notes += [f"the data show no effect of {' or '.join(absent)}"] if absent else []
    return CrossedFit(
        n,
        debates,
        models,
        motions,
        *(mean, se, low, high, p),
        sd_model=sds[0],
        sd_debate=sds[1],
        sd_motion=sds[2] if told else nan,
        sd_rest=rest,
        note="; ".join(notes) or None,
    )


def make_products(values: Array, model: Codes, motion: Codes, there: Array) -> Products:
    """Return the sums of products of ratings (G, 2), of which `there` (G, 2) says which exist."""
    debate, side = np.nonzero(there)
    models, motions = int(model.max()) + 1, int(motion.max()) + 1
    columns = np.zeros((debate.size, models + motions + 2))
    each = np.arange(debate.size)
    columns[each, model[debate, side]] = 1
    columns[each, models + motion[debate]] = 1
    columns[:, -2] = 1
    # From their mean: the products lose no digits.
    columns[:, -1] = values[debate, side] - values[debate, side].mean()
    by_debate = np.zeros((len(values), columns.shape[1]))
    np.add.at(by_debate, debate, columns)
    effect = np.repeat([0, 1], [models, motions])
    return Products(columns.T @ columns, by_debate, by_debate[:, -2].copy(), effect)


def fit(products: Products, told: bool) -> tuple[float, float, float]:
    """Return the variances of the effects of models, debates and motions over that of the rest."""
    from scipy.optimize import minimize

    limits = [(0.0, ALL_EFFECT), (0.0, ALL_EFFECT), (0.0, ALL_EFFECT if told else 0.0)]
    fits = [
        minimize(
            lambda ratios: solve(products, ratios)[0],
            np.minimum(start, [high for _, high in limits]),
            method="L-BFGS-B",
            bounds=limits,
            options={"ftol": 1e-12, "gtol": 1e-7},
        )
        for start in STARTS
    ]
    best = min(fits, key=lambda found: float(found.fun))
    models, debates, motions = (float(ratio) for ratio in best.x)
    return models, debates, motions


def solve(products: Products, ratios: tuple[float, float, float]) -> tuple[float, ...]:
    """Return (deviance, mean less that of all ratings, standard error, deviation of the rest).

    `ratios` are those that `fit` returns; the deviance is -2 times the restricted log likelihood,
    up to a constant.
    """
    of_models, of_debates, of_motions = ratios
    n = products.sizes.sum()
    grown = 1 + of_debates * products.sizes
    # The inverse of what ratings share with their debate takes a part of the debate's sum out.
    part = np.sqrt(of_debates / grown)[:, None] * products.by_debate
    weighed = products.own - part.T @ part
    scale = np.sqrt([of_models, of_motions])[products.effect]
    inner = weighed[:-2, :-2] * np.outer(scale, scale)
    inner[np.diag_indices_from(inner)] += 1
    factor = np.linalg.cholesky(inner)
    half = np.linalg.solve(factor, scale[:, None] * weighed[:-2, -2:])
    left = weighed[-2:, -2:] - half.T @ half
    ones, cross, squares = left[0, 0], left[0, 1], left[1, 1]
    rest = max(squares - cross**2 / ones, 1e-300) / (n - 1)
    deviance = (n - 1) * np.log(rest) + np.log(grown).sum() + np.log(ones)
    deviance += 2 * np.log(np.diag(factor)).sum()
    return float(deviance), float(cross / ones), sqrt(rest / ones), sqrt(rest)
