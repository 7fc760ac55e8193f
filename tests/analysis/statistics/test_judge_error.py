"""What errors of judges make of calibration: by the numbers of the facts, and by simulation."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from analysis.statistics.judge_error import (
    calibration_slope,
    error_of_majority,
    error_of_retest,
    perfect_slope,
)


@pytest.mark.parametrize(("error", "slope"), [(0.0, 1.0), (0.1, 0.8), (0.2, 0.6), (0.5, 0.0)])
def test_an_error_gives_agreement_and_a_slope_and_agreement_gives_the_error(
    error: float, slope: float
) -> None:
    assert error_of_retest(1 - 2 * error * (1 - error)) == pytest.approx(error)
    assert perfect_slope(error) == pytest.approx(slope)


def test_agreement_below_a_half_is_that_of_a_coin() -> None:
    assert error_of_retest(0.3) == 0.5
    assert isnan(error_of_retest(nan))


def test_a_majority_of_votes_errs_less() -> None:
    """Three votes: 3 e^2 (1 - e) + e^3; two votes without ties: e^2 / (e^2 + (1 - e)^2)."""
    assert error_of_majority(0.1, 1) == pytest.approx(0.1)
    assert error_of_majority(0.1, 3) == pytest.approx(0.028)
    assert error_of_majority(0.1, 2) == pytest.approx(0.01 / 0.82)
    assert isnan(error_of_majority(0.1, 0))
    assert isnan(error_of_majority(nan, 3))


def test_a_perfect_debater_under_erring_judges_shows_the_slope_that_is_said() -> None:
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.2, 0.9, (20_000, 1))
    true = (rng.random(stated.shape) < stated).astype(float)
    for error, slope in ((0.0, 1.0), (0.1, 0.8), (0.2, 0.6)):
        judged = np.where(rng.random(stated.shape) < error, 1 - true, true)
        found, low, high = calibration_slope(stated, judged)
        assert found == pytest.approx(slope, abs=0.04)
        assert low < slope < high
        assert high - low < 0.08


def test_a_slope_is_that_of_least_squares_over_the_values_that_are_there() -> None:
    stated = np.array([[0.5, 0.6], [0.7, nan], [0.9, 0.8]])
    won = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, nan]])
    found, low, high = calibration_slope(stated, won)
    assert found == pytest.approx(np.polyfit([0.5, 0.6, 0.7, 0.9], [0, 1, 0, 1], 1)[0])
    assert low < found < high
    alike = calibration_slope(np.full((3, 2), 0.7), np.eye(3, 2))
    assert all(map(isnan, alike))
