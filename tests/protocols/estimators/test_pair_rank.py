"""Pair-rank against choix, and by hand."""

from __future__ import annotations

import choix
import numpy as np
import pytest

from protocols.estimators.pair_rank import pair_rank, preferences, released_pair_rank


def test_a_listed_guess_is_above_all_that_are_not() -> None:
    above = preferences([[0, 2], [2, 0]], 4)
    assert above[0].tolist() == [0, 1, 0.5, 1]
    assert above[1].tolist() == [0, 0, 0, 0]


def test_it_is_the_penalised_fit_of_choix() -> None:
    """choix takes each pair of each list once, and so the ridge that often."""
    lists = [[0, 1, 2], [1, 0], [0, 3], [2, 0, 1], [0, 1, 3]]
    above = preferences(lists, 4)
    pairs = [
        (u, v) for u in range(4) for v in range(4) for _ in range(round(above[u, v] * len(lists)))
    ]
    theirs = choix.opt_pairwise(4, pairs, alpha=0.01 * len(lists), tol=1e-12)
    expected = np.exp(theirs) / np.exp(theirs).sum()
    assert pair_rank(lists, 4) == pytest.approx(expected, abs=1e-5)


def test_two_guesses_by_hand_and_the_order_of_lists_does_not_matter() -> None:
    """3 of 4 lists: odds of 3 to 1, a little less by the ridge."""
    lists = [[0, 1], [0, 1], [1, 0], [0, 1]]
    assert pair_rank(lists, 2, ridge=1e-9) == pytest.approx([0.75, 0.25], abs=1e-6)
    assert pair_rank(lists[::-1], 2) == pytest.approx(pair_rank(lists, 2))
    # Always first: finite by the ridge alone.
    assert 0.9 < pair_rank([[0, 1]] * 3, 2)[0] < 1


def test_what_is_no_list_of_guesses_is_refused() -> None:
    with pytest.raises(ValueError, match="at most once"):
        pair_rank([[0, 0]], 2)
    with pytest.raises(ValueError, match="from 0 to 1"):
        pair_rank([[2]], 2)
    with pytest.raises(ValueError, match="at least one list"):
        pair_rank([], 2)


def test_the_released_form_climbs_without_a_logarithm_and_does_not_arrive() -> None:
    """Two guesses, one always first: dw/dt = s(1 - s), by hand in small steps."""
    start = np.random.default_rng(3).standard_normal(2)
    gap = start[0] - start[1]
    for _ in range(1000):
        share = 1 / (1 + np.exp(-gap))
        gap += 2 * 0.01 * share * (1 - share)
    released = released_pair_rank([[0, 1]], 2, seed=3)
    assert released[0] == pytest.approx(1 / (1 + np.exp(-gap)))
    assert released[0] != pytest.approx(released_pair_rank([[0, 1]], 2, seed=4)[0], abs=1e-6)
