"""How few votes decide who is first, against all sets of votes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from analysis.statistics.first_place import fewest_to_overturn
from analysis.statistics.ranking import rank


def test_between_two_it_is_one_more_than_the_lead() -> None:
    score = np.array([1.0] * 12 + [0.0] * 10)
    found = fewest_to_overturn(np.zeros(22, int), np.ones(22, int), score, 2)
    assert found is not None
    assert (found.first, found.rival, found.dropped, found.votes) == (0, 1, 3, 22)


def test_without_a_rival_no_votes_decide() -> None:
    none = np.empty(0, dtype=np.int64)
    assert fewest_to_overturn(none, none, np.empty(0), 3) is None
    # Without these votes there is nothing that compares the two.
    assert fewest_to_overturn(np.zeros(3, int), np.ones(3, int), np.ones(3), 2) is None


@pytest.mark.parametrize("seed", range(3))
def test_no_smaller_set_of_votes_turns_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = np.tile([0, 1, 2], 5)
    second = (first + 1) % 3
    chance = 1 / (1 + np.exp(0.7 * (first - second)))
    score = (rng.random(15) < chance).astype(float)
    found = fewest_to_overturn(first, second, score, 3)
    assert found is not None

    def turns(dropped: tuple[int, ...]) -> bool:
        left = np.delete(np.arange(15), dropped)
        strength = rank(first[left], second[left], score[left], left, 3).strength
        return bool(np.nanmax(np.delete(strength, found.first)) > strength[found.first] + 1e-9)

    if found.dropped <= 2:
        assert any(turns(each) for each in combinations(range(15), found.dropped))
    assert not any(turns(each) for each in combinations(range(15), min(found.dropped - 1, 1)))
