"""Calibration metrics against hand tables, brute force, and the bootstrap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.calibration import (
    Edges,
    accuracy_coverage,
    auroc,
    auroc_interval,
    average_precision,
    bin_of,
    brier,
    ece,
    selective_accuracy,
)
from analysis.statistics.clustered import Array
from tests.analysis.resampling import bootstrap_interval

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.6])
CORRECT = np.array([1.0, 0.0, 1.0, 0.0])
stated = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 1)), min_size=1, max_size=40)


def split(values: list[tuple[int, int]]) -> tuple[Array, Array]:
    both = np.array(values, dtype=np.float64)
    return both[:, 0] / 100, both[:, 1]


def test_brier_by_hand() -> None:
    """(0.01 + 0.64 + 0.04 + 0.36) / 4"""
    assert brier(CONFIDENCE, CORRECT) == pytest.approx(0.2625)


def test_a_tie_is_half_a_win_for_brier() -> None:
    assert brier(np.array([0.7, 0.7]), np.array([0.5, 0.5])) == pytest.approx(0.04)


def test_auroc_by_hand_with_a_tie() -> None:
    """Of the four pairs, 0.9 wins two, 0.8 ties one and wins one."""
    assert auroc(CONFIDENCE, CORRECT) == pytest.approx(3.5 / 4)


def test_ece_hangs_on_the_rule_for_edges() -> None:
    """Right-closed bins hold {0.9}, {0.8, 0.8}, {0.6}; so do left-closed ones; 0.85 shares a bin
    with 0.9 or with 0.8.
    """
    confidence = np.array([0.9, 0.85, 0.8])
    correct = np.array([1.0, 0.0, 1.0])
    assert ece(confidence, correct) == pytest.approx((abs(1.75 - 1) + abs(0.8 - 1)) / 3)
    assert ece(confidence, correct, edges="left") == pytest.approx(
        (abs(0.9 - 1) + abs(1.65 - 1)) / 3
    )


@pytest.mark.parametrize("bins", [5, 10, 20])
def test_every_edge_falls_on_its_side_whatever_the_rounding(bins: int) -> None:
    """0.3 is not 3 * 0.1 in binary: every k/bins, written in percent or added up, must land in the
    same bin.
    """
    numbers = np.arange(bins + 1)
    for edge in (numbers / bins, np.round(numbers / bins, 2), np.cumsum([0] + [1 / bins] * bins)):
        assert bin_of(edge, bins=bins).tolist() == [0, *range(bins)]
        assert bin_of(edge, bins=bins, edges="left").tolist() == [*range(bins), bins - 1]


@given(stated, st.sampled_from(["right", "left"]))
def test_ece_is_the_sum_over_bins(values: list[tuple[int, int]], edges: Edges) -> None:
    """Brute force in whole percent, where edges are exact."""
    excess: dict[int, float] = {}
    for percent, won in values:
        place = max(0, (percent - 1) // 10) if edges == "right" else min(9, percent // 10)
        excess[place] = excess.get(place, 0) + percent / 100 - won
    assert ece(*split(values), edges=edges) == pytest.approx(
        sum(map(abs, excess.values())) / len(values)
    )


@given(stated)
def test_auroc_is_the_share_of_pairs(values: list[tuple[int, int]]) -> None:
    pairs = [(x > y) + (x == y) / 2 for x, won in values if won for y, lost in values if not lost]
    assert auroc(*split(values)) == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


@given(stated)
def test_auroc_needs_only_the_order(values: list[tuple[int, int]]) -> None:
    confidence, correct = split(values)
    assert auroc(confidence**2 / 2, correct) == pytest.approx(
        auroc(confidence, correct), nan_ok=True
    )
    assert auroc(1 - confidence, correct) == pytest.approx(
        1 - auroc(confidence, correct), nan_ok=True
    )


@given(stated)
def test_overconfidence_bounds_the_calibration_error(values: list[tuple[int, int]]) -> None:
    confidence, correct = split(values)
    gap = float(np.mean(confidence - correct))
    assert abs(gap) <= ece(confidence, correct) + 1e-12 <= 1 + 1e-12


def test_a_perfect_forecast_has_no_error() -> None:
    assert (brier(CORRECT, CORRECT), ece(CORRECT, CORRECT), auroc(CORRECT, CORRECT)) == (0, 0, 1)


def test_what_is_undefined_is_nan() -> None:
    nothing = np.empty(0)
    assert np.isnan([brier(nothing, nothing), ece(nothing, nothing)]).all()
    assert np.isnan(auroc(np.array([0.5, 0.6]), np.array([1.0, 1.0])))


@pytest.mark.parametrize(
    ("confidence", "correct", "words"),
    [
        ([0.5], [1, 0], "one shape"),
        ([np.nan], [1], "not nan"),
        ([75], [1], r"in \[0, 1\]"),
        ([0.5], [0.5], "0 or 1"),
        ([0.5], [np.nan], "judged"),
    ],
)
def test_wrong_values_are_refused_and_not_dropped(
    confidence: list[float], correct: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ece(np.array(confidence, dtype=float), np.array(correct, dtype=float))


def test_bins_and_edges_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ece(CONFIDENCE, CORRECT, bins=0)
    with pytest.raises(ValueError, match="'middle'"):
        ece(CONFIDENCE, CORRECT, edges="middle")  # type: ignore[arg-type]


def test_the_interval_of_auroc_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(5)
    correct = np.eye(2)[rng.integers(2, size=150)]
    confidence = np.clip(np.round(0.7 + 0.05 * correct + rng.normal(0, 0.1, (150, 2)), 2), 0, 1)
    closed = auroc_interval(confidence, correct)
    drawn = bootstrap_interval(
        lambda x, y: np.array([auroc(a, b) for a, b in zip(x, y, strict=True)]), confidence, correct
    )
    assert closed == pytest.approx(drawn, abs=0.012)
    assert closed[1] - closed[0] > 0.08


def test_the_interval_of_auroc_is_undefined_with_one_class_or_one_debate() -> None:
    assert np.isnan(auroc_interval(np.array([[0.5], [0.6]]), np.array([[1.0], [1.0]]))).all()
    assert np.isnan(auroc_interval(np.array([[0.5, 0.6]]), np.array([[1.0, 0.0]]))).all()


def test_the_interval_of_auroc_stays_in_its_range_and_leaves_out_what_is_missing() -> None:
    confidence = np.array([[0.9, 0.1], [0.8, 0.5], [0.2, 0.7], [0.9, np.nan]])
    low, high = auroc_interval(
        confidence, np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [np.nan, np.nan]])
    )
    assert 0 <= low < 7 / 9 < high <= 1


def test_average_precision_by_hand_with_a_tie() -> None:
    """Thresholds 0.9: 1 of 1; 0.8: 2 of 3; 0.6: 2 of 4.  Right values enter at the first and
    second: (1 + 2/3) / 2.
    """
    assert average_precision(CONFIDENCE, CORRECT) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(1 - CONFIDENCE, 1 - CORRECT) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_is_sklearns() -> None:
    """The example of scikit-learn's documentation of average_precision_score, which gives 0.83."""
    assert average_precision(
        np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 0.0, 1.0, 1.0])
    ) == pytest.approx(0.8333333333)


@given(stated)
def test_average_precision_is_the_sum_over_thresholds(values: list[tuple[int, int]]) -> None:
    confidence, correct = split(values)
    total, before = 0.0, 0.0
    for threshold in sorted(set(confidence), reverse=True):
        taken = correct[confidence >= threshold]
        recall = taken.sum() / max(1, correct.sum())
        total, before = total + (recall - before) * taken.mean(), recall
    assert average_precision(confidence, correct) == pytest.approx(
        total if correct.any() else np.nan, nan_ok=True
    )


def test_accuracy_coverage_by_hand_with_a_tie() -> None:
    """1 of 1; of the two at 0.8 one is right, so 1.5 of 2 on average, and 2 of 3; then 2 of 4."""
    assert accuracy_coverage(CONFIDENCE, CORRECT) == pytest.approx([1, 0.75, 2 / 3, 0.5])
    assert selective_accuracy(CONFIDENCE, CORRECT) == pytest.approx((1 + 0.75 + 2 / 3 + 0.5) / 4)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=6))
def test_ties_count_with_their_expectation(values: list[tuple[int, int]]) -> None:
    """The mean over all orders that respect confidence."""
    orders = [
        order
        for order in itertools.permutations(values)
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order))
    ]
    areas = [
        np.mean(np.cumsum([y for _, y in order]) / np.arange(1, len(order) + 1)) for order in orders
    ]
    assert selective_accuracy(*split(values)) == pytest.approx(np.mean(areas))


@given(stated)
def test_areas_stay_in_range_and_end_at_the_share_right(values: list[tuple[int, int]]) -> None:
    confidence, correct = split(values)
    assert accuracy_coverage(confidence, correct)[-1] == pytest.approx(correct.mean())
    assert 0 <= selective_accuracy(confidence, correct) <= 1
    assert selective_accuracy(np.full(correct.shape, 0.5), correct) == pytest.approx(correct.mean())


def test_areas_without_values_are_nan() -> None:
    nothing = np.empty(0)
    assert np.isnan(
        [average_precision(nothing, nothing), selective_accuracy(nothing, nothing)]
    ).all()
    assert np.isnan(average_precision(np.array([0.5]), np.array([0.0])))
