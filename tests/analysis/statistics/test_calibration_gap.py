"""The gaps between a model's confidence and a listener's: by hand, against others, planted."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.calibration import auroc, ece
from analysis.statistics.calibration_gap import (
    calibration_gap,
    length_slope,
    weighted_auroc,
    weighted_ece,
)


def test_the_example_of_the_facts_page() -> None:
    found = calibration_gap(
        np.array([0.95, 0.85, 0.3, 0.2]),
        np.array([0.9, 0.7, 0.8, 0.7]),
        np.array([1.0, 1.0, 0.0, 0.0]),
        np.arange(4),
    )
    assert (found.ece_model, found.ece_listener) == pytest.approx((0.175, 0.325))
    assert (found.auroc_model, found.auroc_listener) == (1, 0.625)
    gaps = (found.ece_gap, found.auroc_gap, found.difference, found.overconfidence)
    assert [gap.mean for gap in gaps] == pytest.approx([0.15, 0.375, 0.2, 0.275])


def test_weights_are_as_good_as_repeated_values() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.integers(0, 11, 60) / 10
    correct = (rng.random(60) < confidence).astype(float)
    weight = rng.integers(0, 4, (5, 60)).astype(float)
    for number, row in enumerate(weight):
        stated, right = (np.repeat(each, row.astype(int)) for each in (confidence, correct))
        assert weighted_ece(weight, confidence, correct)[number] == pytest.approx(
            ece(stated, right)
        )
        area = weighted_auroc(weight, confidence, correct)[number]
        assert area == pytest.approx(auroc(stated, right))


def test_a_planted_listener_is_found_by_its_slope_with_length() -> None:
    rng = np.random.default_rng(2)
    held = {0.0: 0, 0.4: 0}
    for slope in held:
        for _ in range(30):
            question = np.repeat(np.arange(60), 3)
            model = rng.normal(0, 1.5, 60)[question]
            length = np.exp(rng.normal(5, 1, 180))
            level = 0.3 + 0.8 * model + slope * (np.log(length) - 5) + rng.normal(0, 0.3, 180)
            found = length_slope(1 / (1 + np.exp(-level)), length, question, resamples=400)
            held[slope] += found.ci_low < slope < found.ci_high
    assert min(held.values()) >= 25


def test_a_listener_without_knowledge_has_the_gap_that_was_planted() -> None:
    rng = np.random.default_rng(4)
    question = np.repeat(np.arange(400), 2)
    model = rng.random(400)[question]
    correct = (rng.random(400) < model[::2]).astype(float)[question]
    found = calibration_gap(model, np.full(800, 0.85), correct, question, resamples=400)
    # All at 0.85 with half of them right: its ECE is 0.35; a model that is calibrated has about 0.
    assert found.ece_gap.ci_low < 0.35 - found.ece_model < found.ece_gap.ci_high
    assert found.ece_listener == pytest.approx(0.85 - correct.mean())
    assert found.auroc_listener == 0.5
    assert found.auroc_gap.ci_low > 0.2


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_without_both_outcomes_there_is_no_discrimination(right: float) -> None:
    confidence = np.array([0.2, 0.9])
    found = calibration_gap(confidence, confidence, np.full(2, right), np.arange(2))
    assert np.isnan(found.auroc_gap.mean)
    assert found.ece_gap.mean == 0
    empty = np.empty(0)
    assert calibration_gap(empty, empty, empty, np.empty(0, dtype=np.int64)).n == 0
