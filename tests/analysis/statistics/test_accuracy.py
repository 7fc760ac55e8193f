"""Accuracy both ways, paired differences, McNemar's test, and votes of paths, against hand tables,
brute force and simulation.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from analysis.statistics.accuracy import (
    accuracy,
    majority_path,
    mcnemar,
    mean_over_plays,
    paired_difference,
    path_scores,
)
from analysis.statistics.clustered import Array

NAN = np.nan
answered = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([1.0, 0.0, NAN])), min_size=1, max_size=30
)
voted = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


def numbers(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


def test_accuracy_by_hand_both_ways() -> None:
    """Four plays of three questions: right, wrong, unreadable, right."""
    found = accuracy(numbers(1, 0, NAN, 1), np.array([0, 0, 1, 2]))
    assert (found.questions, found.plays, found.correct, found.unreadable) == (3, 4, 2, 1)
    assert (found.all.mean, found.readable.mean) == pytest.approx((2 / 4, 2 / 3))


@given(answered)
def test_unreadable_answers_only_lower_accuracy(plays: list[tuple[int, float]]) -> None:
    question, correct = np.array([q for q, _ in plays]), numbers(*(c for _, c in plays))
    found = accuracy(correct, question)
    assert found.all.mean == pytest.approx((correct == 1).mean())
    if np.isnan(correct).all():
        assert np.isnan(found.readable.mean)
    else:
        assert found.readable.mean >= found.all.mean
        assert found.readable.mean == pytest.approx(
            found.all.mean * correct.size / (~np.isnan(correct)).sum()
        )


def test_repeats_of_a_question_stay_together() -> None:
    """Eight repeats that all agree say no more than one."""
    right = np.random.default_rng(1).integers(2, size=60).astype(float)
    once, often = (
        accuracy(right, np.arange(60)),
        accuracy(np.repeat(right, 8), np.repeat(np.arange(60), 8)),
    )
    assert often.all == once.all
    assert once.all.ci_high - once.all.ci_low > 0.2


def test_nothing_played_has_no_accuracy() -> None:
    found = accuracy(np.empty(0), np.empty(0, dtype=np.int64))
    assert (found.questions, found.plays) == (0, 0)
    assert np.isnan([found.all.mean, found.all.ci_low, found.readable.mean]).all()


def test_means_over_plays_leave_nan_out() -> None:
    one, two = mean_over_plays(np.array([[0.5, NAN], [1.0, 0.0], [0.0, 1.0]]), np.array([4, 4, 9]))
    assert (one.mean, two.mean) == (0.5, 0.5)
    assert one.ci_low <= 0.5 <= one.ci_high


def test_a_paired_difference_by_hand() -> None:
    """Common questions 0, 1, 2; the first arm wins one, the second none; questions 3 and 4 have one
    arm only.
    """
    found = paired_difference(
        numbers(1, 1, 0, 1), np.array([0, 1, 2, 3]), numbers(0, 1, NAN, 0), np.array([0, 1, 2, 4])
    )
    assert (found.questions, found.better, found.worse) == (3, 1, 0)
    assert found.all.mean == pytest.approx(2 / 3 - 1 / 3)
    assert found.readable.mean == pytest.approx(2 / 3 - 1 / 2)
    assert (found.p, found.p_mid) == (1, 0.5)


@given(answered, answered)
def test_the_other_way_round_the_difference_turns(
    one: list[tuple[int, float]], two: list[tuple[int, float]]
) -> None:
    first, second = (
        (numbers(*(c for _, c in plays)), np.array([q for q, _ in plays])) for plays in (one, two)
    )
    there, back = (
        paired_difference(*first, *second),
        paired_difference(*second, *first),
    )
    assert there.all.mean == pytest.approx(-back.all.mean, nan_ok=True)
    assert there.all.ci_low == pytest.approx(-back.all.ci_high, nan_ok=True)
    assert (there.better, there.worse) == (back.worse, back.better)
    assert there.p == pytest.approx(back.p, nan_ok=True)


def test_arms_without_a_common_question_cannot_be_compared() -> None:
    found = paired_difference(numbers(1), np.array([0]), numbers(1), np.array([1]))
    assert found.questions == 0
    assert np.isnan([found.all.mean, found.all.ci_low, found.p]).all()


def test_unequal_repeats_give_no_p() -> None:
    """With more repeats on one side a difference of shares has no symmetric distribution."""
    found = paired_difference(
        numbers(1, 1, 0), np.array([0, 1, 1]), numbers(0, 1), np.array([0, 1])
    )
    assert np.isnan([found.p, found.p_mid]).all()
    assert found.all.mean == pytest.approx(2 / 3 - 1 / 2)


@pytest.mark.parametrize(
    ("better", "worse", "exact", "mid"),
    [
        (0, 0, 1, 1),
        (1, 0, 1, 0.5),
        (5, 0, 2 / 32, 1 / 32),
        (2, 2, 1, 1 - 6 / 32),
        (9, 1, 22 / 1024, 12 / 1024),
        (6, 21, 795188 / 2**27, 499178 / 2**27),
    ],
)
def test_mcnemar_by_hand(better: int, worse: int, exact: float, mid: float) -> None:
    """Binomial tails: 9 against 1 of 10 has 2 (1 + 10) / 1024; the last row adds up C(27, k) for k
    to 6.
    """
    assert mcnemar(better, worse) == pytest.approx((exact, mid), rel=1e-5)
    assert mcnemar(worse, better) == mcnemar(better, worse)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(better: int, worse: int) -> None:
    exact, mid = mcnemar(better, worse)
    assert exact == pytest.approx(binomtest(better, better + worse).pvalue if better + worse else 1)
    assert 0 < mid <= exact <= 1


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_the_paired_interval_covers_the_true_difference(effect: float) -> None:
    """400 studies of 150 questions of unequal hardness, two repeats each: about 95% hold the truth,
    and pairing is what makes them narrow.
    """
    rng = np.random.default_rng(7)
    question = np.repeat(np.arange(150), 2)
    held, widths = 0, []
    for _ in range(400):
        hard = np.repeat(rng.beta(1.5, 1.5, 150), 2) * 0.9
        one, two = (
            (rng.random(300) < hard + effect).astype(float),
            (rng.random(300) < hard).astype(float),
        )
        found = paired_difference(one, question, two, question).all
        held += found.ci_low <= effect <= found.ci_high
        widths.append(found.ci_high - found.ci_low)
    assert 0.92 <= held / 400 <= 0.98
    alone = [accuracy(arm, question).all for arm in (one, two)]
    assert np.mean(widths) < 0.9 * np.hypot(*(arm.ci_high - arm.ci_low for arm in alone))


def test_paths_by_hand() -> None:
    """Play 0: 4 4 5 -> right; play 1: 7 8, a tie that the first has, wrong; play 2: nothing
    readable; play 3: no paths.
    """
    correct, vote = numbers(1, 1, 0, 0, 1, NAN, NAN), np.array([0, 0, 1, 2, 3, -1, -1])
    found = path_scores(correct, vote, np.array([0, 0, 0, 1, 1, 2, 2]), 4)
    assert found.n.tolist() == [3, 2, 2, 0]
    assert found.unreadable.tolist() == [0, 0, 2, 0]
    assert found.share == pytest.approx([2 / 3, 1 / 2, 0, NAN], nan_ok=True)
    assert found.share_readable == pytest.approx([2 / 3, 1 / 2, NAN, NAN], nan_ok=True)
    assert found.majority == pytest.approx([1, 0, NAN, NAN], nan_ok=True)
    assert found.any == pytest.approx([1, 1, 0, NAN], nan_ok=True)


@given(voted)
def test_the_majority_is_counted_as_by_hand(paths: list[tuple[int, int]]) -> None:
    paths.sort(key=lambda row: row[0])
    play, vote = np.array([p for p, _ in paths]), np.array([v for _, v in paths])
    found = majority_path(vote, play, 5)
    for number in range(5):
        cast = [v for p, v in paths if p == number and v >= 0]
        # Counter keeps the order of first votes among equals.
        expected = Counter(cast).most_common(1)[0][0] if cast else None
        assert (vote[found[number]] if found[number] >= 0 else None) == expected
        if cast:
            assert found[number] == next(
                i for i, row in enumerate(paths) if row == (number, expected)
            )


@given(voted)
def test_one_path_gives_what_all_measures_agree_on_and_the_oracle_bounds_them(
    paths: list[tuple[int, int]],
) -> None:
    paths.sort(key=lambda row: row[0])
    play, vote = np.array([p for p, _ in paths]), np.array([v for _, v in paths])
    correct = np.where(vote < 0, NAN, vote == 0).astype(float)
    found = path_scores(correct, vote, play, 4)
    for number in np.flatnonzero(found.n > 0):
        assert found.share[number] <= found.any[number]
        assert np.isnan(found.majority[number]) or found.majority[number] <= found.any[number]
        if found.n[number] == 1:
            assert np.nan_to_num(found.majority[number]) == found.share[number] == found.any[number]


@pytest.mark.parametrize(
    ("correct", "question", "words"),
    [([0.5], [0], "1 right"), ([1], [0, 1], r"must be \(N,\)"), ([1], [-1], "at least 0")],
)
def test_wrong_values_are_refused(correct: list[float], question: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        accuracy(numbers(*correct), np.array(question))
