"""Other calibration errors: against other implementations, by hand, and by enumeration.

The numbers named after a package were computed with it once: netcal 1.4.0, relplot 1.0.3 (by the
authors of smooth ECE), scikit-learn 1.9.1, FD-Shifts at its commit 56276af.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.statistics.calibration import ece, selective_accuracy
from analysis.statistics.calibration_error import (
    ace,
    ece_floor,
    equal_mass_ece,
    mce,
    mean_deviation,
)
from analysis.statistics.clustered import Array
from analysis.statistics.proper_scores import multiclass_brier, nll
from analysis.statistics.selective_risk import aurc_x1000
from analysis.statistics.smooth_ece import smooth_ece

# No value lies on the edge of a bin, where packages differ, and no two are equal.
THOUSANDTHS = (
    "495 554 534 807 788 501 488 323 466 773 556 899 536 608 949"
    " 734 630 573 462 375 801 838 414 365 595 537 745 450 892 893"
)
CONFIDENCE = np.array(THOUSANDTHS.split(), dtype=np.float64) / 1000
CORRECT = np.array([float(digit) for digit in "011100000101101000010000011111"])


def test_they_are_those_of_other_packages() -> None:
    assert ece(CONFIDENCE, CORRECT) == pytest.approx(0.18943333333, abs=1e-9)
    assert mce(CONFIDENCE, CORRECT) == pytest.approx(0.619, abs=1e-9)
    assert ace(CONFIDENCE, CORRECT) == pytest.approx(0.21191666667, abs=1e-9)
    # Ten bins of three, and five of six.
    assert equal_mass_ece(CONFIDENCE, CORRECT) == pytest.approx(0.25543333333, abs=1e-9)
    assert equal_mass_ece(CONFIDENCE, CORRECT, bins=5) == pytest.approx(0.18603333333, abs=1e-9)
    # Scikit-learn cuts where it is told to.
    assert nll(CONFIDENCE, CORRECT) == pytest.approx(0.6958818885, abs=1e-9)


def test_equal_confidences_share_a_bin_of_equal_counts() -> None:
    """Ten times 80% and two others cannot be cut into three bins of four."""
    stated = np.array([0.8] * 10 + [0.1, 0.95])
    right = np.array([1.0] * 6 + [0.0] * 4 + [1.0, 1.0])
    by_hand = (10 * abs(0.8 - 0.6) + abs(0.1 - 1) + abs(0.95 - 1)) / 12
    assert equal_mass_ece(stated, right, bins=3) == pytest.approx(by_hand)
    order = np.random.default_rng(0).permutation(12)
    assert equal_mass_ece(stated[order], right[order], bins=3) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("seed", "n", "whole", "theirs"),
    [
        (1, 50, True, 0.1320650833),
        (2, 200, True, 0.1860411102),
        (3, 2000, True, 0.1726325609),
        (4, 100, False, 0.1876079157),
        (5, 1000, False, 0.1565426576),
    ],
)
def test_smooth_ece_is_that_of_its_authors(seed: int, n: int, whole: bool, theirs: float) -> None:
    """To the 1/1000 to which relplot looks for the bandwidth."""
    rng = np.random.default_rng(seed)
    stated = rng.integers(1, 100, n) / 100 if whole else rng.random(n)
    right = (rng.random(n) < stated**2).astype(float)
    assert smooth_ece(stated, right) == pytest.approx(theirs, abs=1e-3)


def folded(stated: Array, right: Array, bandwidth: float) -> float:
    """Smoothed error as the paper defines it, a Gaussian that is folded at 0 and 1."""
    at = (np.arange(4000) + 0.5) / 4000
    smoothed = np.zeros(at.size)
    for fold in range(-6, 7):
        for image in (at + 2 * fold, -at + 2 * fold):
            kernel = np.exp(-(((stated[:, None] - image) / bandwidth) ** 2) / 2)
            smoothed += ((stated - right)[:, None] * kernel).sum(axis=0)
    scale = bandwidth * np.sqrt(2 * np.pi) * stated.size
    return float(np.abs(smoothed / scale).mean())


def test_smooth_ece_solves_the_papers_equation_also_at_the_ends() -> None:
    stated = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.5, 0.9])
    right = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    found = smooth_ece(stated, right)
    assert found == pytest.approx(folded(stated, right, found), abs=1e-4)
    # All errors in one direction: nothing cancels, at any bandwidth.
    assert smooth_ece(np.ones(10), np.repeat([1.0, 0.0], [7, 3])) == pytest.approx(0.3, abs=1e-6)


def test_smooth_ece_has_no_edges() -> None:
    """A step over the edge of a bin turns ECE upside down, and moves smooth ECE by its root."""
    right = np.array([1.0, 0.0] * 10)
    low, high = (np.where(right == 1, 0.5 + step, 0.5) for step in (0.0, 1e-6))
    assert abs(ece(high, right) - ece(low, right)) > 0.4
    assert smooth_ece(high, right) == pytest.approx(smooth_ece(low, right), abs=1e-3)


def test_the_floor_is_the_mean_over_all_outcomes() -> None:
    stated = np.array([0.9, 0.85, 0.8, 0.75, 0.6, 0.62, 0.3, 0.1])
    mean = 0.0
    for outcome in itertools.product((0.0, 1.0), repeat=stated.size):
        right = np.array(outcome)
        mean += np.where(right == 1, stated, 1 - stated).prod() * ece(stated, right)
    assert ece_floor(stated) == pytest.approx(mean, abs=1e-12)
    # 120 ratings like those of debaters: an ECE of .07 says nothing.
    many = np.random.default_rng(1).integers(50, 100, 120) / 100
    assert 0.05 < ece_floor(many) < 0.1


def test_the_floor_of_many_values_is_near_the_exact_one() -> None:
    chance = np.full(200, 0.8)
    assert mean_deviation(np.full(201, 0.8)) == pytest.approx(mean_deviation(chance), rel=0.01)


def test_nothing_is_nan_and_what_is_no_confidence_is_refused() -> None:
    none = np.empty(0)
    for metric in (mce, ace, equal_mass_ece, smooth_ece, nll, aurc_x1000):
        assert np.isnan(metric(none, none))
        with pytest.raises(ValueError, match="confidence must be"):
            metric(np.array([1.2]), np.array([1.0]))
    assert np.isnan(ece_floor(none))


def test_a_stated_certainty_that_is_wrong_costs_what_the_clip_says() -> None:
    assert nll(np.array([1.0]), np.array([0.0])) == pytest.approx(-np.log(0.005))
    assert nll(np.array([1.0]), np.array([0.0]), epsilon=1e-3) == pytest.approx(-np.log(1e-3))
    with pytest.raises(ValueError, match="epsilon"):
        nll(np.array([1.0]), np.array([0.0]), epsilon=0)


def test_briers_score_over_options_is_that_of_scikit_learn() -> None:
    """brier_score_loss with scale_by_half=False; of two options it is twice that of one event."""
    probability = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5], [0, 1, 0]])
    assert multiclass_brier(probability, np.array([0, 2, 2, 1])) == pytest.approx(0.34375)
    with pytest.raises(ValueError, match="sum to 1"):
        multiclass_brier(probability / 2, np.array([0, 2, 2, 1]))
    with pytest.raises(ValueError, match="must lie in 0 to 2"):
        multiclass_brier(probability, np.array([0, 2, 2, 3]))


def test_aurc_is_that_of_fd_shifts_and_no_mean_of_risks() -> None:
    assert aurc_x1000(CONFIDENCE, CORRECT) == pytest.approx(383.8623403470, abs=1e-9)
    # Rounded, so that many are equal.
    tied = np.round(CONFIDENCE, 1)
    assert aurc_x1000(tied, CORRECT) == pytest.approx(378.3246050771, abs=1e-9)
    assert abs(aurc_x1000(tied, CORRECT) / 1000 - (1 - selective_accuracy(tied, CORRECT))) > 1e-3
    assert aurc_x1000(CONFIDENCE, np.ones(30)) == 0
