"""CL, CS and RSS against hand tables, the paper's identity and bounds, and resampling by brute
force.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.answer_changes import change
from analysis.statistics.clustered import Array
from tests.analysis.resampling import bootstrap_interval

pairs = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1), st.integers(1, 4)),
    min_size=1,
    max_size=40,
)


def split(rows: list[tuple[int, int, int, int]]) -> tuple[Array, Array, Array, Array]:
    question, first, second, weight = (np.array(column) for column in zip(*rows, strict=True))
    return first.astype(float), second.astype(float), question, 1 / weight


def test_ten_answers_by_hand() -> None:
    """Of 6 right first answers 5 stay right; of 4 wrong ones 2 become right: 0.7 = 0.6 * 5/6 + 0.4
    * 2/4.
    """
    first, second = (
        np.array([1.0] * 6 + [0.0] * 4),
        np.array([1, 1, 1, 1, 1, 0, 1, 1, 0, 0], dtype=float),
    )
    found = change(first, second, np.arange(10))
    assert (
        found.n,
        found.stayed_right,
        found.right_to_wrong,
        found.wrong_to_right,
        found.stayed_wrong,
    ) == (10, 5, 1, 2, 2)
    assert (found.acc1.mean, found.acc2.mean, found.gain.mean) == pytest.approx((0.6, 0.7, 0.1))
    assert (found.cl.mean, found.cs.mean) == pytest.approx((5 / 6, 0.5))
    assert found.rss.mean == pytest.approx((0.7 - 0.36) / 0.48)
    assert (found.rss_lower, found.rss_upper) == pytest.approx((0.36, 0.84))
    assert found.reason is None


def test_a_question_weighs_the_same_however_many_samples_it_has() -> None:
    """P(a) is 1/2 and 1; P(b|a) 1 and 1, P(b|not a) 0: CL = 1.5/1.5, CS = 0 of 1/2, as the paper's
    sums have it.
    """
    found = change(
        np.array([1.0, 0.0, 1.0]),
        np.array([1.0, 0.0, 1.0]),
        np.array([0, 0, 1]),
        np.array([0.5, 0.5, 1.0]),
    )
    assert found.acc1.mean == pytest.approx((0.5 + 1) / 2)
    assert (found.cl.mean, found.cs.mean) == (1, 0)


@given(pairs)
def test_the_papers_identity_holds(rows: list[tuple[int, int, int, int]]) -> None:
    found = change(*split(rows), resamples=0)
    cl, cs = np.nan_to_num([found.cl.mean, found.cs.mean])
    assert found.acc2.mean == pytest.approx(found.acc1.mean * cl + (1 - found.acc1.mean) * cs)
    assert (
        found.n
        == found.stayed_right + found.right_to_wrong + found.wrong_to_right + found.stayed_wrong
    )


@given(pairs)
def test_rss_lies_in_its_bounds_where_its_assumption_holds(
    rows: list[tuple[int, int, int, int]],
) -> None:
    found = change(*split(rows), resamples=0)
    if found.reason is None and found.cs.mean <= found.acc1.mean <= found.cl.mean:
        assert -1e-12 <= found.rss.mean <= 1 + 1e-12
        assert found.rss_lower - 1e-12 <= found.acc2.mean <= found.rss_upper + 1e-12


@given(pairs)
def test_nothing_changed_is_a_half(rows: list[tuple[int, int, int, int]]) -> None:
    first, _, question, weight = split(rows)
    found = change(first, first, question, weight, resamples=0)
    if found.reason is None:
        assert (found.rss.mean, found.cl.mean, found.cs.mean, found.gain.mean) == pytest.approx(
            (0.5, 1, 0, 0)
        )


@pytest.mark.parametrize(
    ("first", "words", "gone"),
    [
        ([0, 0], "no first answer", "cl"),
        ([1, 1], "every first answer", "cs"),
        ([], "no pairs", "cl"),
    ],
)
def test_what_is_undefined_is_nan_with_a_reason(first: list[float], words: str, gone: str) -> None:
    found = change(
        np.array(first, dtype=float), np.array([1.0, 0.0][: len(first)]), np.arange(len(first))
    )
    assert words in (found.reason or "")
    assert np.isnan([getattr(found, gone).mean, found.rss.mean]).all()


def test_the_interval_is_that_of_resampled_questions() -> None:
    rng = np.random.default_rng(2)
    first, second = (
        rng.integers(2, size=(80, 3)).astype(float),
        rng.integers(2, size=(80, 3)).astype(float),
    )

    def kept(a: Array, b: Array) -> Array:
        shares: Array = (a * b).sum(axis=(1, 2)) / a.sum(axis=(1, 2))
        return shares

    found = change(first.ravel(), second.ravel(), np.repeat(np.arange(80), 3)).cl
    assert (found.ci_low, found.ci_high) == pytest.approx(bootstrap_interval(kept, first, second))


@pytest.mark.parametrize(
    ("first", "weight", "words"),
    [
        ([np.nan, 1], [1, 1], "1 right or 0"),
        ([0, 1], [0, 1], "above 0"),
        ([0], [1, 1], r"must be \(N,\)"),
    ],
)
def test_wrong_values_are_refused(first: list[float], weight: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        change(
            np.array(first, dtype=float),
            np.array([0.0, 1.0]),
            np.arange(2),
            np.array(weight, dtype=float),
        )
