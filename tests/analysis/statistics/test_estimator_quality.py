"""The table of estimators: pairs of replies by hand, weights as copies, intervals, winners."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.area_interval import area_limits
from analysis.statistics.calibration import average_precision, selective_accuracy
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.estimator_quality import ScoredReplies, compare_estimators
from analysis.statistics.jackknife import influences, jackknife_se, weights_without
from analysis.statistics.ordered_quality import ordered_quality
from analysis.statistics.pair_auroc import length_strata, pair_aurocs
from analysis.statistics.selective_risk import aurc_x1000
from analysis.statistics.simultaneous import max_t_quantile, may_be_best
from analysis.statistics.winner import name_winner

Q, S = 12, 3


def replies(seed: int) -> tuple[Array, Array, Codes, Array]:
    """Random replies with many ties: values, right, question, and weights of six draws."""
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), S)
    right = (rng.random(Q * S) < 0.6).astype(np.float64)
    values = np.round(rng.random(Q * S) + 0.3 * right, 1) / 2
    weights = rng.multinomial(Q, np.ones(Q) / Q, 5).astype(np.float64)
    return values, right, question, np.vstack((np.ones(Q), weights))


@pytest.mark.parametrize("stratified", [False, True])
def test_weighted_aurocs_are_counts_of_pairs(stratified: bool) -> None:
    values, right, question, weights = replies(1)
    strata = np.arange(Q * S) % 2 if stratified else np.zeros(Q * S, dtype=np.int64)
    found = pair_aurocs(values, right, question, weights, strata if stratified else None)
    for draw, weight in enumerate(weights):
        sums = np.zeros((2, 2))
        for i in np.flatnonzero(right == 1):
            for j in np.flatnonzero((right == 0) & (strata == strata[i])):
                own = question[i] == question[j]
                times = weight[question[i]] * (1 if own else weight[question[j]])
                won = (values[i] > values[j]) + (values[i] == values[j]) / 2
                sums[int(own)] += times * won, times
        assert found.over[draw] == pytest.approx(sums[0, 0] / sums[0, 1])
        assert found.within[draw] == pytest.approx(sums[1, 0] / sums[1, 1])


def test_weights_count_as_copies_do_in_the_numbers_of_an_order() -> None:
    values, right, question, weights = replies(2)
    found = ordered_quality(values, right, question, weights)
    for draw, weight in enumerate(weights):
        copies = np.repeat(np.arange(Q * S), weight[question].astype(int))
        order = values[copies], right[copies]
        assert found.auprc_right[draw] == pytest.approx(average_precision(*order))
        wrongs = average_precision(1 - order[0], 1 - order[1])
        assert found.auprc_wrong[draw] == pytest.approx(wrongs)
        assert found.selective[draw] == pytest.approx(selective_accuracy(*order))
        assert found.aurc_x1000[draw] == pytest.approx(aurc_x1000(*order))
        best, random = selective_accuracy(order[1], order[1]), order[1].mean()
        prr = (found.selective[draw] - random) / (best - random)
        assert found.prr[draw] == pytest.approx(prr)


def test_an_estimator_of_questions_knows_nothing_within_them() -> None:
    _, right, question, weights = replies(3)
    found = pair_aurocs(question.astype(np.float64), right, question, weights)
    assert np.allclose(found.within[~np.isnan(found.within)], 0.5)


def test_length_strata_hold_about_equally_many_and_keep_equal_lengths_together() -> None:
    length = np.random.default_rng(0).integers(1, 400, 1000).astype(np.float64)
    strata = length_strata(length)
    assert np.bincount(strata).min() > 80
    assert all(np.unique(strata[length == each]).size == 1 for each in np.unique(length))
    assert length_strata(np.ones(7)).tolist() == [0] * 7


def test_jackknife_errors_are_those_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=(40, 2))
    weights = weights_without(40)
    means = weights @ values / weights.sum(axis=1, keepdims=True)
    expected = values.std(axis=0, ddof=1) / np.sqrt(40)
    assert jackknife_se(influences(means[1:])) == pytest.approx(expected)
    assert weights_without(1000).shape == (251, 1000)
    assert (weights_without(1000)[1:] == 0).sum() == 1000


def test_an_area_of_one_has_an_interval_and_one_without_pairs_has_none() -> None:
    area = np.array([1.0, 0.0, 0.5, 0.8, np.nan])
    se = np.array([0.0, 0.0, 0.0, 0.05, np.nan])
    many, one = np.full(5, 30.0), np.ones(5)
    low, high = area_limits(area, se, many, many, one, 1.96)
    assert 0.8 < low[0] < 0.97
    assert high[0] == 1
    assert (low[1], high[1]) == pytest.approx((0, 1 - low[0]))
    # One value a question is 0.5 within it whatever the question: nothing varies.
    assert np.isnan([low[2], high[2], low[4], high[4]]).all()
    assert 0.66 < low[3] < 0.72
    assert 0.86 < high[3] < 0.91


def test_copies_of_one_estimator_need_no_wider_intervals_and_are_all_best() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(200, 1)) / 200
    alone, copies = max_t_quantile(one), max_t_quantile(np.repeat(one, 20, axis=1))
    assert alone == pytest.approx(copies)
    assert max_t_quantile(rng.normal(size=(200, 20))) > copies + 0.7
    assert may_be_best(np.full(20, 0.7), np.repeat(one, 20, axis=1)).all()


def scored(seen: list[float], questions: int = 120) -> ScoredReplies:
    """Replies whose estimators see by so much whether they are right."""
    rng = np.random.default_rng(5)
    question = np.repeat(np.arange(questions), 2)
    right = (rng.random(question.size) < 0.6).astype(np.float64)
    noise = rng.normal(size=(len(seen), question.size))
    length = rng.random(question.size)
    return ScoredReplies(np.array(seen)[:, None] * right + noise, right, question, length)


def test_a_much_better_estimator_wins_and_is_alone_in_its_set() -> None:
    found = compare_estimators(scored([0.0, 2.5, 0.5]))
    assert found.winner.winner == 1
    assert [each.may_be_best for each in found.estimators] == [False, True, False]
    over = found.estimators[1].over
    assert over.ci_low < over.mean < over.ci_high
    assert found.estimators[1].over_at_once.ci_low < over.ci_low


def test_equals_have_no_winner_and_copies_win_together() -> None:
    equal = scored([1.0] * 8)
    assert compare_estimators(equal).winner.winner == -1
    best = scored([0.0, 2.5])
    twice = ScoredReplies(
        np.vstack((best.values, 2 * best.values[1:] + 1)), best.right, best.question, best.length
    )
    won = compare_estimators(twice).winner
    assert sorted((won.winner, *won.alike)) == [1, 2]


def test_who_lacks_many_replies_is_not_compared() -> None:
    some = scored([0.0, 2.5])
    some.values[1, ::4] = np.nan
    found = compare_estimators(some)
    assert [each.may_be_best for each in found.estimators] == [True, None]
    assert found.estimators[1].missing == 60
    assert found.winner.winner == -1


def test_few_questions_name_nobody() -> None:
    assert name_winner(lambda weights: np.ones((len(weights), 2)), 12).winner == -1
