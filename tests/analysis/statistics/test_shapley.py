"""Shapley values by hand, by orders of players, and of another implementation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.statistics.shapley import shapley_values


def test_three_turns_by_hand() -> None:
    """Values of none, 1, 2, 12, 3, 13, 23 and all."""
    value = np.array([0.5, 0.7, 0.5, 0.7, 0.6, 0.9, 0.6, 0.9])
    assert shapley_values(value) == pytest.approx([0.25, 0, 0.15])


def test_they_are_those_of_shap() -> None:
    """The exact explainer of shap 0.51.0, of four players."""
    value = [
        0.5,
        0.7,
        0.5,
        0.6,
        0.55,
        0.9,
        0.62,
        0.93,
        0.4,
        0.75,
        0.58,
        0.66,
        0.61,
        0.88,
        0.7,
        0.95,
    ]
    theirs = [0.23416667, 0.0325, 0.1775, 0.00583333]
    assert shapley_values(np.array(value)) == pytest.approx(theirs, abs=1e-8)


def test_they_are_means_over_orders_and_sum_to_what_all_add() -> None:
    value = np.random.default_rng(0).random(32)
    gains = np.zeros(5)
    orders = list(itertools.permutations(range(5)))
    for order in orders:
        there = 0
        for player in order:
            gains[player] += value[there | 1 << player] - value[there]
            there |= 1 << player
    found = shapley_values(value)
    assert found == pytest.approx(gains / len(orders))
    assert found.sum() == pytest.approx(value[-1] - value[0])


def test_a_coalition_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="2\\^m"):
        shapley_values(np.zeros(6))
    with pytest.raises(ValueError, match="all are needed"):
        shapley_values(np.array([0, 1, np.nan, 1]))
    assert shapley_values(np.array([0.5])).size == 0
