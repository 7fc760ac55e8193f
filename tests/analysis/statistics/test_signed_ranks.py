"""Wilcoxon's test against R, enumeration and the formula, and effect sizes against the t-test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm, rankdata, ttest_1samp

from analysis.statistics.effect_size import cohens_d, paired_d
from analysis.statistics.signed_ranks import wilcoxon

# Hollander and Wolfe (1973), p. 29: depression before and after, the example of R's wilcox.test.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def test_it_is_that_of_r() -> None:
    """V = 40, p-value = 0.01953"""
    found = wilcoxon(BEFORE - AFTER, against=0)
    assert (found.n, found.zeros, found.above, found.below) == (9, 0, 40, 5)
    assert found.p == pytest.approx(0.01953, abs=1e-5)


def test_p_counts_the_signs_that_are_as_extreme() -> None:
    values = 0.5 + np.array([0.04, -0.01, 0.07, 0.09, -0.02, 0.16, 0.2, -0.05])
    ranks = rankdata(np.abs(values - 0.5))
    sums = [ranks[list(signs)].sum() for signs in itertools.product((False, True), repeat=8)]
    found = wilcoxon(values)
    assert found.p == pytest.approx(np.mean(np.array(sums) >= found.above))
    assert wilcoxon(values, alternative="less").p == pytest.approx(
        np.mean(np.array(sums) <= found.above)
    )


@pytest.mark.parametrize("zeros", ["wilcox", "pratt"])
def test_ties_and_values_at_the_level_go_by_their_rule(zeros: str) -> None:
    """Of stated percents six are 50%: left out before the ranks are given, or after."""
    values = np.round(np.random.default_rng(2).normal(0.6, 0.2, 90).clip(0, 1), 1)
    values = np.append(values[values != 0.5], [0.5] * 6)
    distance = np.round(values - 0.5, 12)
    kept = distance[distance != 0] if zeros == "wilcox" else distance
    ranks = rankdata(np.abs(kept))
    signed = ranks[kept != 0]
    above = ranks[kept > 0].sum()
    z = (above - signed.sum() / 2) / np.sqrt((signed**2).sum() / 4)
    found = wilcoxon(values, zeros="pratt" if zeros == "pratt" else "wilcox")
    assert found.zeros == 6
    assert found.above == above
    assert found.p == pytest.approx(norm.sf(z))


@pytest.mark.parametrize("zeros", ["wilcox", "pratt"])
def test_few_values_with_ties_have_the_exact_p_of_all_signs(zeros: str) -> None:
    """Ranks that are shared, and values at the level, which keep their sign."""
    values = np.array([0.5, 0.6, 0.4, 0.6, 0.75, 0.5, 0.65, 0.35, 0.8, 0.6, 0.9])
    distance = np.round(values - 0.5, 12)
    kept = distance[distance != 0] if zeros == "wilcox" else distance
    ranks = rankdata(np.abs(kept))[kept != 0]
    signs = itertools.product((False, True), repeat=ranks.size)
    sums = np.array([ranks[list(each)].sum() for each in signs])
    found = wilcoxon(values, zeros="pratt" if zeros == "pratt" else "wilcox")
    at_least, at_most = np.mean(sums >= found.above), np.mean(sums <= found.above)
    assert found.p == pytest.approx(at_least)
    both = wilcoxon(
        values, zeros="pratt" if zeros == "pratt" else "wilcox", alternative="two-sided"
    )
    assert both.p == pytest.approx(2 * min(at_least, at_most))


def test_without_a_value_off_the_level_there_is_no_p() -> None:
    assert np.isnan(wilcoxon(np.array([0.5, 0.5, np.nan])).p)
    assert wilcoxon(np.array([0.5, 0.5, np.nan])).zeros == 2
    assert np.isnan(wilcoxon(np.empty(0)).p)


def test_d_is_t_over_the_root_of_n_and_that_of_pingouin() -> None:
    values = np.random.default_rng(0).normal(0.7, 0.1, 30)
    t = ttest_1samp(values, 0.5).statistic
    assert cohens_d(values) == pytest.approx(t / np.sqrt(30))
    # compute_effsize(values, 0.5) of pingouin 0.7.0, of nine ratings.
    nine = np.array([0.495, 0.554, 0.534, 0.807, 0.788, 0.501, 0.488, 0.323, 0.466])
    assert cohens_d(nine) == pytest.approx(0.32806503, abs=1e-6)
    assert paired_d(BEFORE, AFTER) == pytest.approx(
        ttest_1samp(AFTER - BEFORE, 0).statistic / np.sqrt(9)
    )
    assert np.isnan(cohens_d(np.array([0.7, 0.7, np.nan])))
