"""Agreement of two raters, by hand."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from analysis.statistics.kappa import agreement
from analysis.statistics.shares import clopper_pearson


def test_kappa_is_agreement_beyond_that_of_independent_raters() -> None:
    """Of 200 items .70 have one label; independent raters with these shares agree on .41."""
    table = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    first, second = (np.repeat(axis.ravel(), table.ravel()) for axis in np.indices((3, 3)))
    found = agreement(first, second, np.arange(200), 3)
    assert (found.n, found.same.mean) == (200, 0.7)
    assert found.kappa.mean == pytest.approx((0.7 - 0.41) / 0.59)
    assert (found.same.ci_low, found.same.ci_high) == pytest.approx(clopper_pearson(140, 200))
    # Cohen's standard error (1960): sqrt(p_o (1 - p_o) / n) / (1 - p_e).
    width = 2 * 1.96 * np.sqrt(0.7 * 0.3 / 200) / 0.59
    assert found.kappa.ci_high - found.kappa.ci_low == pytest.approx(width, rel=0.15)


def test_items_of_one_cluster_count_as_one_where_they_always_agree() -> None:
    """Ten clusters of six equal items are as wide as ten items."""
    one = np.array([0, 1, 1, 1, 0, 1, 0, 1, 1, 0])
    other = np.array([0, 1, 1, 0, 0, 1, 1, 1, 1, 0])
    alone = agreement(one, other, np.arange(10), 2)
    many = agreement(np.repeat(one, 6), np.repeat(other, 6), np.repeat(np.arange(10), 6), 2)
    assert (many.n, many.kappa) == (60, alone.kappa)
    assert many.same.ci_low == pytest.approx(alone.same.ci_low, abs=0.02)


def test_raters_with_one_value_have_no_kappa_and_no_item_nothing() -> None:
    same = agreement(*[np.zeros(5, dtype=np.int64)] * 2, np.arange(5), 3)
    assert same.same.mean == 1
    assert isnan(same.kappa.mean)
    empty = agreement(*[np.empty(0, dtype=np.int64)] * 3, 3)
    assert empty.n == 0
    assert isnan(empty.same.mean)
    assert isnan(empty.kappa.mean)
    with pytest.raises(ValueError, match="one value an item"):
        agreement(np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64), np.arange(2), 2)
