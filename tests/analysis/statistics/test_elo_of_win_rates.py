"""Elo ratings of win rates: the facts' example, planted strengths, and pairs that nobody won."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.elo_of_win_rates import fit_ratings


def expected(a: float, b: float) -> float:
    """The win rate of a rating of a against one of b."""
    return 1 / (1 + 10 ** ((b - a) / 400))


def test_strengths_are_those_of_the_facts_page() -> None:
    found = fit_ratings(["a", "b"], {("a", "b"): 0.75})
    assert found["a"] - found["b"] == pytest.approx(190.85, abs=0.1)
    three = fit_ratings(["a", "b", "c"], {("a", "b"): 0.75, ("b", "c"): 0.75, ("a", "c"): 0.9})
    assert three["a"] - three["b"] == pytest.approx(190.85, abs=0.5)
    assert sum(three.values()) == pytest.approx(4500)


@given(st.lists(st.integers(1200, 1800), min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_planted_ratings_are_found(planted: list[int]) -> None:
    names = [f"agent {n}" for n in range(len(planted))]
    strength = dict(zip(names, planted, strict=True))
    rates = {(a, b): expected(strength[a], strength[b]) for a, b in combinations(names, 2)}
    found = fit_ratings(names, rates)
    shift = sum(planted) / len(planted) - 1500
    for name in names:
        assert found[name] == pytest.approx(strength[name] - shift, abs=1)


def test_who_always_wins_has_a_finite_rating_and_who_never_played_the_mean() -> None:
    found = fit_ratings(["a", "b", "c"], {("a", "b"): 1.0})
    assert 400 < found["a"] - found["b"] <= 2000
    assert found["c"] == pytest.approx(1500)
