"""Motions as a third cluster: against all seven terms of three-way clusters."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.claims import jackknife, mean_claims, sums_of
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.motions import over_motions

MODEL = np.array([(a, b) for a in range(7) for b in range(7) if a != b])
MOTION = np.arange(42) % 6


def ratings(motion_sd: float) -> Array:
    rng = np.random.default_rng(3)
    values: Array = 0.7 + rng.normal(0, 0.05, 7)[MODEL] + rng.normal(0, 0.05, MODEL.shape)
    return values + rng.normal(0, motion_sd, 6)[MOTION][:, None]


def of(values: Array, *codes: Codes) -> float:
    """The jackknife variance over clusters of debaters that share all these codes."""
    _, cell = np.unique(np.stack(codes), axis=1, return_inverse=True)
    influence = (values - values.mean()) / values.size
    cells = int(cell.max()) + 1
    weight = np.full(values.shape, 1 / values.size)
    sums, weights = (sums_of(each, cell.ravel(), cells) for each in (influence, weight))
    return jackknife(sums, weights)


def test_the_error_is_that_of_three_way_clusters() -> None:
    values = ratings(0.08)
    model, debate = MODEL.ravel(), np.repeat(np.arange(42), 2)
    motion = np.repeat(MOTION, 2)
    single = of(values, debate) + of(values, model) + of(values, motion)
    double = of(values, debate, model) + of(values, debate, motion) + of(values, model, motion)
    expected = single - double + of(values, debate, model, motion)
    found = over_motions(values, MODEL, MOTION)
    assert found.se == pytest.approx(np.sqrt(expected))
    assert (found.models, found.motions, found.note) == (7, 6, None)


def test_it_is_never_narrower_than_without_motions() -> None:
    values = ratings(0.0)
    _, without = mean_claims(values, MODEL)
    found = over_motions(values, MODEL, MOTION)
    assert found.ci_low <= without.ci_low < without.ci_high <= found.ci_high


def test_there_is_none_of_few_motions_or_models_or_without_spread() -> None:
    values = ratings(0.08)
    cases = (
        over_motions(values, MODEL, MOTION % 5),
        over_motions(values, MODEL % 5, MOTION),
        over_motions(np.full(values.shape, 0.7), MODEL, MOTION),
        over_motions(np.full(values.shape, np.nan), MODEL, MOTION),
    )
    assert all(np.isnan(each.ci_low) and each.note for each in cases)
    assert cases[0].note == "5 motions, fewer than 6: motions like these cannot be spoken for"
