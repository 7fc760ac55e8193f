"""Shares corrected by labels, against an independent library, sums by hand, and laws.

How often the intervals hold is measured by experiments/benchmarks/labels.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analysis.statistics.label_correction import (
    Correction,
    fieller,
    prediction_powered,
    rogan_gladen,
)

# Of 20 items that the judge calls right people call 16 so, of 20 others 5.
JUDGED = np.repeat([1.0, 0.0], 20)
LABEL = np.repeat([1.0, 0.0, 1.0, 0.0], [16, 4, 5, 15])


def pool(yes: int, no: int, times: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labelled items and so many others, all that many times."""
    judged = np.concatenate((JUDGED, np.ones(yes), np.zeros(no)))
    label = np.concatenate((LABEL, np.full(yes + no, np.nan)))
    return np.tile(judged, times), np.tile(label, times), np.arange(len(judged) * times)


def ends(found: Correction) -> tuple[float, float]:
    """The interval."""
    return found.share.ci_low, found.share.ci_high


def test_the_powered_share_is_that_of_ppi_python() -> None:
    # ppi_mean_pointestimate and ppi_mean_ci of ppi-python 0.2.3, its own power tuning.
    found = prediction_powered(*pool(30, 30))
    assert found.share.mean == pytest.approx(0.525)
    assert found.weight == pytest.approx(0.8 - 0.25)
    assert_allclose(ends(found), (0.38502902, 0.66497098), atol=0.006)
    # Of many labels, where Jeffreys and the normal are one.
    assert_allclose(
        ends(prediction_powered(*pool(30, 30, 10))), (0.48073778, 0.56926222), atol=3e-4
    )
    # With our weight given to it as lam, in its unit: (1 - 40 / 100) 0.55.
    found = prediction_powered(*pool(45, 15))
    assert found.share.mean == pytest.approx(0.6075)
    assert_allclose(ends(found), (0.46909597, 0.74590403), atol=0.017)


def test_ties_are_halves_and_all_labels_are_their_own_mean() -> None:
    judged = np.array([1, 1, 1, 0.5, 0.5, 0, 0, 0, 1, 0.5, 0, 0])
    label = np.array([1, 1, 0.5, 0.5, 1, 0, 0, 1, 0, 0, np.nan, np.nan])
    # Weighted by f: (1 + 1 + .5 + .25 + .5) of 5.5; by 1 - f: (.25 + .5 + 1) of 4.5; q = 5.5/12.
    by_hand = 5.5 / 12 * 3.25 / 5.5 + 6.5 / 12 * 1.75 / 4.5
    assert prediction_powered(judged, label, np.arange(12)).share.mean == pytest.approx(by_hand)
    assert prediction_powered(JUDGED, LABEL, np.arange(40)).share.mean == LABEL.mean()


def test_a_perfect_judge_is_not_corrected_and_ties_of_people_are_not_guessed() -> None:
    label = np.array([1.0] * 12 + [0.0] * 8)
    found = rogan_gladen(label, label, np.arange(20))
    assert (found.share.mean, found.reason) == (0.6, "")
    label[0] = 0.5
    found = rogan_gladen(label, label, np.arange(20))
    assert np.isnan(found.share.mean)
    assert found.reason.startswith("people call some a tie")


def test_rogan_and_gladen_by_hand() -> None:
    # Sensitivity 16/21, specificity 15/19, the judge's share .65.
    found = rogan_gladen(*pool(45, 15))
    youden = 16 / 21 + 15 / 19 - 1
    assert found.weight == pytest.approx(youden)
    assert found.share.mean == pytest.approx((0.65 + 15 / 19 - 1) / youden)
    # Of a contestant that is the proposition of three of four debates: by each side by itself.
    judged, label, cluster = pool(45, 15)
    turned = np.arange(100) % 4 == 0
    found = rogan_gladen(judged, label, cluster, turned=turned)
    sides = [(judged[each].mean() + 15 / 19 - 1) / youden for each in (~turned, turned)]
    assert found.share.mean == pytest.approx(0.75 * sides[0] + 0.25 * (1 - sides[1]))


def test_a_share_beyond_all_is_cut_and_says_so() -> None:
    found = rogan_gladen(*pool(45, 0))
    assert (found.share.mean, found.share.ci_high) == (1, 1)
    assert found.reason.startswith("cut at 0 or 100%")


def test_fiellers_interval_is_where_the_difference_is_not_surely_off() -> None:
    variances = np.array([0.004, -0.001, 0.003])
    low, high = fieller(0.3, 0.5, variances) or (np.nan, np.nan)
    for theta in (low, high):
        off = 0.3 - theta * 0.5
        spread = variances[0] - 2 * theta * variances[1] + theta**2 * variances[2]
        assert off**2 / spread == pytest.approx(1.959963984540054**2)
    assert low < 0.6 < high
    assert fieller(0.3, 0.1, variances) is None


@pytest.mark.parametrize(
    ("judged", "label", "powered", "by_errors"),
    [
        (JUDGED[:9], LABEL[:9], "fewer than 10 labels", "fewer than 5 labels of one kind"),
        (JUDGED, 1 - LABEL, "", "no better than chance"),
        (np.append(JUDGED[:20], 0), np.append(LABEL[:20], np.nan), "one of both", "fewer than 5"),
        # Two of three are right whatever is said, and the judge says it of all further ones.
        (np.append(JUDGED, np.ones(900)), np.append(LABEL, np.full(900, np.nan)), "", "otherwise"),
    ],
)
def test_what_cannot_be_corrected_is_no_number_and_says_why(
    judged: np.ndarray, label: np.ndarray, powered: str, by_errors: str
) -> None:
    for function, words in ((prediction_powered, powered), (rogan_gladen, by_errors)):
        found = function(judged, label, np.arange(len(judged)))
        assert words in found.reason
        assert np.isnan(found.share.mean) == bool(words)


def test_a_judge_that_few_labels_cannot_tell_from_chance_leaves_all_open() -> None:
    judged = np.repeat([1.0, 0.0], 10)
    label = np.tile(np.repeat([1.0, 0.0], [6, 4]), 2)
    label[10:] = 1 - label[10:]
    found = rogan_gladen(judged, label, np.arange(20))
    assert ends(found) == (0, 1)
    assert "too few labels to tell the judge from chance" in found.reason


def test_items_of_one_cluster_tell_no_more_than_one() -> None:
    judged, label, cluster = pool(30, 30)
    for function in (prediction_powered, rogan_gladen):
        once = function(judged, label, cluster)
        thrice = function(np.tile(judged, 3), np.tile(label, 3), np.tile(cluster, 3))
        alone = function(np.tile(judged, 3), np.tile(label, 3), np.arange(300))
        assert thrice.share.mean == pytest.approx(once.share.mean)
        width, thrice_width, alone_width = (
            float(np.diff(ends(each))[0]) for each in (once, thrice, alone)
        )
        assert 0.9 * width < thrice_width < 1.12 * width
        assert alone_width < 0.65 * width


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0.5, 1]), st.sampled_from([0, 0.5, 1, None])),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 20),
)
def test_intervals_lie_in_0_to_1_and_have_a_width(
    items: list[tuple[float, float | None]], clusters: int
) -> None:
    judged = np.array([each for each, _ in items], dtype=float)
    label = np.array([np.nan if each is None else each for _, each in items], dtype=float)
    _, cluster = np.unique(np.arange(len(items)) % clusters, return_inverse=True)
    turned = np.arange(len(items)) % 3 == 0
    for found in (
        prediction_powered(judged, label, cluster),
        rogan_gladen(judged, label, cluster, turned=turned),
    ):
        if np.isnan(found.share.mean):
            assert found.reason
        else:
            low, high = ends(found)
            assert 0 <= low <= found.share.mean <= high <= 1
            assert high - low > 0.001
