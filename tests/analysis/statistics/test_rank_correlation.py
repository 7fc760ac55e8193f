"""Rank correlations against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from analysis.statistics import rank_correlation
from analysis.statistics.rank_correlation import kendall, spearman


@pytest.mark.parametrize("seed", range(6))
def test_they_are_those_of_scipy(seed: int) -> None:
    """Confidences with ties against outcomes of 0 and 1, and against other confidences."""
    rng = np.random.default_rng(seed)
    stated = rng.integers(0, 12, 50) / 12
    for other in ((rng.random(50) < stated).astype(float), rng.integers(0, 5, 50) / 4):
        assert spearman(stated, other) == pytest.approx(spearmanr(stated, other).statistic)
        assert kendall(stated, other) == pytest.approx(kendalltau(stated, other).statistic)


def test_many_different_values_take_another_way_to_the_same_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = np.random.default_rng(0).random((2, 40))
    counted = kendall(one, other)
    monkeypatch.setattr(rank_correlation, "LARGEST_TABLE", 10)
    assert kendall(one, other) == pytest.approx(counted)


def test_pairs_without_a_value_are_left_out_and_no_spread_is_nan() -> None:
    one = np.array([0.1, 0.5, np.nan, 0.9])
    other = np.array([0.0, 1.0, 1.0, 1.0])
    assert spearman(one, other) == pytest.approx(spearmanr([0.1, 0.5, 0.9], [0, 1, 1]).statistic)
    for metric in (spearman, kendall):
        assert np.isnan(metric(one, np.ones(4)))
        assert np.isnan(metric(np.empty(0), np.empty(0)))
        with pytest.raises(ValueError, match="one shape"):
            metric(one, np.ones(3))
