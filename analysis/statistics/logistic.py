"""Fit a logistic regression with a ridge, and judge it on questions that it was not fitted on.

Newton's method on standardised features; the ridge (Le Cessie and van Houwelingen 1992) pulls all
coefficients but the constant to 0, so that there is an answer where features separate right from
wrong, and where there are more of them than replies.  Left out: a choice of the ridge by the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.statistics.clustered import NO_SPREAD, Array, Codes

FOLDS = 5
STEPS = 50
CLOSE = 1e-8
Predict = Callable[[Array], Array]
Fit = Callable[[Array, Array], Predict]


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted regression; `slope` (K,) and `constant` are in the features' own units."""

    slope: Array
    constant: float

    def __call__(self, features: Array) -> Array:
        """Return the probability (N,) of each row of features (N, K)."""
        return sigmoid(features @ self.slope + self.constant)


def fit_logistic(
    features: Array, target: Array, *, ridge: float = 1.0, constant: bool = True
) -> Logistic:
    """Return the regression of targets (N,) in [0, 1] on features (N, K).

    `ridge` is the weight of half the squared coefficients of standardised features against the
    log likelihood.  Without a `constant` features are not moved, only scaled.
    """
    rows, columns = features.shape
    middle = features.mean(axis=0) if constant else np.zeros(columns)
    scale = np.sqrt(np.square(features - middle).mean(axis=0))
    # A feature that never varies says nothing: divided by 1, it stays 0.
    scale = np.where(scale > NO_SPREAD, scale, 1.0)
    design = (features - middle) / scale
    penalty = np.full(columns, ridge)
    if constant:
        design = np.column_stack((np.ones(rows), design))
        penalty = np.concatenate(([NO_SPREAD], penalty))
    weight = newton(design, target, penalty)
    slope = weight[1:] / scale if constant else weight / scale
    return Logistic(slope, float(weight[0] - middle @ slope) if constant else 0.0)


def newton(design: Array, target: Array, penalty: Array) -> Array:
    """Return the weights (K,) of the largest penalised likelihood."""
    weight = np.zeros(design.shape[1])
    loss = penalised_loss(design, target, penalty, weight)
    for _ in range(STEPS):
        chance = sigmoid(design @ weight)
        slope = design.T @ (target - chance) - penalty * weight
        bend = (design.T * (chance * (1 - chance))) @ design + np.diag(penalty + NO_SPREAD)
        step = np.linalg.solve(bend, slope)
        # Half as far as long as it is too far: the likelihood is concave, so that an end comes.
        for _ in range(STEPS):
            better = penalised_loss(design, target, penalty, weight + step)
            if better <= loss:
                break
            step = step / 2
        weight = weight + step
        if loss - better < CLOSE * (1 + abs(loss)):
            break
        loss = better
    return weight


def penalised_loss(design: Array, target: Array, penalty: Array, weight: Array) -> float:
    """Return the negative log likelihood with its penalty."""
    logit = design @ weight
    return float(
        np.logaddexp(0, logit).sum() - (target * logit).sum() + (penalty * weight**2).sum() / 2
    )


def cross_fit_chances(features: Array, target: Array, question: Codes) -> Array:
    """Return (N,) the chances that targets of 0 or 1 are 1, by regressions on the other folds.

    All fits are put at the level of all targets.  The share of 1 in the other folds falls where it
    rises in the fold that is judged, so that chances at the levels of their fits would rank zeros
    above ones across folds, also where features say nothing.  nan as in `cross_fit`.
    """
    there = ~np.isnan(features).any(axis=1)
    level = log_odds(float(target[there].mean())) if there.any() else 0.0

    def fit(learned: Array, known: Array) -> Logistic:
        """Fit a regression, and move it to the common level."""
        found = fit_logistic(learned, known)
        return Logistic(found.slope, found.constant + level - log_odds(float(known.mean())))

    return cross_fit(fit, features, target, question)


def log_odds(share: float) -> float:
    """Return log(share / (1 - share)) of a share in [0, 1], kept from both ends."""
    share = min(max(share, CLOSE), 1 - CLOSE)
    return math.log(share / (1 - share))


def sigmoid(logit: Array) -> Array:
    """Return 1 / (1 + exp(-logit)), without overflow."""
    result: Array = np.exp(-np.logaddexp(0, -logit))
    return result


def folds_of(question: Codes, *, folds: int = FOLDS, seed: int = 0) -> Codes:
    """Return the fold (N,) of each reply: all replies to a question are in one, drawn by seed."""
    names, place = np.unique(question, return_inverse=True)
    order = np.random.default_rng((seed, names.size)).permutation(names.size) % folds
    codes: Codes = order[place.ravel()].astype(np.int64)
    return codes


def cross_fit(
    fit: Fit, features: Array, target: Array, question: Codes, *, folds: int = FOLDS, seed: int = 0
) -> Array:
    """Return (N,) predictions for each reply by a fit to the folds without its question.

    `features` (N,) or (N, K).  A row with a nan is neither fitted nor predicted: it stays nan, and
    so does a fold whose others hold one class alone.
    """
    there = ~np.isnan(features if features.ndim == 1 else features.sum(axis=1))
    fold = folds_of(question, folds=folds, seed=seed)
    predicted = np.full(target.size, np.nan)
    for number in range(folds):
        learned = there & (fold != number)
        judged = there & (fold == number)
        if judged.any() and np.unique(target[learned]).size == 2:
            predicted[judged] = fit(features[learned], target[learned])(features[judged])
    return predicted
