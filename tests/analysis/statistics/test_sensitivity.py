"""The headlines without doubtful ratings and between the worst that missing ones can hide: hand
tables, and every way to fill them in.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.statistics.clustered import Array
from analysis.statistics.sensitivity import bounds, complete_debates, headlines

nan = np.nan
# Three debates, two sides, two phases.
RATED = np.array([[[0.6, 0.8], [0.5, 0.8]], [[0.7, nan], [0.6, 0.9]], [[nan, 0.7], [0.4, 0.5]]])
EVERY = np.ones(RATED.shape, dtype=bool)
ratings = arrays(np.float64, (3, 2, 2), elements=st.integers(0, 100).map(lambda n: n / 100))


def test_as_reported() -> None:
    found = headlines(RATED, EVERY)
    assert (found.left_out, found.last.n, found.rise.n, found.both.debates) == (0, 5, 4, 2)
    assert (found.last.mean, found.rise.mean) == pytest.approx(
        (3.7 / 5, (0.2 + 0.3 + 0.3 + 0.1) / 4)
    )
    assert found.both.above_75 == 1


def test_what_is_left_out_is_counted_and_takes_its_rise_and_its_debate_along() -> None:
    kept = EVERY.copy()
    kept[0, 0, 1] = kept[1, 0, 1] = False  # the second of these is missing anyway
    found = headlines(RATED, kept)
    assert (found.left_out, found.last.n, found.rise.n, found.both.debates) == (1, 4, 3, 1)
    assert found.last.mean == pytest.approx(2.9 / 4)


def test_complete_debates_are_those_with_every_rating_that_was_asked_for() -> None:
    assert complete_debates(RATED, EVERY)[:, 0, 0].tolist() == [True, False, False]
    asked = EVERY.copy()
    asked[2, 0, 0] = False
    assert complete_debates(RATED, asked)[:, 0, 0].tolist() == [True, False, True]


def test_bounds_by_hand() -> None:
    """Last phase: 3.7 of five, and one of 0 to 1; rises 0.2, 0.3, 0.3, 0.1, and -0.7 to 0.3, and
    -0.3 to 0.7.
    """
    found = bounds(RATED, EVERY)
    assert (found.missing, found.debates) == (2, 3)
    assert (found.last_low, found.last_high) == pytest.approx((3.7 / 6, 4.7 / 6))
    assert (found.rise_low, found.rise_high) == pytest.approx((-0.1 / 6, 1.9 / 6))
    assert (found.both_above_75_low, found.both_above_75_high) == pytest.approx((1 / 3, 2 / 3))


@given(
    ratings,
    st.sets(st.integers(0, 11), max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_whatever_the_missing_ratings_are_the_numbers_lie_within_the_bounds_and_reach_them(
    values: Array, gone: set[int], fill: list[float]
) -> None:
    holes = values.copy()
    holes.flat[list(gone)] = nan
    found = bounds(holes, EVERY)
    reached = []
    for filling in (fill[: len(gone)], *product((0.0, 1.0), repeat=len(gone))):
        whole = holes.copy()
        whole.flat[list(gone)] = filling
        now = headlines(whole, EVERY)
        reached.append((now.last.mean, now.rise.mean, now.both.above_75 / 3))
    limits = (
        (found.last_low, found.last_high),
        (found.rise_low, found.rise_high),
        (found.both_above_75_low, found.both_above_75_high),
    )
    for k, (low, high) in enumerate(limits):
        assert min(row[k] for row in reached) == pytest.approx(low)
        assert max(row[k] for row in reached) == pytest.approx(high)


def test_a_rating_that_nobody_asked_for_is_not_missing() -> None:
    asked = ~np.isnan(RATED)
    found = bounds(RATED, asked)
    assert (found.missing, found.debates) == (0, 2)
    assert (found.last_low, found.last_high) == pytest.approx((3.7 / 5, 3.7 / 5))


def test_with_one_phase_there_is_no_rise() -> None:
    found = bounds(RATED[:, :, 1:], EVERY[:, :, 1:])
    assert found.missing == 1
    assert np.isnan([found.rise_low, found.rise_high]).all()
    assert (found.last_low, found.last_high) == pytest.approx((3.7 / 6, 4.7 / 6))
