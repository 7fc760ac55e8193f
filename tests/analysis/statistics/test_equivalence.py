"""Equivalence to 50%, against scipy's one-sided tests and statsmodels' TOST on independent values,
exact bounds, and where a few debates differ.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, ttest_1samp
from statsmodels.stats.weightstats import DescrStatsW

from analysis.statistics.clustered import Array
from analysis.statistics.equivalence import (
    VERDICTS,
    Question,
    debates_needed,
    equivalence,
    stringer_bound,
)

debates = arrays(np.float64, (40, 2), elements=st.integers(30, 70).map(lambda n: n / 100))


@pytest.mark.parametrize("centre", [0.5, 0.53, 0.6, 0.44])
def test_independent_values_give_the_tost_of_scipy_and_of_statsmodels(centre: float) -> None:
    values = centre + np.random.default_rng(3).normal(0, 0.06, 40)
    found = equivalence(values[:, None]).these
    above = ttest_1samp(values, 0.45, alternative="greater").pvalue
    below = ttest_1samp(values, 0.55, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    assert found.p == pytest.approx(DescrStatsW(values).ttost_mean(0.45, 0.55)[0])
    assert (found.ci_low, found.ci_high) == pytest.approx(
        ttest_1samp(values, 0).confidence_interval(0.9)
    )


@given(debates, st.sampled_from([0.03, 0.05, 0.1]))
@settings(max_examples=40)
def test_equivalent_is_when_the_interval_lies_within_the_margin_and_p_says_so_too(
    values: Array, margin: float
) -> None:
    found = equivalence(values, margin=margin).these
    assert found.verdict in VERDICTS
    inside = 0.5 - margin < found.ci_low and found.ci_high < 0.5 + margin
    outside = found.ci_low > 0.5 + margin or found.ci_high < 0.5 - margin
    assert (found.verdict == "equivalent") == inside == (found.p < 0.05)
    assert (found.verdict == "different") == outside


@given(debates)
@settings(max_examples=20)
def test_a_mean_below_is_a_mean_above_mirrored(values: Array) -> None:
    found, mirrored = equivalence(values), equivalence(1 - values)
    assert found.difference == pytest.approx(-mirrored.difference)
    assert found.test.p == pytest.approx(mirrored.test.p, nan_ok=True, abs=1e-6)


def test_not_to_differ_is_not_to_be_equivalent() -> None:
    """Forty debates far apart around 50% tell nothing either way."""
    found = equivalence(np.tile(np.linspace(0, 1, 40)[:, None], 2))
    assert found.test.verdict == "undecided"
    assert abs(found.difference) < 1e-12


def test_debates_alike_leave_what_the_rule_of_three_leaves() -> None:
    """n alike: at most 1 - .05^(1/n) of others, each 50 points off; 29 are needed for 5 points."""
    for debates, verdict in ((28, "too few debates"), (29, "equivalent")):
        found = equivalence(np.full((debates, 2), 0.5)).these
        assert found.verdict == verdict
        assert found.ci_high - 0.5 == pytest.approx(0.5 * (1 - 0.05 ** (1 / debates)))
    assert debates_needed(Question(0.5, 0.05, 0.05)) == 29


def test_stringers_bound_of_ones_and_zeros_is_the_exact_one() -> None:
    values, counts = np.array([1.0, 0.0]), np.array([3, 17])
    exact = binomtest(3, 20).proportion_ci(0.9, method="exact").high
    assert stringer_bound(values, counts, 0.05) == pytest.approx(exact)


@pytest.mark.parametrize("debates", [10, 40, 60])
def test_rare_deviations_are_rarely_called_equivalent(debates: int) -> None:
    """10% of debates at 100%, the others at 50%: the mean lies on the margin."""
    rng = np.random.default_rng(debates)
    studies = np.where(rng.random((150, debates)) < 0.1, 1.0, 0.5)
    called = sum(equivalence(one[:, None]).these.verdict == "equivalent" for one in studies)
    assert called / 150 <= 0.09


def test_models_like_these_are_spoken_of_with_models_as_clusters() -> None:
    """Ten models near 50%, six debates each: equivalent as these ten, not as models like them."""
    level = 0.5 + 0.09 * np.linspace(-1, 1, 10)
    model = np.repeat(np.arange(10), 6)[:, None].repeat(2, axis=1)
    values = level[model] + np.random.default_rng(1).normal(0, 0.02, model.shape)
    found = equivalence(values, model)
    assert (found.speaks_of, found.models) == ("models like these", 10)
    assert (found.these.verdict, found.test.verdict) == ("equivalent", "equivalent")
    assert equivalence(values, model, margin=0.03).test.verdict == "undecided"
    assert found.test.ci_high - found.test.ci_low > 3 * (found.these.ci_high - found.these.ci_low)


def test_what_cannot_be_tested_says_why() -> None:
    alone = equivalence(np.array([[0.5, 0.6]]))
    assert (alone.test.verdict, alone.n) == ("too few debates", 2)
    assert np.isnan([alone.test.p, alone.test.ci_low]).all()
    assert equivalence(np.array([[0.9, 0.9], [0.91, 0.9], [0.9, 0.92]])).test.verdict in VERDICTS
    with pytest.raises(ValueError, match="margin"):
        equivalence(np.full((4, 2), 0.5), margin=0)
