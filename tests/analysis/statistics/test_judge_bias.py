"""Planted biases are found at their size, and only in the judge that has them."""

from __future__ import annotations

from functools import cache
from math import nan

import numpy as np
import pytest

from analysis.statistics.judge_bias import (
    EFFECTS,
    Readings,
    by_cluster,
    clustered_share,
    effects,
    self_preference,
    won_by_more,
)

PLANTED = {
    "side": (-0.8, 0.0, 0.0),
    "first": (0.0, 0.7, 0.0),
    "length": (0.0, 1.2, 0.0),
    "family": (0.0, 0.0, 0.9),
}


@cache
def readings(seed: int, *, orders: bool = True, motions: int = 60) -> Readings:
    """Eight contestants, 0.4 logits apart, mirrored on each motion; three judges with the planted
    effects read each debate in both orders.
    """
    rng = np.random.default_rng(seed)
    one, other = np.array([(a, b) for a in range(8) for b in range(8) if a != b]).T
    proposition, opposition = np.tile(one, motions), np.tile(other, motions)
    motion = np.repeat(np.arange(motions), len(one))
    log_length = rng.normal(0, 0.5, len(motion))
    debate = np.repeat(np.arange(len(motion)), 6)
    judge = np.tile(np.repeat(np.arange(3), 2), len(motion))
    first_read = np.tile([1.0, -1.0], 3 * len(motion)) if orders else np.ones(len(debate))
    own = np.zeros((3, 8), dtype=bool)
    own[2, [0, 1, 5]] = True
    family = own[judge, proposition[debate]].astype(float) - own[judge, opposition[debate]]
    lead = (
        0.4 * (proposition - opposition)[debate]
        + np.array(PLANTED["side"])[judge]
        + np.array(PLANTED["first"])[judge] * first_read
    )
    lead += (
        np.array(PLANTED["length"])[judge] * log_length[debate]
        + np.array(PLANTED["family"])[judge] * family
    )
    winner = (rng.random(len(debate)) < 1 / (1 + np.exp(-lead))).astype(float)
    cluster = (
        motion * 64 + np.minimum(proposition, opposition) * 8 + np.maximum(proposition, opposition)
    )
    return Readings(
        proposition[debate],
        opposition[debate],
        judge,
        winner,
        first_read,
        log_length[debate],
        own,
        cluster[debate],
    )


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_planted_effect_lies_in_its_interval_and_other_judges_have_none(effect: str) -> None:
    found, k = effects(readings(6)), EFFECTS.index(effect)
    for judge, planted in enumerate(PLANTED[effect]):
        if effect == "family" and judge != 2:
            assert np.isnan(found.size[judge, k])
        else:
            assert found.low[judge, k] < planted < found.high[judge, k]
            assert planted == 0 or found.low[judge, k] * found.high[judge, k] > 0
            assert found.high[judge, k] - found.low[judge, k] < 0.5


def test_in_one_order_side_and_first_cannot_be_told_apart() -> None:
    found = effects(readings(2, orders=False))
    assert np.isnan(found.size[:, EFFECTS.index("first")]).all()
    assert found.low[1, 0] < 0.7 < found.high[1, 0]


def test_love_of_a_family_takes_a_judge_outside_of_it() -> None:
    """Where every judge is of the family, its strength and their love are one."""
    one = readings(3, motions=10)
    everybody = np.zeros((3, 8), dtype=bool)
    everybody[:, [0, 1, 5]] = True
    found = effects(
        Readings(
            one.proposition,
            one.opposition,
            one.judge,
            one.winner,
            one.first_read,
            one.log_length,
            everybody,
            one.cluster,
        )
    )
    assert np.isnan(found.size[:, EFFECTS.index("family")]).all()
    assert np.isfinite(found.size[:, EFFECTS.index("side")]).all()


def test_a_judge_that_always_votes_one_way_has_a_finite_effect() -> None:
    one = readings(4, motions=5)
    always = np.where(one.judge == 0, 0.0, one.winner)
    found = effects(
        Readings(
            one.proposition,
            one.opposition,
            one.judge,
            always,
            one.first_read,
            one.log_length,
            one.own,
            one.cluster,
        )
    )
    assert -60 < found.size[0, 0] < -5


def test_the_longer_and_the_surer_side_by_hand() -> None:
    winner = np.array([1.0, 0.0, 0.5, 1.0, 1.0])
    amount = np.array([[2, 1], [2, 1], [1, 2], [1, 1], [1, nan]])
    assert won_by_more(winner, amount) == pytest.approx([1, 0, 0.5, nan, nan], nan_ok=True)
    assert won_by_more(1 - winner, amount[:, ::-1]) == pytest.approx(
        [1, 0, 0.5, nan, nan], nan_ok=True
    )


def test_a_share_takes_clusters_as_its_units() -> None:
    values, cluster = np.repeat([1.0, 0.0, 1.0, 1.0], 10), np.repeat([5, 3, 9, 7], 10)
    found = clustered_share(values, cluster)
    assert (found.n, found.clusters, found.mean) == (40, 4, 0.75)
    assert found.se == pytest.approx(0.25)
    # Forty values are worth 0.75 * 0.25 / 0.25^2 = 3, and not less than four clusters.
    assert (found.ci_low, found.ci_high) == pytest.approx((0.1941, 0.9937), abs=1e-3)
    every = clustered_share(np.ones(12), np.arange(12) // 3)
    assert (every.ci_low, every.ci_high) == pytest.approx((0.025**0.25, 1))
    assert np.isnan(clustered_share(np.array([nan]), np.array([0])).ci_low)
    assert by_cluster(np.array([1.0, 2.0, 3.0]), np.array([8, 2, 8])).tolist()[0][0] == 2


def test_self_preference_by_hand() -> None:
    """Judge 0 gives its own side 1 and 1, the panel of two gives 0.5 and 0; judge 1 and 2 have no
    family here.
    """
    debate, judge = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2] * 2)
    winner = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    own = np.zeros((3, 2, 2), dtype=bool)
    own[0] = [[True, False], [False, True]]
    found = self_preference(winner, debate, judge, own, np.array([0, 1]))
    assert (found[0].n, found[0].mean) == (2, 0.75)
    assert [np.isnan(other.mean) for other in found[1:]] == [True, True]


def test_the_dbg_score_takes_the_majority_of_the_panel_and_ours_its_share() -> None:
    """Judge 0 votes for its own side, as two of a panel of three do, and against it in another
    debate, as one of the panel does.
    """
    debate, judge = np.repeat([0, 1], 4), np.tile(np.arange(4), 2)
    winner = np.array([1.0, 1, 1, 0, 0, 0, 0, 1])
    own = np.zeros((4, 2, 2), dtype=bool)
    own[0] = [[True, False], [True, False]]
    cluster = np.array([0, 1])
    ours = self_preference(winner, debate, judge, own, cluster)[0]
    assert ours.mean == pytest.approx((1 - 2 / 3 + 0 - 1 / 3) / 2)
    score = self_preference(winner, debate, judge, own, cluster, by_majority=True)[0]
    assert (score.n, score.mean) == (2, 0)


def test_self_preference_leaves_out_debates_within_the_family_and_judges_of_either_side() -> None:
    debate, judge, winner = (
        np.array([0, 0, 1, 1]),
        np.array([0, 1, 0, 1]),
        np.array([1.0, 0.0, 1.0, 0.0]),
    )
    own = np.zeros((2, 2, 2), dtype=bool)
    own[0] = [[True, True], [True, False]]
    own[1] = [[False, False], [False, True]]
    assert self_preference(winner, debate, judge, own, np.array([0, 1]))[0].n == 0
