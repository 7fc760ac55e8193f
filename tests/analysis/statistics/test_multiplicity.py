"""Holm's adjustment, against a hand table and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis.statistics.multiplicity import holm

some = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_four_tests_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not be below the one
    before it.
    """
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
@pytest.mark.slow
def test_it_is_that_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(some)
def test_the_order_of_tests_does_not_matter_and_nothing_gets_smaller(p: list[float]) -> None:
    order = np.random.default_rng(len(p)).permutation(len(p))
    assert holm(np.array(p)[order]) == pytest.approx(holm(p)[order])
    assert (holm(p) >= np.array(p)).all()


def test_a_test_that_could_not_be_made_does_not_count() -> None:
    found = holm([0.02, np.nan, 0.03])
    assert found[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(found[1])
    assert holm([]).size == 0


def test_what_is_no_p_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.5, 1.2])
