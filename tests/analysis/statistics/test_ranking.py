"""Strengths against choix and closed forms, intervals that respect clusters, Elo by hand."""

from __future__ import annotations

import time
from math import log

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.ranking import PRIOR_SD, Ranking, elo, rank, win_matrix

Array = np.ndarray
Codes = np.ndarray


def drawn(
    seed: int, agents: int, n: int, first_effect: float = 0.0
) -> tuple[Array, Array, Array, Array]:
    """(true strengths, first, second, score) of n comparisons."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=agents)
    strength -= strength.mean()
    first = rng.integers(agents, size=n)
    second = (first + rng.integers(1, agents, size=n)) % agents
    chance = 1 / (1 + np.exp(-(strength[first] - strength[second] + first_effect)))
    return strength, first, second, (rng.random(n) < chance).astype(float)


def fitted(first: Codes, second: Codes, score: Array, agents: int) -> Ranking:
    """The ranking without intervals, which take long."""
    return rank(first, second, score, np.zeros(len(first)), agents, resamples=1)


def in_both_seats(first: Codes, second: Codes, score: Array) -> tuple[Codes, Codes, Array]:
    """Each comparison once more with the seats swapped: no seat has an advantage then."""
    both = np.concatenate((first, second)), np.concatenate((second, first))
    return *both, np.concatenate((score, 1 - score))


@pytest.mark.parametrize("seed", range(5))
def test_strengths_agree_with_choix(seed: int) -> None:
    _, first, second, score = drawn(seed, 12, 800)
    columns = in_both_seats(first, second, score)
    wins = [
        (a, b) if won else (b, a)
        for a, b, won in zip(*(column.tolist() for column in columns), strict=True)
    ]
    # A normal prior is a penalty of 1 / (2 sd^2) on the squares of strengths.
    theirs = choix.opt_pairwise(12, wins, alpha=1 / (2 * PRIOR_SD**2), tol=1e-12)
    ours = fitted(*columns, 12)
    assert np.abs(ours.strength - (theirs - theirs.mean())).max() < 1e-6
    assert ours.first == pytest.approx(0, abs=1e-9)


def test_two_contestants_by_hand() -> None:
    """Three of four points, one of them two halves: odds of three to one."""
    columns = in_both_seats(
        np.array([0, 0, 0, 1]), np.array([1, 1, 1, 0]), np.array([1, 1, 0.5, 0.5])
    )
    # So many comparisons that the prior moves nothing.
    found = fitted(*(np.tile(column, 10_000) for column in columns), 2)
    assert found.strength == pytest.approx([log(3) / 2, -log(3) / 2], abs=1e-5)


def test_the_advantage_of_the_first_seat_by_hand() -> None:
    """Each wins three of five where it sits first: equal strengths, odds of three to two for the
    seat.
    """
    first = np.repeat([0, 1], 50_000)
    found = fitted(first, 1 - first, np.tile([1.0, 1, 1, 0, 0], 20_000), 2)
    assert found.strength == pytest.approx([0, 0])
    assert found.first == pytest.approx(log(1.5), abs=1e-5)


@given(st.integers(0, 10_000), st.integers(3, 6))
@settings(max_examples=25, deadline=None)
def test_who_sits_first_is_only_a_name(seed: int, agents: int) -> None:
    _, first, second, score = drawn(seed, agents, 300, first_effect=0.4)
    one, other = (
        fitted(first, second, score, agents),
        fitted(second, first, 1 - score, agents),
    )
    assert one.strength == pytest.approx(other.strength, abs=1e-8)
    assert one.first == pytest.approx(-other.first, abs=1e-8)


def test_groups_that_never_met_are_not_ranked_together() -> None:
    first, second = np.array([0, 1, 0, 3, 4]), np.array([1, 2, 2, 4, 3])
    found = rank(first, second, np.array([1, 1, 0.5, 1, 0.5]), np.arange(5), 5, resamples=20)
    assert np.isnan(found.strength).tolist() == [False, False, False, True, True]
    assert found.strength[:3].sum() == pytest.approx(0)
    assert found.games.tolist() == [2, 2, 2, 2, 2]


def test_who_was_never_compared_has_no_strength_and_moves_nobody() -> None:
    _, first, second, score = drawn(1, 4, 200)
    alone, beside = (
        rank(first, second, score, np.arange(200), agents, resamples=50) for agents in (4, 5)
    )
    assert np.isnan([beside.strength[4], beside.low[4], beside.score[4]]).all()
    assert beside.strength[:4] == pytest.approx(alone.strength, abs=1e-9)
    assert beside.low[:4] == pytest.approx(alone.low, abs=1e-9)


def test_who_never_lost_has_an_interval_all_the_same() -> None:
    first, second = np.array([0, 0, 1, 2] * 5), np.array([1, 2, 2, 1] * 5)
    found = rank(
        first, second, np.array([1, 1, 1, 1] * 5, dtype=float), np.arange(20), 3, resamples=200
    )
    assert np.isfinite([found.strength, found.low, found.high]).all()
    assert found.low[0] > 0


def test_judges_that_copy_each_other_do_not_narrow_an_interval() -> None:
    """Three judges with the same verdicts know no more than one."""
    _, first, second, score = drawn(2, 5, 400)
    cluster = np.arange(400)
    one = rank(first, second, score, cluster, 5)
    three = rank(*(np.tile(column, 3) for column in (first, second, score, cluster)), 5)
    naive = rank(*(np.tile(column, 3) for column in (first, second, score)), np.arange(1200), 5)
    # The prior counts for less beside three times the verdicts, hence not to the last digit.
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.03)
    assert (naive.high - naive.low < 0.7 * (one.high - one.low)).all()


def test_intervals_are_those_of_the_information_matrix_where_verdicts_are_independent() -> None:
    """Two contestants: the standard error of a log odds is sqrt(1 / (n p q)), half of it for each
    strength.
    """
    score = (np.random.default_rng(4).random(2000) < 0.7).astype(float)
    first = np.tile([0, 1], 1000)
    found = rank(
        first, 1 - first, np.where(first == 0, score, 1 - score), np.arange(2000), 2, resamples=2000
    )
    share = score.mean()
    assert (found.high[0] - found.low[0]) == pytest.approx(
        1.96 * (2000 * share * (1 - share)) ** -0.5, rel=0.08
    )


def test_the_same_seed_gives_the_same_intervals() -> None:
    _, first, second, score = drawn(3, 4, 100)
    one, same, other = (
        rank(first, second, score, np.arange(100) // 3, 4, seed=seed) for seed in (1, 1, 2)
    )
    assert (one.low == same.low).all()
    assert (one.low != other.low).any()


def test_a_hundred_thousand_verdicts_are_ranked_in_seconds() -> None:
    strength, first, second, score = drawn(5, 20, 100_000)
    began = time.process_time()  # not the clock of a busy machine
    found = rank(first, second, score, np.arange(100_000) // 6, 20)
    assert time.process_time() - began < 30
    assert np.abs(found.strength - strength).max() < 0.15


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


def test_the_win_matrix_counts_both_seats() -> None:
    won, games = win_matrix(np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([1, 0.5, 0]), 3)
    assert won.tolist() == [[0, 1.5, 0], [0.5, 0, 0], [0, 1, 0]]
    assert games.tolist() == [[0, 2, 0], [2, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("first", "second", "score", "words"),
    [
        ([0, 1], [1], [1.0], "alike"),
        ([0], [5], [1.0], "coded 0 to 2"),
        ([1], [1], [1.0], "against itself"),
        ([0], [1], [float("nan")], "not be nan"),
        ([0], [1], [1.5], r"\[0, 1\]"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    first: list[int], second: list[int], score: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        fitted(np.array(first), np.array(second), np.array(score), 3)
