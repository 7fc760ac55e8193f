"""Spearman's rho over clusters: as without them, by repetition, and with a planted truth."""

from __future__ import annotations

from math import asin, pi

import numpy as np
import pytest

from analysis.statistics.rank_correlation import spearman
from analysis.statistics.rank_interval import clustered_spearman, rho


def test_a_weight_is_as_good_as_a_repeated_value() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 5, 40).astype(float), rng.normal(size=40)
    weight = rng.integers(0, 4, (6, 40)).astype(float)
    for row, found in zip(weight, rho(weight, one, other), strict=True):
        times = row.astype(int)
        assert found == pytest.approx(spearman(np.repeat(one, times), np.repeat(other, times)))


def test_a_planted_correlation_lies_in_most_intervals_over_clusters() -> None:
    rng = np.random.default_rng(2)
    planted = 6 / pi * asin(0.5 / 2)
    cluster = np.repeat(np.arange(80), 2)
    held = 0
    for _ in range(30):
        # Both members of a cluster are one draw: half as many values as there seem to be.
        pairs = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 80)[cluster]
        found = clustered_spearman(pairs[:, 0], pairs[:, 1], cluster, resamples=200)
        held += found.ci_low < planted < found.ci_high
    assert held >= 25


def test_values_that_are_missing_or_never_differ() -> None:
    some = np.array([1.0, np.nan, 2.0, 3.0])
    cluster = np.arange(4)
    assert clustered_spearman(some, some, cluster).mean == 1
    assert np.isnan(clustered_spearman(some, np.ones(4), cluster).mean)
    assert np.isnan(clustered_spearman(some * np.nan, some, cluster).mean)
    with pytest.raises(ValueError, match="must be"):
        clustered_spearman(some, some[:2], cluster)
