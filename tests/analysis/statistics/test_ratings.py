"""Elo by hand, and TrueSkill against numbers of another implementation."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.ratings import elo, trueskill


def test_elo_by_hand() -> None:
    """A win among equals is worth 16; then 1016 against 984 expects 0.546."""
    assert elo(np.array([0]), np.array([1]), np.array([1.0]), 2) == pytest.approx([1016, 984])
    expected = 1 / (1 + 10 ** (-32 / 400))
    second = elo(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 0.0]), 2)
    assert second == pytest.approx([1016 - 32 * expected, 984 + 32 * expected])
    assert elo(np.array([0]), np.array([1]), np.array([0.5]), 3) == pytest.approx([1000] * 3)


def test_elo_over_shuffles_does_not_hang_on_what_came_last() -> None:
    first, second, score = (
        np.zeros(20, dtype=int),
        np.ones(20, dtype=int),
        np.repeat([1.0, 0.0], 10),
    )
    in_order, shuffled = (
        elo(first, second, score, 2)[0],
        elo(first, second, score, 2, shuffles=200)[0],
    )
    assert in_order < 960
    assert abs(shuffled - 1000) < 10


def test_trueskill_is_that_of_the_reference_implementation() -> None:
    """Six games of three, two of them ties: numbers of the Python package trueskill 0.4.5."""
    games = [(0, 1, 1), (1, 2, 0.5), (2, 0, 0), (0, 1, 0), (2, 1, 0.5), (0, 2, 1)]
    first, second, score = (np.array(column) for column in zip(*games, strict=True))
    found = trueskill(first, second, score, 3)
    theirs = [(27.951494, 4.780170), (25.459814, 4.319157), (21.740366, 4.243283)]
    assert found == pytest.approx(np.array(theirs), abs=1e-5)
    # The order matters: this is why reports show means over shuffles.
    again = trueskill(first[::-1], second[::-1], score[::-1], 3)
    assert np.abs(again - found).max() > 0.1


def test_trueskill_stays_finite_where_the_last_bits_end() -> None:
    """Thousands of wins, and then a tie and a loss against all expectation."""
    score = np.append(np.ones(3000), [0.5, 0.0])
    found = trueskill(np.zeros(3002, int), np.ones(3002, int), score, 2)
    assert np.isfinite(found).all()
    assert found[0, 0] > found[1, 0]
