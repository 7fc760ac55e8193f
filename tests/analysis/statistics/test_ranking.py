"""Strengths against choix, a plain optimiser and closed forms, and intervals that hold."""

from __future__ import annotations

import time
from math import inf, log

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from analysis.statistics.firth import paired_design, penalised_fit
from analysis.statistics.ranking import Ranking, rank, win_matrix

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
    """The ranking of independent comparisons."""
    return rank(first, second, score, np.arange(len(first)), agents)


def maximum(first: Codes, second: Codes, score: Array, agents: int) -> Array:
    """The strengths of largest likelihood, without a penalty."""
    design = paired_design(first, second, np.ones((len(first), 1)), agents)
    found = penalised_fit(design, np.ones((1, len(first))), score[None], penalty=0.0).at
    return found[0, :agents]


def in_both_seats(first: Codes, second: Codes, score: Array) -> tuple[Codes, Codes, Array]:
    """Each comparison once more with the seats swapped: no seat has an advantage then."""
    both = np.concatenate((first, second)), np.concatenate((second, first))
    return *both, np.concatenate((score, 1 - score))


def test_without_seats_the_order_of_the_two_changes_nothing() -> None:
    _, first, second, score = drawn(3, 4, 30)
    cluster = np.arange(30) // 3
    turned = np.random.default_rng(0).random(30) < 0.5
    sides = np.where(turned, second, first), np.where(turned, first, second)
    one = rank(first, second, score, cluster, 4, seated=False)
    other = rank(*sides, np.where(turned, 1 - score, score), cluster, 4, seated=False)
    for values in ("strength", "low", "high"):
        assert getattr(one, values) == pytest.approx(getattr(other, values), abs=1e-3)
    assert np.isnan([one.first, one.first_low, one.first_high]).all()
    # Two who have one vote each, and lose to a third with two, are equals.
    pairs = np.array([(1, 0), (1, 2), (0, 1), (0, 2), (2, 0), (2, 1), (1, 0), (1, 2)]).T
    alike = rank(*pairs, np.ones(8), np.zeros(8, np.int64), 3, seated=False).strength
    assert alike[0] == pytest.approx(alike[2], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_strengths_agree_with_choix(seed: int) -> None:
    _, first, second, score = drawn(seed, 12, 800)
    columns = in_both_seats(first, second, score)
    wins = [
        (a, b) if won else (b, a)
        for a, b, won in zip(*(column.tolist() for column in columns), strict=True)
    ]
    theirs = choix.opt_pairwise(12, wins, alpha=0.0, tol=1e-12)
    assert np.abs(maximum(*columns, 12) - (theirs - theirs.mean())).max() < 1e-6
    ours = fitted(*columns, 12)
    assert np.abs(ours.strength - (theirs - theirs.mean())).max() < 0.05
    assert ours.first == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_penalised_strengths_are_those_of_a_plain_optimiser(seed: int) -> None:
    """The log-likelihood and half the log determinant of the information, written down again."""
    _, first, second, score = drawn(seed, 4, 25)
    columns = np.zeros((25, 4))
    for agent in range(3):
        # Differences from the last contestant, whose strength is 0.
        columns[:, agent] = (first == agent) * 1.0 - (second == agent)
    columns[:, 3] = 1

    def loss(at: Array) -> float:
        chance = 1 / (1 + np.exp(-columns @ at))
        information = columns.T @ (columns * (chance * (1 - chance))[:, None])
        fits = score * np.log(chance) + (1 - score) * np.log(1 - chance)
        return float(-fits.sum() - 0.5 * np.linalg.slogdet(information)[1])

    theirs = np.append(minimize(loss, np.zeros(4), tol=1e-12).x[:3], 0)
    assert fitted(first, second, score, 4).strength == pytest.approx(
        theirs - theirs.mean(), abs=1e-4
    )


def test_two_contestants_by_hand() -> None:
    """Three of four points, one of them two halves: odds of three to one."""
    columns = in_both_seats(
        np.array([0, 0, 0, 1]), np.array([1, 1, 1, 0]), np.array([1, 1, 0.5, 0.5])
    )
    # So many comparisons that the penalty moves next to nothing.
    first, second, score = (np.tile(column, 10_000) for column in columns)
    found = fitted(first, second, score, 2)
    assert found.strength == pytest.approx([log(3) / 2, -log(3) / 2], abs=1e-4)


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
    found = rank(first, second, np.array([1, 1, 0.5, 1, 0.5]), np.arange(5), 5)
    assert np.isnan(found.strength).tolist() == [False, False, False, True, True]
    assert found.strength[:3].sum() == pytest.approx(0)
    assert found.games.tolist() == [2, 2, 2, 2, 2]


def test_who_was_never_compared_has_no_strength_and_moves_nobody() -> None:
    _, first, second, score = drawn(1, 4, 200)
    alone, beside = (fitted(first, second, score, agents) for agents in (4, 5))
    assert np.isnan([beside.strength[4], beside.low[4], beside.score[4]]).all()
    assert beside.strength[:4] == pytest.approx(alone.strength, abs=1e-9)
    assert beside.low[:4] == pytest.approx(alone.low, abs=1e-9)


@pytest.mark.parametrize(
    ("wins", "estimate", "low"),
    [
        (1, 1.099, -3.664),
        (2, 1.609, -1.672),
        (4, 2.197, -0.415),
        (10, 3.045, 0.807),
        (12, 3.219, 1.022),
        (100, 5.303, 3.281),
    ],
)
def test_who_won_all_has_firths_estimate_and_an_exact_low_end(
    wins: int, estimate: float, low: float
) -> None:
    """The lead is log(2n + 1), and its end the logit of Clopper and Pearson's."""
    found = fitted(np.zeros(wins, int), np.ones(wins, int), np.ones(wins), 2)
    assert 2 * found.strength[0] == pytest.approx(log(2 * wins + 1), abs=1e-6)
    assert 2 * found.strength[0] == pytest.approx(estimate, abs=1e-3)
    assert 2 * found.low == pytest.approx([low, -inf], abs=1e-3)
    assert 2 * found.high == pytest.approx([inf, -low], abs=1e-3)
    # In one seat alone the advantage of the seat is not to be told from strength.
    assert np.isnan([found.first, found.first_low]).all()


def test_a_profile_end_is_where_the_likelihood_has_fallen_by_so_much() -> None:
    """Six wins of eight: Firth's likelihood, 3.84 / 2 below its top, found on a grid."""
    score = np.array([1, 1, 1, 1, 1, 1, 0, 0], dtype=float)
    found = fitted(np.zeros(8, int), np.ones(8, int), score, 2)
    lead = np.linspace(-4, 8, 120_001)
    chance = 1 / (1 + np.exp(-lead))
    height = 6.5 * np.log(chance) + 2.5 * np.log(1 - chance)
    inside = lead[2 * (height.max() - height) <= 3.841459]
    ends = 2 * found.low[0], 2 * found.high[0]
    assert ends == pytest.approx((inside[0], inside[-1]), abs=1e-3)


def test_a_group_that_nobody_outside_has_beaten_has_open_ends() -> None:
    """0 and 1 beat each other and everybody else; 4 loses to all; 2 and 3 are between."""
    pairs = [(0, 1, 0.5), (0, 2, 1), (1, 3, 1), (2, 3, 1), (3, 2, 1), (2, 4, 1), (3, 4, 1)]
    first, second, score = (np.array(column) for column in zip(*pairs, strict=True))
    found = fitted(first, second, score, 5)
    assert np.isinf(found.high).tolist() == [True, True, False, False, False]
    assert np.isinf(found.low).tolist() == [False, False, False, False, True]
    assert np.isfinite(found.strength).all()


def test_one_who_never_lost_opens_no_end_of_those_below() -> None:
    """0 beats everybody; 1, 2 and 3 beat each other: they are the field."""
    pairs = [(0, 1), (0, 2), (3, 0), (1, 2), (2, 1), (2, 3), (3, 1), (1, 3)]
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    score = np.array([1, 1, 0, 1, 1, 1, 1, 1], dtype=float)
    found = fitted(first, second, score, 4)
    assert np.isinf(found.high).tolist() == [True, False, False, False]
    assert np.isfinite(found.low).all()
    assert found.strength.argmax() == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(1, 3),
            st.sampled_from([0, 0.5, 1]),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=40, deadline=None)
def test_no_interval_has_width_zero_whatever_the_votes(
    votes: list[tuple[int, int, float, int]],
) -> None:
    columns = [np.array(column) for column in zip(*votes, strict=True)]
    first, score, cluster = columns[0], columns[2].astype(float), columns[3]
    found = rank(first, (first + columns[1]) % 4, score, cluster, 4)
    placed = ~np.isnan(found.strength)
    assert placed.sum() >= 2
    assert (found.high[placed] - found.low[placed] > 0.1).all()
    assert (found.low[placed] < found.strength[placed]).all()
    assert (found.strength[placed] < found.high[placed]).all()
    assert np.isnan(found.first) or found.first_high - found.first_low > 0.1


def test_a_seat_that_wins_everything_has_an_open_end() -> None:
    first = np.array([0, 1, 2, 1, 2, 0])
    found = fitted(first, (first + 1) % 3, np.ones(6), 3)
    assert found.first > 0.5
    assert (np.isfinite(found.first_low), found.first_high) == (True, inf)


def test_judges_that_copy_each_other_do_not_narrow_an_interval() -> None:
    """Three judges with the same verdicts know no more than one."""
    _, first, second, score = drawn(2, 5, 400)
    cluster = np.arange(400)
    one = rank(first, second, score, cluster, 5)
    first, second, score = (np.tile(column, 3) for column in (first, second, score))
    three = rank(first, second, score, np.tile(cluster, 3), 5)
    naive = rank(first, second, score, np.arange(1200), 5)
    # The penalty counts for less beside three times the verdicts, hence not to the last digit.
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.03)
    assert three.design_effect == pytest.approx(3, rel=0.01)
    assert (naive.high - naive.low < 0.7 * (one.high - one.low)).all()


def test_intervals_are_those_of_the_information_matrix_where_verdicts_are_independent() -> None:
    """Two contestants: the standard error of a log odds is sqrt(1 / (n p q)), half of it for each
    strength.
    """
    score = (np.random.default_rng(4).random(2000) < 0.7).astype(float)
    first = np.tile([0, 1], 1000)
    found = fitted(first, 1 - first, np.where(first == 0, score, 1 - score), 2)
    share = score.mean()
    assert (found.high[0] - found.low[0]) == pytest.approx(
        1.96 * (2000 * share * (1 - share)) ** -0.5, rel=0.01
    )


def test_a_hundred_thousand_verdicts_are_ranked_in_seconds() -> None:
    strength, first, second, score = drawn(5, 20, 100_000)
    began = time.process_time()  # not the clock of a busy machine
    found = rank(first, second, score, np.arange(100_000) // 6, 20)
    assert time.process_time() - began < 10
    assert np.abs(found.strength - strength).max() < 0.15


def test_strengths_at_equal_columns_and_the_effect_of_a_column() -> None:
    """Contestant 0 is no stronger than 1 and writes twice as much, which this jury likes."""
    rng = np.random.default_rng(6)
    first = rng.integers(3, size=3000)
    second = (first + rng.integers(1, 3, size=3000)) % 3
    length = np.array([1.0, 0, 0])
    column = length[first] - length[second] + rng.normal(0, 0.5, 3000)
    truth = np.array([0.5, 0.5, -1.0])
    chance = 1 / (1 + np.exp(-(truth[first] - truth[second] + 0.8 * column)))
    score = (rng.random(3000) < chance).astype(float)
    found = rank(first, second, score, np.arange(3000), 3, column[:, None])
    assert ((found.low < truth) & (truth < found.high)).all()
    _, low, high = found.columns[0]
    assert low < 0.8 < high
    assert high - low < 0.4
    plain = fitted(first, second, score, 3)
    assert plain.strength[0] > found.strength[0] + 0.3
    # A column that says no more than who it was cannot be told from strength.
    column = length[first] - length[second]
    alone = rank(first, second, score, np.arange(3000), 3, column[:, None])
    assert np.isnan(alone.columns).all()
    assert alone.strength == pytest.approx(plain.strength, abs=1e-8)


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
