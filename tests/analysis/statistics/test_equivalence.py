"""Equivalence to 50%, against scipy's one-sided tests and statsmodels' TOST on independent values,
and by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp
from statsmodels.stats.weightstats import DescrStatsW

from analysis.statistics.clustered import Array
from analysis.statistics.equivalence import VERDICTS, equivalence

debates = arrays(np.float64, (8, 2), elements=st.integers(30, 70).map(lambda n: n / 100))


@pytest.mark.parametrize("centre", [0.5, 0.53, 0.6, 0.44])
def test_independent_values_give_the_tost_of_scipy_and_of_statsmodels(centre: float) -> None:
    values = centre + np.random.default_rng(3).normal(0, 0.06, 40)
    found = equivalence(values[:, None])
    above = ttest_1samp(values, 0.45, alternative="greater").pvalue
    below = ttest_1samp(values, 0.55, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    assert found.p == pytest.approx(DescrStatsW(values).ttost_mean(0.45, 0.55)[0])
    assert (found.ci_low, found.ci_high) == pytest.approx(
        ttest_1samp(values, 0).confidence_interval(0.9)
    )


def test_three_debates_by_hand() -> None:
    """Debates' means 0.49, 0.5, 0.51: error 0.01 / sqrt 3; t is 0.05 over it = 8.660 with 2 degrees
    of freedom, so p is 0.00654.
    """
    found = equivalence(np.array([[0.39, 0.59], [0.5, 0.5], [0.6, 0.42]]))
    assert (found.debates, found.n, found.verdict) == (3, 6, "equivalent")
    assert found.p == pytest.approx(0.00654, abs=1e-5)
    assert found.ci_high - 0.5 == pytest.approx(2.919986 * 0.01 / np.sqrt(3))


@given(debates, st.sampled_from([0.01, 0.05, 0.1]))
def test_equivalent_is_when_the_interval_lies_within_the_margin(
    values: Array, margin: float
) -> None:
    found = equivalence(values, margin=margin)
    assert found.verdict in VERDICTS
    if found.verdict != "no spread":
        inside = 0.5 - margin < found.ci_low and found.ci_high < 0.5 + margin
        outside = found.ci_low > 0.5 + margin or found.ci_high < 0.5 - margin
        assert found.verdict == (
            "equivalent" if inside else "different" if outside else "undecided"
        )


@given(debates)
def test_a_mean_below_is_a_mean_above_mirrored(values: Array) -> None:
    found, mirrored = equivalence(values), equivalence(1 - values)
    assert found.difference == pytest.approx(-mirrored.difference)
    assert found.p == pytest.approx(mirrored.p, nan_ok=True)


def test_not_to_differ_is_not_to_be_equivalent() -> None:
    """Three debates far apart around 50% tell nothing either way."""
    found = equivalence(np.array([[0.2, 0.3], [0.5, 0.6], [0.8, 0.6]]))
    assert found.verdict == "undecided"
    assert abs(found.difference) < 1e-12


def test_what_cannot_be_tested_says_why() -> None:
    assert equivalence(np.full((4, 2), 0.5)).verdict == "no spread"
    alone = equivalence(np.array([[0.5, 0.6]]))
    assert (alone.verdict, alone.n) == ("too few debates", 2)
    assert np.isnan([alone.p, alone.ci_low]).all()
    with pytest.raises(ValueError, match="margin"):
        equivalence(np.full((4, 2), 0.5), margin=0)
