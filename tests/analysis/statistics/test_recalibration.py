"""Recalibration, cascades and votes: hand values, planted curves, and nothing judged on its fit."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.calibration import ece
from analysis.statistics.cascades import (
    cascade_area,
    cascade_curve,
    defer_below,
    defer_share,
    learned_rule,
)
from analysis.statistics.logistic import (
    cross_fit,
    cross_fit_chances,
    fit_logistic,
    folds_of,
    sigmoid,
)
from analysis.statistics.pair_auroc import pair_aurocs
from analysis.statistics.recalibration import METHODS, recalibrated
from analysis.statistics.weighted_votes import surest_shares, vote_shares

RNG = np.random.default_rng(0)


def test_logistic_finds_planted_coefficients() -> None:
    features = RNG.normal(size=(20_000, 2)) * [1, 10] + [0, 5]
    right = (RNG.random(20_000) < sigmoid(features @ [1.0, -0.1] + 0.5)).astype(np.float64)
    found = fit_logistic(features, right, ridge=0.01)
    assert found.slope == pytest.approx([1.0, -0.1], abs=0.06)
    assert found.constant == pytest.approx(0.5, abs=0.06)
    # Separated classes, and more features than rows, have an answer because of the ridge.
    assert np.isfinite(fit_logistic(np.eye(6), np.array([0, 0, 0, 1, 1, 1.0])).slope).all()


@pytest.mark.parametrize("method", list(METHODS))
def test_each_method_mends_stated_probabilities_that_are_too_sure(method: str) -> None:
    chance = RNG.uniform(0.05, 0.95, 4000)
    right = (RNG.random(4000) < chance).astype(np.float64)
    stated = sigmoid(3 * np.log(chance / (1 - chance)))
    mended = recalibrated(method, stated, right, np.arange(4000) // 2)
    assert ece(stated, right) > 0.1
    assert ece(mended, right) < 0.05


@pytest.mark.parametrize("method", list(METHODS))
def test_values_that_know_nothing_stay_so_when_judged_on_other_questions(method: str) -> None:
    noise = RNG.random(300)
    right = (RNG.random(300) < 0.5).astype(np.float64)
    mended = recalibrated(method, noise, right, np.arange(300) // 3)
    # Judged on its own fit, isotonic regression would find a Brier score well below 1/4.
    assert np.mean((mended - right) ** 2) > 0.245


def test_a_temperature_needs_probabilities() -> None:
    with pytest.raises(ValueError, match="temperature scaling needs probabilities"):
        recalibrated("temperature", np.array([-3.0, 0.2]), np.array([0.0, 1.0]), np.arange(2))


def test_a_question_is_in_one_fold_and_is_not_fitted_on_itself() -> None:
    question = np.repeat(np.arange(50), 4)
    fold = folds_of(question)
    assert all(np.unique(fold[question == each]).size == 1 for each in range(50))
    target = (RNG.random(50) < 0.5).astype(np.float64)[question]
    # The outcome of a question cannot be known from a feature that names it.
    found = cross_fit(fit_logistic, np.eye(50)[question], target, question)
    assert np.abs(found - target).min() > 0.2
    features = RNG.normal(size=200)
    features[3] = np.nan
    predicted = cross_fit(METHODS["Platt"], features, target, question)
    assert np.flatnonzero(np.isnan(predicted)).tolist() == [3]


def test_a_cascade_by_hand() -> None:
    value = np.array([0.1, 0.2, 0.2, 0.9])
    small = np.array([0.0, 0.0, 1.0, 1.0])
    large = np.array([1.0, 1.0, 1.0, 0.0])
    curve = cascade_curve(
        value, small, large, small_dollars=np.ones(4), large_dollars=np.full(4, 10.0)
    )
    assert curve.deferred.tolist() == [0, 0.25, 0.75, 1]
    assert curve.quality.tolist() == [0.5, 0.75, 1.0, 0.75]
    assert curve.dollars.tolist() == [1, 3.5, 8.5, 11]
    area = cascade_area(value, small, large)
    assert area.area.mean == pytest.approx(np.trapezoid(curve.quality, curve.deferred))
    assert area.random == pytest.approx(0.625)
    best = cascade_area(-(large - small), small, large)
    assert best.area.mean == pytest.approx(best.oracle)
    assert best.gain.mean == pytest.approx(1)
    dear = np.array([40.0, 10, 10, 0])
    spent = cascade_curve(value, small, large, small_dollars=np.zeros(4), large_dollars=dear)
    by_dollars = np.trapezoid(spent.quality, spent.dollars) / spent.dollars[-1]
    found = cascade_area(value, small, large, large_dollars=dear).over_dollars
    assert found.mean == pytest.approx(by_dollars)
    assert np.isnan(area.over_dollars.mean)
    assert defer_below(value, 0.25) == 0.1
    assert defer_below(value, 0) == -np.inf


def test_a_useless_value_gains_nothing_and_a_learned_rule_finds_what_helps() -> None:
    hardness = RNG.normal(size=600)
    small = (RNG.random(600) < sigmoid(-2 * hardness)).astype(np.float64)
    large = (RNG.random(600) < sigmoid(2 - hardness)).astype(np.float64)
    noise = cascade_area(RNG.random(600), small, large).gain
    assert noise.ci_low < 0 < noise.ci_high
    half = defer_share(-hardness, small, large, np.arange(600), 0.5)
    assert half.deferred == pytest.approx(0.5, abs=0.05)
    assert half.right > small.mean() + 0.1
    features = np.column_stack((hardness, RNG.normal(size=(600, 3))))
    rule = learned_rule(features, small, large, np.arange(600))
    assert cascade_area(rule, small, large).gain.ci_low > 0.1


def test_votes_by_hand() -> None:
    question = np.array([0, 0, 0, 1, 1, 2])
    vote = np.array([0, 0, 1, 0, 1, -1])
    right = np.array([0, 0, 1, 1, 0, 0.0])
    value = np.array([0.2, 0.2, 0.9, 0.5, 0.5, 0.5])
    plain = vote_shares(question, vote, right, np.ones(6), 3)
    weighted = vote_shares(question, vote, right, value, 3)
    assert plain[:2].tolist() == [0, 0.5]
    assert weighted[:2].tolist() == [1, 0.5]
    assert surest_shares(question, vote, right, value, 3)[:2].tolist() == [1, 0.5]
    assert np.isnan([plain[2], weighted[2]]).all()


def test_chances_learned_of_noise_rank_nothing_over_questions() -> None:
    """At the levels of their own fits, they ranked wrong replies above right ones: .45."""
    areas = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        question = np.repeat(np.arange(40), 4)
        chance = 1 / (1 + np.exp(rng.normal(0, 1.5, 40)))
        right = (rng.random(160) < chance[question]).astype(np.float64)
        learned = cross_fit_chances(rng.normal(size=(160, 3)), right, question)
        areas.append(float(pair_aurocs(learned, right, question, np.ones((1, 40))).over[0]))
    error = float(np.std(areas) / np.sqrt(len(areas)))
    assert abs(float(np.mean(areas)) - 0.5) < 2 * error
    assert error < 0.02
