"""Adjustments of p-values, against a hand table and statsmodels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis.statistics.clustered import Array
from analysis.statistics.multiplicity import benjamini_hochberg, bonferroni, holm

some = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_four_tests_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not be below the one
    before it.
    """
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(
    ("adjust", "method"),
    [(holm, "holm"), (bonferroni, "bonferroni"), (benjamini_hochberg, "fdr_bh")],
)
def test_they_are_those_of_statsmodels(adjust: Callable[[Array], Array], method: str) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 30):
        # Rounded, so that some are equal.
        p = np.round(rng.random(size) ** 3, 2)
        assert adjust(p) == pytest.approx(multipletests(p, method=method)[1])


@given(some)
def test_the_order_of_tests_does_not_matter_and_nothing_gets_smaller(p: list[float]) -> None:
    order = np.random.default_rng(len(p)).permutation(len(p))
    assert holm(np.array(p)[order]) == pytest.approx(holm(p)[order])
    assert (holm(p) >= np.array(p)).all()


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [
        (holm, [0.04, 0.04]),
        (bonferroni, [0.04, 0.06]),
        (benjamini_hochberg, [0.03, 0.03]),
    ],
)
def test_a_test_that_could_not_be_made_does_not_count(
    adjust: Callable[[Sequence[float]], Array], expected: list[float]
) -> None:
    found = adjust([0.02, np.nan, 0.03])
    assert found[[0, 2]] == pytest.approx(expected)
    assert np.isnan(found[1])
    assert adjust([]).size == 0
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        adjust([0.5, 1.2])
